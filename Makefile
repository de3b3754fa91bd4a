# Millrace: one makefile for everything. `make` needs no root once scripts/deps has run.
#   all check test long bench lint coverage fuzz install deb run web up down clean
#   make SAN=1 ... builds with ASan and UBSan into build/san, COV=1 with gcov into build/cov,
#   FUZZ=1 with clang's libFuzzer into build/fuzz; V=1 shows the commands

PREFIX ?= /usr
SYSCONFDIR ?= /etc
CC = gcc
CFLAGS ?= -O2 -g
WARN = -std=gnu11 -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wno-unused-parameter -Wformat=2
HARDEN = -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
B = build
LDHARDEN = -pie -Wl,-z,relro -Wl,-z,now -Wl,--as-needed

ifdef SAN
B = build/san
CFLAGS = -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
HARDEN =
LDHARDEN = -Wl,--as-needed
endif
ifdef COV
B = build/cov
CFLAGS = -O0 -g --coverage -fprofile-update=atomic
HARDEN =
LDHARDEN = -Wl,--as-needed
endif
ifdef FUZZ
B = build/fuzz
CC = clang
CFLAGS = -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
WARN := $(filter-out -Werror,$(WARN))
HARDEN =
LDHARDEN = -Wl,--as-needed
endif

ifndef V
Q = @
endif
PKGS = libevent_core jansson nettle yaml-0.1 hiredis libseccomp libcurl expat
# hiredis has TLS (rediss://) from Debian 13 on.
ifneq ($(shell pkg-config --exists hiredis_ssl openssl && echo yes),)
HIREDIS = -lhiredis -lhiredis_ssl -lssl -lcrypto
TLS = -DMILLRACE_REDIS_TLS
else
HIREDIS = -lhiredis
endif
ALL_CFLAGS = $(TLS) $(WARN) $(CFLAGS) $(HARDEN) -D_GNU_SOURCE -Ilib -I. -MMD -MP $(shell pkg-config --cflags $(PKGS))
LIBS = -levent_core -ljansson -lnettle -lm
RTC_LIBS = -lssl -lcrypto -lsrtp2

# Every folder is an archive without its main files; a program is its main plus what it pulls in.
MAINS = supervisor/main.c supervisor/cli_main.c supervisor/exec_main.c ingest/main.c \
	ingest/whip_main.c ingest/finish_main.c workers/http/main.c workers/registry/main.c workers/jobs/main.c workers/watch/main.c \
	workers/hooks/main.c workers/webrtc/main.c
ARCHIVES = lib rtc supervisor ingest workers/http workers/registry workers/jobs workers/watch workers/hooks workers/webrtc \
	workers/common
archive_src = $(filter-out $(MAINS),$(wildcard $(1)/*.c))
archive_lib = $(B)/obj/$(subst /,_,$(1)).a
obj = $(patsubst %.c,$(B)/obj/%.o,$(1))

PROGRAMS = $(B)/millraced $(B)/millrace $(addprefix $(B)/libexec/,millrace-exec millrace-ingest \
	millrace-whip millrace-finish millrace-http millrace-registry millrace-jobs millrace-watch millrace-hooks millrace-webrtc)
UNIT_SRC = $(wildcard t/unit/test_*.c)
UNIT = $(patsubst t/unit/%.c,$(B)/t/%,$(UNIT_SRC))
BENCH = $(patsubst t/bench/%.c,$(B)/t/bench/%,$(wildcard t/bench/*.c))

all: $(PROGRAMS) $(B)/t/bench/publish $(B)/t/bench/s3put $(B)/t/bench/rtcload

LIB = $(call archive_lib,lib)
$(B)/millraced: $(call obj,supervisor/main.c) $(call archive_lib,supervisor) $(LIB)
$(B)/millraced: LIBS += -lyaml
$(B)/millrace: $(call obj,supervisor/cli_main.c) $(call archive_lib,supervisor) $(LIB)
$(B)/millrace: LIBS += -lyaml
$(B)/libexec/millrace-exec: $(call obj,supervisor/exec_main.c) $(LIB)
$(B)/libexec/millrace-exec: LIBS += -lseccomp
$(B)/libexec/millrace-ingest: $(call obj,ingest/main.c) $(call archive_lib,ingest) $(LIB)
$(B)/libexec/millrace-ingest: LIBS += -lhttp_parser -lwslay
$(B)/libexec/millrace-whip: $(call obj,ingest/whip_main.c) $(call archive_lib,ingest) $(call archive_lib,rtc) $(LIB)
$(B)/libexec/millrace-whip: LIBS += $(RTC_LIBS) -lhttp_parser -lwslay
$(B)/libexec/millrace-finish: $(call obj,ingest/finish_main.c) $(call archive_lib,ingest) $(LIB)
$(B)/libexec/millrace-http: $(call obj,workers/http/main.c) $(call archive_lib,workers/http) \
	$(call archive_lib,workers/common) $(LIB)
$(B)/libexec/millrace-http: LIBS += -lhttp_parser
$(B)/libexec/millrace-registry: $(call obj,workers/registry/main.c) $(call archive_lib,workers/registry) \
	$(call archive_lib,workers/common) $(LIB)
$(B)/libexec/millrace-registry: LIBS += $(HIREDIS)
$(B)/libexec/millrace-jobs: $(call obj,workers/jobs/main.c) $(call archive_lib,workers/jobs) \
	$(call archive_lib,workers/common) $(LIB)
$(B)/libexec/millrace-jobs: LIBS += $(HIREDIS) -lcurl -lexpat
$(B)/libexec/millrace-watch: $(call obj,workers/watch/main.c) $(call archive_lib,workers/watch) \
	$(call archive_lib,workers/common) $(LIB)
$(B)/libexec/millrace-watch: LIBS += $(HIREDIS)
$(B)/libexec/millrace-hooks: $(call obj,workers/hooks/main.c) $(call archive_lib,workers/hooks) \
	$(call archive_lib,workers/common) $(LIB)
$(B)/libexec/millrace-hooks: LIBS += $(HIREDIS) -lcurl
$(B)/libexec/millrace-webrtc: $(call obj,workers/webrtc/main.c) $(call archive_lib,workers/webrtc) \
	$(call archive_lib,workers/common) $(call archive_lib,rtc) $(LIB)
$(B)/libexec/millrace-webrtc: LIBS += $(RTC_LIBS) -lhttp_parser -lwslay

$(PROGRAMS):
	@mkdir -p $(@D); echo "  LD $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(LDHARDEN) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS)

$(B)/obj/%.o: %.c
	@mkdir -p $(@D); echo "  CC $@"
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

define archive_rule
$(call archive_lib,$(1)): $(call obj,$(call archive_src,$(1)))
	@mkdir -p $$(@D); rm -f $$@
	$$(Q)$(AR) rcs $$@ $$^
endef
$(foreach d,$(ARCHIVES),$(eval $(call archive_rule,$(d))))

# Unit tests may reach into every folder; cmocka prints TAP. Some have a WebRTC client of their own.
UNIT_LIBS = $(foreach d,supervisor ingest workers/http workers/registry workers/jobs workers/watch workers/hooks workers/webrtc workers/common rtc lib,$(call archive_lib,$(d)))
$(B)/t/%: t/unit/%.c $(UNIT_LIBS)
	@mkdir -p $(@D); echo "  LD $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(LDHARDEN) -o $@ $< $(filter %.o,$^) $(UNIT_LIBS) $(LIBS) -lyaml $(HIREDIS) -lhttp_parser -lwslay -lcurl -lexpat $(RTC_LIBS) -lcmocka
$(B)/t/test_rtc_peer $(B)/t/test_rtc_ice $(B)/t/test_rtc_tcp: $(call obj,t/lib/rtc_client.c)

# Load generators of `make bench` and the tests; s3put is the upload engine by itself.
$(B)/t/bench/s3put: $(call archive_lib,workers/jobs) $(call archive_lib,workers/common)
$(B)/t/bench/s3put: LIBS := $(call archive_lib,workers/jobs) $(call archive_lib,workers/common) $(LIB) $(LIBS) -lcurl -lexpat
$(B)/t/bench/queue: $(call archive_lib,workers/common)
$(B)/t/bench/queue: LIBS := $(call archive_lib,workers/common) $(LIB) $(LIBS) $(HIREDIS)
RTC_TEST = $(call obj,t/lib/rtc_client.c) $(call archive_lib,rtc)
$(B)/t/bench/rtcload: $(RTC_TEST)
$(B)/t/bench/rtcload: LIBS := $(RTC_TEST) $(LIB) $(LIBS) $(RTC_LIBS)
$(B)/t/bench/%: t/bench/%.c $(LIB)
	@mkdir -p $(@D); echo "  LD $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(LDHARDEN) -o $@ $< $(LIB) $(LIBS)

unit: $(UNIT)
bench-build: $(BENCH)

# libFuzzer targets; scripts/fuzz builds (FUZZ=1) and runs them.
FUZZERS = $(patsubst t/fuzz/%.c,$(B)/fuzz/%,$(wildcard t/fuzz/*.c))
$(B)/fuzz/%: t/fuzz/%.c $(UNIT_LIBS)
	@mkdir -p $(@D); echo "  LD $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(LDHARDEN) -fsanitize=fuzzer -o $@ $< $(UNIT_LIBS) $(LIBS) -lyaml $(HIREDIS) -lhttp_parser -lwslay -lcurl -lexpat $(RTC_LIBS)
fuzz-build: $(FUZZERS)
fuzz:
	scripts/fuzz

check: lint
	scripts/test -s
test:
	scripts/test
long:
	scripts/test -l
lint:
	scripts/lint
run:
	scripts/run
coverage:
	scripts/coverage
deb:
	scripts/deb
up down:
	scripts/container $@
bench:
	scripts/deps bench
	$(MAKE) all bench-build
	scripts/bench

# hls.js for browsers without HLS of their own: its npm package, unpacked. Nothing else needs npm.
HLS_JS = hls.js@1
web: web/vendor/hls.min.js
web/vendor/hls.min.js:
	@command -v npm >/dev/null || { echo "make web: npm is missing: apt-get install npm" >&2; exit 1; }
	rm -rf $(B)/web && mkdir -p $(B)/web $(@D)
	cd $(B)/web && npm pack --silent $(HLS_JS) && tar -xzf *.tgz package/dist/hls.min.js package/LICENSE
	cp $(B)/web/package/LICENSE $(@D)/hls.LICENSE
	cp $(B)/web/package/dist/hls.min.js $@.new && mv $@.new $@

# An existing config is never overwritten.
D = $(DESTDIR)
I = install -D -m
install: all
	$(I) 755 $(B)/millraced $(D)$(PREFIX)/sbin/millraced
	$(I) 755 $(B)/millrace $(D)$(PREFIX)/bin/millrace
	for f in $(notdir $(filter $(B)/libexec/%,$(PROGRAMS))); do \
		$(I) 755 $(B)/libexec/$$f $(D)$(PREFIX)/libexec/millrace/$$f || exit 1; done
	$(I) 755 etc/millrace-sweep $(D)$(PREFIX)/libexec/millrace/millrace-sweep
	for f in $$(cd web && find . -type f | cut -c3-); do \
		$(I) 644 web/$$f $(D)$(PREFIX)/share/millrace/web/$$f || exit 1; done
	for f in man/*.[1-8]; do \
		$(I) 644 $$f $(D)$(PREFIX)/share/man/man$${f##*.}/$${f#man/} || exit 1; done
	$(I) 644 etc/millrace.bash-completion $(D)$(PREFIX)/share/bash-completion/completions/millrace
	$(I) 644 etc/millrace.yaml $(D)$(PREFIX)/share/doc/millrace/millrace.yaml
	$(I) 644 README.md $(D)$(PREFIX)/share/doc/millrace/README.md
	$(I) 644 etc/prometheus-rules.yml $(D)$(PREFIX)/share/doc/millrace/prometheus-rules.yml
	$(I) 644 etc/grafana-dashboard.json $(D)$(PREFIX)/share/doc/millrace/grafana-dashboard.json
	$(I) 644 LICENSE $(D)$(PREFIX)/share/doc/millrace/copyright
	[ -e $(D)$(SYSCONFDIR)/millrace/millrace.yaml ] || \
		$(I) 640 etc/millrace.yaml $(D)$(SYSCONFDIR)/millrace/millrace.yaml
	[ -e $(D)$(SYSCONFDIR)/default/millrace ] || \
		$(I) 644 etc/default $(D)$(SYSCONFDIR)/default/millrace
	$(I) 644 etc/logrotate $(D)$(SYSCONFDIR)/logrotate.d/millrace
	$(I) 755 scripts/millrace.init $(D)$(SYSCONFDIR)/init.d/millrace
	$(I) 644 etc/millrace.service $(D)$(PREFIX)/lib/systemd/system/millrace.service
	sed -i 's,/usr/\(sbin\|bin\|libexec\)/,$(PREFIX)/\1/,; s,/etc/,$(SYSCONFDIR)/,' \
		$(D)$(SYSCONFDIR)/init.d/millrace $(D)$(PREFIX)/lib/systemd/system/millrace.service

-include $(shell find $(B)/obj $(B)/t $(B)/fuzz -type f -name '*.d' 2>/dev/null)

clean:
	rm -rf build

.PHONY: all unit bench-build fuzz-build fuzz check test long lint run coverage deb up down bench web install clean
