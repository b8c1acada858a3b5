# The build of one plugin. Its Makefile says what it is and includes this file:
#
#   KIND := receiver         receiver, enricher or module
#   NAME := acme_clicks      makes receiver-acme_clicks.so
#   include $(shell pkg-config --variable=pluginmk streamsteam)
#
# May be set as well: SOURCES (default: NAME.c or NAME.cpp), TESTS (test_*.c, test_*.cpp), LDLIBS (libraries of your own),
# CC, CXX, CPPFLAGS, CFLAGS, CXXFLAGS, LDFLAGS; SANITIZE= (nothing) for tests without sanitizers; CONFIG, SAMPLE and
# SAMPLE_PATH for `make run`.
.DEFAULT_GOAL := all
SDK       := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))/../..)
SOURCES   ?= $(wildcard $(NAME).c $(NAME).cpp)
TESTS     ?= $(wildcard test_*.c test_*.cpp)
CFLAGS    ?= -O2 -g
CXXFLAGS  ?= -O2 -g
PLUGINDIR ?= $(SDK)/lib/streamsteam/plugins
CONFIG    ?= example.yaml
SAMPLE    ?= sample
SAMPLE_PATH ?= $(if $(filter receiver,$(KIND)),/$(NAME),/matomo.php)
STREAMSTEAM ?= $(SDK)/bin/streamsteam
PLUGIN    := $(KIND)-$(NAME).so
OUT       := build/$(notdir $(firstword $(CC)))

ifeq ($(filter receiver enricher module,$(KIND)),)
$(error KIND is "$(KIND)": say `KIND := receiver`, enricher or module)
endif
ifeq ($(SOURCES),)
$(error there is no $(NAME).c or $(NAME).cpp here: set NAME, or SOURCES)
endif

# What every file is compiled with. Symbols are hidden: a plugin exports its one entry, and SS_PLUGIN() marks that.
SDK_FLAGS := -D_GNU_SOURCE -fPIC -fvisibility=hidden -Wall -Wextra -I$(SDK)/include -I$(SDK)/include/streamsteam/sdk -MMD -MP
SDK_C     := -std=c11 $(SDK_FLAGS)
SDK_CXX   := -std=c++20 $(SDK_FLAGS) -Wno-missing-field-initializers
LINK      := $(if $(filter %.cpp,$(SOURCES) $(TESTS)),$(CXX),$(CC))
SDK_LIBS  := $(SDK)/lib/libstreamsteam-common.a
# Lets the testkit fail the plugin's allocations (TESTKIT_ALLOC).
SDK_WRAP  := $(foreach f,malloc calloc realloc strdup strndup _ZnwmRKSt9nothrow_t _ZnamRKSt9nothrow_t,-Wl,--wrap=$(f))

# The sanitizers, where this compiler has them; asked once, and only by `make check`.
SANITIZE  ?= address,undefined
SDK_SAN    = $(eval SDK_SAN := $(if $(SANITIZE),$(shell mkdir -p $(OUT) && echo 'int main(void) { return 0; }' | $(CC) \
             -fsanitize=$(SANITIZE) -xc - -o $(OUT)/probe 2>/dev/null && $(OUT)/probe && echo -fsanitize=$(SANITIZE) \
             -fno-sanitize-recover=all -fno-omit-frame-pointer)))$(SDK_SAN)

objects    = $(patsubst %,$(OUT)/$(1)/%.o,$(basename $(2)))
TEST_BIN  := $(patsubst %,$(OUT)/%,$(basename $(TESTS)))

.PHONY: all check verify run dev install clean
all: $(PLUGIN)

$(PLUGIN): $(call objects,plugin,$(SOURCES))
	$(LINK) -shared -o $@ $^ $(SDK_LIBS) -Wl,--exclude-libs,ALL -Wl,-z,defs $(LDFLAGS) $(LDLIBS) -lm

$(OUT)/plugin/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(SDK_C) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<
$(OUT)/plugin/%.o: %.cpp
	@mkdir -p $(@D)
	$(CXX) $(SDK_CXX) $(CPPFLAGS) $(CXXFLAGS) -c -o $@ $<

# The tests run without a server: the plugin is linked with the testkit, which plays the host.
check: $(TEST_BIN)
	@set -e; for t in $(TEST_BIN); do ./$$t; done
.SECONDARY:
$(OUT)/test_%: $(OUT)/check/test_%.o $(call objects,check,$(SOURCES))
	$(LINK) $(SDK_SAN) -o $@ $^ $(SDK_WRAP) $(SDK)/lib/libstreamsteam-testkit.a $(SDK_LIBS) $(LDFLAGS) $(LDLIBS) -lm -lpthread
$(OUT)/check/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(SDK_C) $(SDK_SAN) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<
$(OUT)/check/%.o: %.cpp
	@mkdir -p $(@D)
	$(CXX) $(SDK_CXX) $(SDK_SAN) $(CPPFLAGS) $(CXXFLAGS) -c -o $@ $<

# The checker's opinion of the plugin as it is shipped; docs/verify-plugin.md says what it looks at.
verify: $(PLUGIN)
	$(STREAMSTEAM) verify-plugin $(PLUGIN) $(addprefix --config ,$(wildcard $(CONFIG)))

# A server of its own, on the loopback, with its data in var/. ONCE=1 ends it after the sample was stored.
RUN_ENV = KIND='$(KIND)' NAME='$(NAME)' STREAMSTEAM='$(STREAMSTEAM)' CONFIG='$(CONFIG)' SAMPLE='$(SAMPLE)' SAMPLE_PATH='$(SAMPLE_PATH)' \
          ONCE='$(ONCE)' SOURCES='$(SOURCES)' MAKE='$(MAKE)'
run: $(PLUGIN)
	@$(RUN_ENV) $(SDK)/share/streamsteam/run.sh run
dev: $(PLUGIN)
	@+$(RUN_ENV) $(SDK)/share/streamsteam/run.sh dev

install: $(PLUGIN)
	install -d $(DESTDIR)$(PLUGINDIR)
	install -m 644 $(PLUGIN) $(DESTDIR)$(PLUGINDIR)

clean:
	rm -rf build $(PLUGIN)

-include $(wildcard $(OUT)/*/*.d)
