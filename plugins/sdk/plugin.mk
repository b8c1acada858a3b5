# For plugin authors: include $(shell pkg-config --variable=pluginmk streamsteam)
# Set KIND (receiver, enricher, module), NAME and SOURCES first; `make` writes $(KIND)-$(NAME).so.
CFLAGS  ?= -O2 -g
SOURCES ?= $(NAME).c
PLUGIN  := $(KIND)-$(NAME).so
STREAMSTEAM_CFLAGS := $(shell pkg-config --cflags streamsteam)
PLUGINDIR ?= $(shell pkg-config --variable=plugindir streamsteam)

$(PLUGIN): $(SOURCES)
	$(CC) -std=c11 -fPIC -fvisibility=hidden -Wall -Wextra $(CFLAGS) $(STREAMSTEAM_CFLAGS) -shared -Wl,-z,defs -o $@ $(SOURCES) $(LDLIBS)

.PHONY: install
install: $(PLUGIN)
	install -d $(DESTDIR)$(PLUGINDIR)
	install -m 644 $(PLUGIN) $(DESTDIR)$(PLUGINDIR)
