# StreamSteam: one Makefile. `make help` lists the targets.
#
#   DEBUG=1                  -O0 -g            into build-debug/
#   SAN=address,undefined    sanitizers        into build-san-address-undefined/
#   FAULTS=1                 fault points in   into build-faults/
#   CC=clang WERROR=1        as in CI
MAKEFLAGS += --no-builtin-rules
SHELL   := /bin/sh
CC      := $(if $(filter default,$(origin CC)),gcc,$(CC))
CXX     := $(if $(filter default,$(origin CXX)),$(if $(filter clang%,$(CC)),clang++,g++),$(CXX))
VERSION := 0.1.0
PREFIX  ?= /usr/local
DESTDIR ?=

comma := ,
BUILD ?= build$(if $(DEBUG),-debug)$(if $(SAN),-san-$(subst $(comma),-,$(SAN)))$(if $(FAULTS),-faults)$(if $(FUZZ),-fuzz)
O     := $(BUILD)/obj
# V=1 shows the commands; otherwise a line per product.
Q     := $(if $(V),,@)
say    = $(if $(V),,@echo "  $(1)  $(patsubst $(BUILD)/%,%,$@)")

PKG_CONFIG ?= pkg-config
PG_CFLAGS  := $(shell $(PKG_CONFIG) --cflags libpq 2>/dev/null)
HAVE_ISAL  := $(shell $(PKG_CONFIG) --exists libisal 2>/dev/null && echo 1)

WARNINGS := -Wall -Wextra -Wshadow -Wconversion $(if $(WERROR),-Werror)
OPTIMISE := $(if $(DEBUG),-O0,-O2) -g
HARDEN   := $(if $(SAN)$(DEBUG),,-D_FORTIFY_SOURCE=2) -fstack-protector-strong
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
CPPFLAGS += -D_GNU_SOURCE -I. -Iinclude $(PG_CFLAGS) -DSS_VERSION='"$(VERSION)"' -DSS_PREFIX='"$(PREFIX)"' \
            $(if $(HAVE_ISAL),-DHAVE_ISAL) $(if $(FAULTS),-DSS_FAULTS)
CFLAGS   += -std=c11 -fvisibility=hidden -fPIC $(OPTIMISE) $(WARNINGS) $(HARDEN) $(SANFLAGS) \
            $(if $(FUZZ),-fsanitize=fuzzer-no-link) $(EXTRA_CFLAGS)
LDFLAGS  += -Wl,-z,relro,-z,now $(SANFLAGS)
ISAL     := $(if $(HAVE_ISAL),-lisal)
CORE_LIBS := -lmicrohttpd -lyaml -ljansson -lsqlite3 -lpcre2-8 -lz -lcrypto -lpq $(ISAL) -ldl -lpthread -lm

# ---- what is built -----------------------------------------------------------------------------------
CORE_DIRS ?= core/base core/journal core/observe core/config core/event core/pipeline core/http \
             core/pull core/delivery core/admin core/server core/cli plugins/loader
CORE_SRC  := $(filter-out core/cli/main.c,$(wildcard $(addsuffix /*.c,$(CORE_DIRS))))
COMMON_SRC := $(wildcard plugins/common/*.c plugins/common/aws/*.c)
# With the code that writes lines: authors get it as one library.
TESTKIT_SRC := $(wildcard plugins/sdk/testkit/*.c core/event/*.c)
VERIFY_SRC := $(wildcard plugins/sdk/verify/*.c)
CORE_LIB  := $(BUILD)/lib/libcore.a
COMMON_LIB := $(BUILD)/lib/libstreamsteam-common.a
TESTKIT_LIB := $(BUILD)/lib/libstreamsteam-testkit.a
VERIFY_LIB := $(BUILD)/lib/libverify.a
BIN       := $(BUILD)/bin/streamsteam
STORE_SO  := $(BUILD)/lib/store-dynamodb.so

RECEIVERS := $(patsubst receivers/%/,receiver-%,$(sort $(dir $(wildcard receivers/*/*.c))))
ENRICHERS := $(patsubst enrichers/%/,enricher-%,$(sort $(dir $(wildcard enrichers/*/*.c))))
MODULES   := $(patsubst modules/%/,module-%,$(sort $(dir $(wildcard modules/*/*.c))))
PLUGINS   := $(RECEIVERS) $(ENRICHERS) $(MODULES)
PLUGIN_SO := $(PLUGINS:%=$(BUILD)/plugins/%.so)
# A plugin that needs a library says so in its own folder: LIBS_module-lake := -lz
-include $(wildcard receivers/*/plugin.mk enrichers/*/plugin.mk modules/*/plugin.mk)

UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/tests/%)
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_BIN := $(FUZZ_SRC:tests/fuzz/%.c=$(BUILD)/fuzz/%)
# Shared objects that tests load: shims (LD_PRELOAD) and sample plugins, each one file.
TEST_SO  := $(patsubst tests/%.c,$(BUILD)/tests/%.so,$(wildcard tests/torture/shim_*.c tests/contract/plugin_*.c)) \
            $(patsubst tests/%.cc,$(BUILD)/tests/%.so,$(wildcard tests/contract/plugin_*.cc))

.DEFAULT_GOAL := all
.PHONY: all docs help run test check-fast interop bench fuzz fuzz-build torture lint format install clean unit plugins san tests-build

all: $(BIN) $(PLUGIN_SO) $(STORE_SO) ## build the server and its plugins (build/bin, build/plugins)

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

# In a build with fault points only what has one is compiled anew; the rest is the plain build's.
PLAIN     := $(patsubst %-faults,%,$(BUILD))/obj
FAULT_SRC := $(if $(FAULTS),$(shell grep -rlE '(common|base)/fault\.h"|SS_FAULTS' --include='*.c' core plugins receivers enrichers modules))
obj = $(patsubst %.c,$(O)/%.o,$(if $(FAULTS),$(filter $(FAULT_SRC),$(1)),$(1))) $(if $(FAULTS),$(patsubst %.c,$(PLAIN)/%.o,$(filter-out $(FAULT_SRC),$(1))))

# The hot path: what runs for each event.
HOT := core/event receivers/matomo receivers/events receivers/game plugins/common enrichers/privacy enrichers/geoip enrichers/bots enrichers/shape
OBJ_DIRS := $(sort $(O) $(PLAIN))
$(foreach o,$(OBJ_DIRS),$(foreach d,$(HOT),$(eval $(o)/$(d)/%.o: OPTIMISE := $(if $(DEBUG),-O0,-O3) -g)))

define compile_rule
$(1)/%.o: %.c
	@mkdir -p $$(@D)
	$$(call say,compile)
	$$(Q)$$(CC) $$(CPPFLAGS) $$(CFLAGS) -MMD -MP -c $$< -o $$@
endef
$(foreach o,$(OBJ_DIRS),$(eval $(call compile_rule,$(o))))

# It holds the default configuration.
$(PLAIN)/core/cli/init.o: config/streamsteam.yaml

$(CORE_LIB): $(call obj,$(CORE_SRC))
$(COMMON_LIB): $(call obj,$(COMMON_SRC))
$(TESTKIT_LIB): $(call obj,$(TESTKIT_SRC))
$(VERIFY_LIB): $(call obj,$(VERIFY_SRC))
$(BUILD)/lib/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)ar rcs $@ $^

$(BIN): $(call obj,core/cli/main.c) $(CORE_LIB) $(VERIFY_LIB) $(TESTKIT_LIB) $(COMMON_LIB)
	@mkdir -p $(@D)
	$(call say,link   )
	$(Q)$(CC) $(CFLAGS) -fPIE -pie -o $@ $< -Wl,--start-group $(CORE_LIB) $(VERIFY_LIB) $(TESTKIT_LIB) $(COMMON_LIB) -Wl,--end-group $(LDFLAGS) $(CORE_LIBS)

# One shared object per plugin folder: nothing of the server is linked, only plugins/common.
define plugin_rule
$(BUILD)/plugins/$(1).so: $(call obj,$(wildcard $(2)/*.c)) $(COMMON_LIB)
	@mkdir -p $$(@D)
	$$(call say,plugin )
	$$(Q)$(CC) $(CFLAGS) -shared -o $$@ $(call obj,$(wildcard $(2)/*.c)) $(COMMON_LIB) $(LDFLAGS) \
	    $$(if $$(SAN),,-Wl,-z,defs) -Wl,--exclude-libs,ALL $$(LIBS_$(1)) -lm
endef
$(foreach p,$(RECEIVERS),$(eval $(call plugin_rule,$(p),receivers/$(p:receiver-%=%))))
$(foreach p,$(ENRICHERS),$(eval $(call plugin_rule,$(p),enrichers/$(p:enricher-%=%))))
$(foreach p,$(MODULES),$(eval $(call plugin_rule,$(p),modules/$(p:module-%=%))))
plugins: $(PLUGIN_SO)

# The application store on DynamoDB: loaded where the configuration asks for it, for its HTTP client.
$(STORE_SO): $(call obj,$(wildcard core/admin/dynamodb/*.c) core/admin/store_text.c) $(COMMON_LIB)
	@mkdir -p $(@D)
	$(call say,plugin )
	$(Q)$(CC) $(CFLAGS) -shared -o $@ $^ $(LDFLAGS) $(if $(SAN),,-Wl,-z,defs) -Wl,--exclude-libs,ALL -lcurl -lcrypto -ljansson -lm

# A unit test may name plugin sources that it tests from inside: // with: receivers/matomo/time.c
# and the libraries that they need: // libs: -lz
$(BUILD)/tests/test_%: tests/unit/test_%.c $(CORE_LIB) $(COMMON_LIB) $(TESTKIT_LIB)
	@mkdir -p $(@D)
	$(call say,link   )
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -o $@ $< $$(sed -n 's,^// with: ,,p' $<) -Wl,--start-group $(TESTKIT_LIB) $(CORE_LIB) \
	    $(COMMON_LIB) -Wl,--end-group $(LDFLAGS) $(CORE_LIBS) $$(sed -n 's,^// libs: ,,p' $<)
unit: $(UNIT_BIN)

# A Kafka cluster of librdkafka's mock brokers.
$(BUILD)/tests/kafka_cluster: tests/fakes/kafka_cluster.c
	@mkdir -p $(@D)
	$(call say,link   )
	$(Q)$(CC) $(CPPFLAGS) $(filter-out -fsanitize=%,$(CFLAGS)) -o $@ $< $(filter-out -fsanitize=%,$(LDFLAGS)) -lrdkafka -lpthread

# What the interop tests feed with lines.
$(BUILD)/tests/device_lines: tests/interop/device_lines.c $(COMMON_LIB)
	@mkdir -p $(@D)
	$(call say,link   )
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -o $@ $< $$(sed -n 's,^// with: ,,p' $<) $(COMMON_LIB) $(LDFLAGS) \
	    $$(sed -n 's,^// libs: ,,p' $<) -lm
$(BUILD)/tests/game_lines: tests/interop/game_lines.c $(wildcard receivers/game/*.[ch]) $(CORE_LIB) $(COMMON_LIB) $(TESTKIT_LIB)
	@mkdir -p $(@D)
	$(call say,link   )
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -o $@ $< $$(sed -n 's,^// with: ,,p' $<) -Wl,--start-group $(TESTKIT_LIB) $(CORE_LIB) \
	    $(COMMON_LIB) -Wl,--end-group $(LDFLAGS) $(CORE_LIBS)

$(BUILD)/tests/%.so: tests/%.c include/streamsteam/plugin.h
	@mkdir -p $(@D)
	$(call say,plugin )
	$(Q)$(CC) $(CPPFLAGS) $(filter-out -fvisibility=hidden,$(CFLAGS)) -shared -o $@ $< $(LDFLAGS) -ldl -lpthread
$(BUILD)/tests/%.so: tests/%.cc tests/contract/hostile.h include/streamsteam/plugin.h
	@mkdir -p $(@D)
	$(call say,plugin )
	$(Q)$(CXX) $(CPPFLAGS) -std=c++17 -fPIC $(OPTIMISE) -Wall -Wextra $(SANFLAGS) -shared -o $@ $< $(LDFLAGS) -lpthread
# Shims are loaded into programs without a sanitizer's runtime, too; what hostile plugins do shall happen, not be reported.
$(BUILD)/tests/torture/shim_%.so $(BUILD)/tests/contract/plugin_hostile_%.so: SANFLAGS :=
tests-build: all unit $(TEST_SO) $(BUILD)/tests/kafka_cluster

# Fuzz targets need clang and FUZZ=1, which recompiles the code with coverage: make FUZZ=1 CC=clang SAN=address,undefined
$(BUILD)/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(CORE_LIB) $(COMMON_LIB) $(TESTKIT_LIB)
	@mkdir -p $(@D)
	$(call say,link   )
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -fsanitize=fuzzer -o $@ $< $$(sed -n 's,^// with: ,,p' $<) -Wl,--start-group $(TESTKIT_LIB) $(CORE_LIB) \
	    $(COMMON_LIB) -Wl,--end-group $(LDFLAGS) $(CORE_LIBS) $$(sed -n 's,^// libs: ,,p' $<)
fuzz-build: $(FUZZ_BIN)

# ---- for people --------------------------------------------------------------------------------------
# Set-up first, then make again: what the set-up installs decides how things are built.
run: ## install what is missing, build, serve on http://127.0.0.1:8080
	@packaging/setup.sh build
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@exec $(BIN) serve -c config/streamsteam.yaml --hints

test: ## install what is missing, build, run every test; last line: N passed, N failed
	@packaging/setup.sh build test
	@$(MAKE) --no-print-directory -j$$(nproc) tests-build
	@$(MAKE) --no-print-directory -j$$(nproc) FAULTS=1 all
	@python3 tests/run.py --build $(BUILD)

check-fast: tests-build ## the unit and house tests only
	@python3 tests/run.py --build $(BUILD) --only unit --only house

interop: ## the tests against real clients and servers from the package registries
	@packaging/setup.sh build test interop
	@$(MAKE) --no-print-directory -j$$(nproc) all $(BUILD)/tests/device_lines $(BUILD)/tests/game_lines $(BUILD)/tests/kafka_cluster
	@python3 tests/interop/run_interop.py --build $(BUILD)

bench: ## the comparison table (nginx and wrk from Debian)
	@packaging/setup.sh build bench
	@$(MAKE) --no-print-directory -j$$(nproc) all $(BUILD)/bench/warehouse $(BUILD)/bench/s3_put $(BUILD)/tests/kafka_cluster
	@python3 tests/bench/bench.py --build $(BUILD) $(BENCH_ARGS)

$(BUILD)/bench/s3_put: BENCH_LIBS := -lcurl
$(BUILD)/bench/%: tests/bench/%.c $(CORE_LIB) $(COMMON_LIB)
	@mkdir -p $(@D)
	$(call say,link   )
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -o $@ $< -Wl,--start-group $(CORE_LIB) $(COMMON_LIB) -Wl,--end-group $(LDFLAGS) $(CORE_LIBS) $(BENCH_LIBS)

.PHONY: instructions
instructions: ## user instructions per event, counted by valgrind
	@packaging/setup.sh build bench
	@$(MAKE) --no-print-directory -j$$(nproc) all $(BUILD)/bench/drive
	@python3 tests/bench/instructions.py --build $(BUILD)

san: ## every test under AddressSanitizer and UBSan, then under ThreadSanitizer
	@packaging/setup.sh build test
	@for san in address,undefined thread; do \
	    $(MAKE) --no-print-directory SAN=$$san tests-build && \
	    $(MAKE) --no-print-directory SAN=$$san FAULTS=1 all && \
	    python3 tests/run.py --build build-san-$$(echo $$san | tr , -) || exit 1; done

FUZZ_SECONDS ?= 600
fuzz: ## run each fuzz target for FUZZ_SECONDS (600)
	@packaging/setup.sh build fuzz
	@$(MAKE) --no-print-directory CC=clang FUZZ=1 SAN=address,undefined fuzz-build
	@tests/fuzz/run.sh build-san-address-undefined-fuzz/fuzz $(FUZZ_SECONDS)

torture: ## the long crash test: 1,000 kills, with and without dropping what was not synced
	@packaging/setup.sh build test
	@$(MAKE) --no-print-directory -j$$(nproc) tests-build
	@$(MAKE) --no-print-directory -j$$(nproc) FAULTS=1 all
	@python3 tests/torture/crash.py --build $(BUILD) --kills 1000
	@python3 tests/torture/crash.py --build $(BUILD) --kills 1000 --drop-unsynced

# tests/abi has headers and samples as they were published.
SOURCES := $(shell find core plugins receivers enrichers modules include tests -name '*.[ch]' -not -path 'tests/abi/*' 2>/dev/null)
format: ## lay the sources out with clang-format
	@packaging/setup.sh lint
	@clang-format -i $(SOURCES)

lint: ## layout, warnings as errors with gcc and clang, static analysis
	@packaging/setup.sh build lint
	@clang-format --dry-run -Werror $(SOURCES)
	@$(MAKE) --no-print-directory BUILD=build-lint-gcc CC=gcc WERROR=1 tests-build
	@$(MAKE) --no-print-directory BUILD=build-lint-clang CC=clang WERROR=1 tests-build
	@cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr --enable=warning,performance,portability \
	    --suppress=missingIncludeSystem -I. -Iinclude core plugins receivers enrichers modules

docs: all ## the reference of every option, route and field into build/docs/reference, from the plugins themselves
	@mkdir -p $(BUILD)/docs/reference
	@set -e; cd $(BUILD); $(abspath $(BIN)) explain --markdown server > docs/reference/server.md; \
	for p in $(PLUGINS); do $(abspath $(BIN)) explain --markdown plugins/$$p.so > docs/reference/$$p.md; done; \
	{ printf '# Reference\n\n* [server](server.md)\n'; for p in $(sort $(PLUGINS)); do printf '* [%s](%s.md)\n' $$p $$p; done; } \
	    > docs/reference/README.md
	@echo "$(BUILD)/docs/reference/README.md"

TO      := $(DESTDIR)$(PREFIX)
abi      = $$(sed -n 's/.*SS_ABI_$(1) \([0-9]*\)u.*/\1/p' include/streamsteam/plugin.h)
install: all $(TESTKIT_LIB) ## into $(DESTDIR)$(PREFIX): server and plugins, and all that authors of plugins need
	install -d $(TO)/bin $(TO)/lib/streamsteam/plugins $(TO)/lib/pkgconfig $(TO)/include/streamsteam/sdk/plugins/common/aws \
	    $(TO)/share/streamsteam/templates $(TO)/etc/streamsteam
	install -m 755 $(BIN) $(TO)/bin
	install -m 644 $(PLUGIN_SO) $(TO)/lib/streamsteam/plugins
	install -m 644 $(STORE_SO) $(TO)/lib/streamsteam
	install -m 644 include/streamsteam/plugin.h plugins/sdk/testkit/testkit.h $(TO)/include/streamsteam
	install -m 644 plugins/common/*.h $(TO)/include/streamsteam/sdk/plugins/common
	install -m 644 $(filter-out %/client.h %/inside.h,$(wildcard plugins/common/aws/*.h)) $(TO)/include/streamsteam/sdk/plugins/common/aws
	install -m 644 $(TESTKIT_LIB) $(COMMON_LIB) $(TO)/lib
	install -m 644 plugins/sdk/plugin.mk $(TO)/share/streamsteam
	install -m 755 plugins/sdk/run.sh $(TO)/share/streamsteam
	cp -R plugins/sdk/templates/. $(TO)/share/streamsteam/templates
	[ -e $(TO)/etc/streamsteam/streamsteam.yaml ] || install -m 644 config/streamsteam.yaml $(TO)/etc/streamsteam
	install -d $(TO)/share/streamsteam/modes/parts $(TO)/lib/systemd/system $(TO)/lib/sysusers.d
	install -m 644 config/modes/*.yaml $(TO)/share/streamsteam/modes
	install -m 644 config/modes/parts/*.yaml $(TO)/share/streamsteam/modes/parts
	install -m 644 packaging/systemd/streamsteam.sysusers $(TO)/lib/sysusers.d/streamsteam.conf
	sed -e 's,@PREFIX@,$(PREFIX),g' packaging/systemd/streamsteam.service.in > $(TO)/lib/systemd/system/streamsteam.service
	sed -e 's,@VERSION@,$(VERSION),' -e "s,@ABI_MAJOR@,$(call abi,MAJOR)," -e "s,@ABI_MINOR@,$(call abi,MINOR)," \
	    packaging/streamsteam.pc.in > $(TO)/lib/pkgconfig/streamsteam.pc
	sed -e 's,@VERSION@,$(VERSION),' packaging/streamsteam-aws.pc.in > $(TO)/lib/pkgconfig/streamsteam-aws.pc

clean: ## remove everything built
	rm -rf build build-*

-include $(foreach d,$(wildcard $(OBJ_DIRS)),$(shell find $(d) -name '*.d'))
