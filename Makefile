# Millrace: one makefile for everything. `make` needs no root once scripts/deps has run.
#   all check test bench lint coverage fuzz install deb run web clean
#   make SAN=1 ... builds with ASan and UBSan into build/san, COV=1 with gcov into build/cov

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

PKGS = libevent_core jansson nettle yaml-0.1 hiredis libseccomp
ALL_CFLAGS = $(WARN) $(CFLAGS) $(HARDEN) -D_GNU_SOURCE -Ilib -I. -MMD -MP $(shell pkg-config --cflags $(PKGS))
LIBS = -levent_core -ljansson -lnettle

# Every folder is an archive without its main files; a program is its main plus what it pulls in.
MAINS = supervisor/main.c supervisor/cli_main.c supervisor/exec_main.c ingest/main.c \
	ingest/finish_main.c workers/http/main.c workers/registry/main.c
ARCHIVES = lib supervisor ingest workers/http workers/registry workers/common
archive_src = $(filter-out $(MAINS),$(wildcard $(1)/*.c))
archive_lib = $(B)/obj/$(subst /,_,$(1)).a
obj = $(patsubst %.c,$(B)/obj/%.o,$(1))

PROGRAMS = $(B)/millraced $(B)/millrace $(addprefix $(B)/libexec/,millrace-exec millrace-ingest \
	millrace-finish millrace-http millrace-registry)
UNIT_SRC = $(wildcard t/unit/test_*.c)
UNIT = $(patsubst t/unit/%.c,$(B)/t/%,$(UNIT_SRC))
BENCH = $(patsubst t/bench/%.c,$(B)/t/bench/%,$(wildcard t/bench/*.c))

all: $(PROGRAMS) $(B)/t/bench/publish

LIB = $(call archive_lib,lib)
$(B)/millraced: $(call obj,supervisor/main.c) $(call archive_lib,supervisor) $(LIB)
$(B)/millraced: LIBS += -lyaml
$(B)/millrace: $(call obj,supervisor/cli_main.c) $(call archive_lib,supervisor) $(LIB)
$(B)/millrace: LIBS += -lyaml
$(B)/libexec/millrace-exec: $(call obj,supervisor/exec_main.c) $(LIB)
$(B)/libexec/millrace-exec: LIBS += -lseccomp
$(B)/libexec/millrace-ingest: $(call obj,ingest/main.c) $(call archive_lib,ingest) $(LIB)
$(B)/libexec/millrace-finish: $(call obj,ingest/finish_main.c) $(call archive_lib,ingest) $(LIB)
$(B)/libexec/millrace-http: $(call obj,workers/http/main.c) $(call archive_lib,workers/http) $(LIB)
$(B)/libexec/millrace-http: LIBS += -lhttp_parser
$(B)/libexec/millrace-registry: $(call obj,workers/registry/main.c) $(call archive_lib,workers/registry) \
	$(call archive_lib,workers/common) $(LIB)
$(B)/libexec/millrace-registry: LIBS += -lhiredis

$(PROGRAMS):
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDHARDEN) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS)

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

define archive_rule
$(call archive_lib,$(1)): $(call obj,$(call archive_src,$(1)))
	@mkdir -p $$(@D); rm -f $$@
	$(AR) rcs $$@ $$^
endef
$(foreach d,$(ARCHIVES),$(eval $(call archive_rule,$(d))))

# Unit tests may reach into every folder; cmocka prints TAP.
UNIT_LIBS = $(foreach d,supervisor ingest workers/http workers/registry workers/common lib,$(call archive_lib,$(d)))
$(B)/t/%: t/unit/%.c $(UNIT_LIBS)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDHARDEN) -o $@ $< $(UNIT_LIBS) $(LIBS) -lyaml -lhiredis -lhttp_parser -lcmocka

# Load generators of `make bench` and the tests.
$(B)/t/bench/%: t/bench/%.c $(LIB)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDHARDEN) -o $@ $< $(LIB) $(LIBS)

unit: $(UNIT)

-include $(shell find $(B) -name '*.d' 2>/dev/null)

clean:
	rm -rf build

.PHONY: all unit clean
