/*
 * exec_main.c - millrace-exec PROFILE DIR|- [OPTION ..] -- PROGRAM ARG..: limits and
 * sandboxes itself, then becomes PROGRAM, same pid. posix_spawn can set none of this.
 *
 * Profiles: "ffmpeg" (reads its stdin, cuts a stream: no network, no signals to others),
 * "convert" (the same for a stranger's file, behind everything live), "push" (may connect, but to
 * no UNIX socket: those of run_dir are its account's, too), "redis" (the embedded server). Each
 * writes in DIR only ("-": nowhere).
 * Options: memory=BYTES of address space, write=DIR a second folder, read=FILE that it may read
 * besides (two at most), fsize=BYTES of a file it writes, parent=PID without which it is killed.
 * All: no new privileges, no core, landlock where the kernel has it, a seccomp filter of
 * what neither program needs. Denied calls give EPERM, so that a program can say so.
 * It prints one line and exits 127 if PROGRAM can't be started, 126 if it can't be locked in.
 */
#include <errno.h>
#include <limits.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "landlock.h"
#include "syscalls.h"
#include "util.h"

#define EXIT_NOT_LOCKED 126
#define EXIT_NOT_FOUND 127
#define RULES_MAX 40
#define READABLE_MAX 2

struct profile {
	const char *name;
	bool network;	/* sockets beyond those it inherits */
	bool local;	/* of AF_UNIX, too */
	bool kill;	/* may signal others */
	rlim_t files;
	int nice;
};

static const struct profile profiles[] = {
	{ "ffmpeg", false, false, false, 64, 0 },
	{ "convert", false, false, false, 64, 10 },
	{ "push", true, false, false, 64, 0 },
	{ "redis", true, true, true, 1200, 0 },
};

/* What the command line asks for besides. */
struct options {
	const char *second, *readable[READABLE_MAX];	/* write=, read= */
	unsigned long long memory, fsize;
	pid_t parent;
};

static void
die(int code, const char *what, const char *which)
{
	fprintf(stderr, "millrace-exec: %s %s: %s\n", what, which, strerror(errno));
	exit(code);
}

static const struct profile *
find_profile(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++)
		if (strcmp(profiles[i].name, name) == 0)
			return &profiles[i];
	errno = EINVAL;
	die(EXIT_NOT_LOCKED, "profile", name);
	return NULL;
}

static void
set_limit(enum __rlimit_resource what, rlim_t value)
{
	struct rlimit r;

	if (getrlimit(what, &r) == -1)
		return;
	if (r.rlim_max != RLIM_INFINITY && r.rlim_max < value)
		value = r.rlim_max;
	r.rlim_cur = r.rlim_max = value;
	if (setrlimit(what, &r) == -1)
		die(EXIT_NOT_LOCKED, "cannot limit", "resources");
}

/* The program's own folder and a lib beside it: ffmpeg.path may point to /opt/x/bin. */
static int
own_folders(const char *program, char dirs[2][PATH_MAX], struct landlock_rule *rules)
{
	char *slash;

	if (realpath(program, dirs[0]) == NULL)
		return 0;
	slash = strrchr(dirs[0], '/');
	if (slash == NULL || slash == dirs[0])
		return 0;
	*slash = '\0';
	rules[0] = (struct landlock_rule){ dirs[0], false, true };
	snprintf(dirs[1], PATH_MAX, "%.*s/../lib", PATH_MAX - 8, dirs[0]);
	rules[1] = (struct landlock_rule){ dirs[1], false, true };
	return 2;
}

/* Names, and certificates for rtmps. */
static int
network_files(struct landlock_rule *rules)
{
	static const struct landlock_rule network_rules[] = {
		{ "/etc/resolv.conf", false, false }, { "/etc/hosts", false, false },
		{ "/etc/host.conf", false, false }, { "/etc/nsswitch.conf", false, false },
		{ "/etc/gai.conf", false, false }, { "/etc/ssl", false, false },
		{ "/run/systemd/resolve", false, false },
	};

	memcpy(rules, network_rules, sizeof(network_rules));
	return sizeof(network_rules) / sizeof(network_rules[0]);
}

static void
lock_files(const struct profile *p, const char *program, const char *writable, const struct options *o)
{
	static const struct landlock_rule system_rules[] = {
		{ "/usr", false, true }, { "/lib", false, true }, { "/lib64", false, true },
		{ "/bin", false, true }, { "/etc/ld.so.cache", false, false },
		{ "/etc/alternatives", false, false }, { "/etc/localtime", false, false },
		{ "/dev/null", true, false }, { "/dev/urandom", false, false },
		{ "/proc/self", false, false }, { "/proc/meminfo", false, false },
		{ "/proc/cpuinfo", false, false }, { "/proc/sys/vm", false, false },
		{ "/proc/sys/net/core", false, false },
		{ "/sys/devices/system/cpu", false, false },
		{ "/sys/kernel/mm/transparent_hugepage", false, false },
	};
	struct landlock_rule rules[RULES_MAX] = { { NULL, false, false } };
	char own[2][PATH_MAX];
	int n = sizeof(system_rules) / sizeof(system_rules[0]);

	memcpy(rules, system_rules, sizeof(system_rules));
	n += own_folders(program, own, rules + n);
	if (p->network)
		n += network_files(rules + n);
	if (strcmp(writable, "-") != 0)
		rules[n++] = (struct landlock_rule){ writable, true, false };
	if (o->second != NULL)
		rules[n++] = (struct landlock_rule){ o->second, true, false };
	for (int i = 0; i < READABLE_MAX && o->readable[i] != NULL; i++)
		rules[n++] = (struct landlock_rule){ o->readable[i], false, false };
	rules[n].path = NULL;
	if (landlock_restrict(rules) == -1)
		die(EXIT_NOT_LOCKED, "landlock for", program);
}

static int
deny(scmp_filter_ctx filter, const int *calls, size_t n)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < n && rc == 0; i++)
		rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), calls[i], 0);
	return rc;
}

#define NUMBER(name) SCMP_SYS(name),

static void
filter_calls(const struct profile *p)
{
	static const int always[] = { SYSCALLS_NOBODYS(NUMBER) };
	static const int network[] = { SYSCALLS_NETWORK(NUMBER) };
	static const int signals[] = { SYSCALLS_SIGNALS(NUMBER) };
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int rc = filter == NULL ? -ENOMEM : 0;

	if (rc == 0)
		rc = deny(filter, always, sizeof(always) / sizeof(always[0]));
	if (rc == 0 && !p->network)
		rc = deny(filter, network, sizeof(network) / sizeof(network[0]));
	if (rc == 0 && p->network && !p->local)
		rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1,
		    SCMP_A0_32(SCMP_CMP_EQ, AF_UNIX));
	if (rc == 0 && !p->kill)
		rc = deny(filter, signals, sizeof(signals) / sizeof(signals[0]));
	/* a program may abort(), and ask for its own limits */
	if (rc == 0 && !p->kill)
		rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(tgkill), 1,
		    SCMP_A0(SCMP_CMP_NE, (scmp_datum_t)getpid()));
	if (rc == 0 && !p->kill)
		rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prlimit64), 1,
		    SCMP_A0(SCMP_CMP_NE, 0));
	if (rc == 0)
		rc = seccomp_load(filter);
	errno = -rc;
	if (rc != 0)
		die(EXIT_NOT_LOCKED, "seccomp for", p->name);
	seccomp_release(filter);
}

/* The index of "--", or argc. */
static int
parse_options(int argc, char **argv, struct options *o)
{
	int i;

	memset(o, 0, sizeof(*o));
	for (i = 3; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strncmp(argv[i], "memory=", 7) == 0)
			o->memory = strtoull(argv[i] + 7, NULL, 10);
		else if (strncmp(argv[i], "write=", 6) == 0)
			o->second = argv[i] + 6;
		else if (strncmp(argv[i], "read=", 5) == 0)
			o->readable[o->readable[0] != NULL] = argv[i] + 5;
		else if (strncmp(argv[i], "fsize=", 6) == 0)
			o->fsize = strtoull(argv[i] + 6, NULL, 10);
		else if (strncmp(argv[i], "parent=", 7) == 0)
			o->parent = atoi(argv[i] + 7);
	return i;
}

/* A push that nobody knows of would be a second one when it is begun again. */
static void
die_with(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1)
		die(EXIT_NOT_LOCKED, "cannot die with", "its parent");
	if (getppid() != parent)	/* it was gone before that */
		exit(EXIT_NOT_LOCKED);
}

int
main(int argc, char **argv)
{
	const struct profile *p;
	struct options o;
	const char *program;
	char path[PATH_MAX];
	int i = parse_options(argc, argv, &o);

	if (i + 1 >= argc) {
		fprintf(stderr, "usage: millrace-exec ffmpeg|convert|push|redis DIR|- [OPTION=VALUE ...] "
		    "-- PROGRAM [ARG ...]\n");
		return EXIT_NOT_LOCKED;
	}
	p = find_profile(argv[1]);
	/* Before the sandbox, so that the program's own folder can be allowed. */
	program = program_find(argv[i + 1], path, sizeof(path));
	if (program == NULL)
		die(EXIT_NOT_FOUND, "cannot find", argv[i + 1]);
	set_limit(RLIMIT_CORE, 0);
	set_limit(RLIMIT_NOFILE, p->files);
	if (p->nice != 0 && setpriority(PRIO_PROCESS, 0, p->nice) == -1)
		die(EXIT_NOT_LOCKED, "nice for", program);
	if (o.parent != 0)
		die_with(o.parent);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		die(EXIT_NOT_LOCKED, "no_new_privs for", program);
	lock_files(p, program, argv[2], &o);
	filter_calls(p);
	if (o.fsize > 0)
		set_limit(RLIMIT_FSIZE, (rlim_t)o.fsize);
	if (o.memory > 0)	/* last: it is meant for the program, not for us */
		set_limit(RLIMIT_AS, (rlim_t)o.memory);
	execv(program, argv + i + 1);
	die(EXIT_NOT_FOUND, "cannot start", program);
}
