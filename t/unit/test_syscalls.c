/* syscalls.c: a process that gave them up gets EPERM, and does all else as before; only WHIP's may ask for interfaces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <ifaddrs.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "syscalls.h"

#define REFUSED(call) (errno = 0, (call) == -1 && errno == EPERM)
#if defined(__SANITIZE_ADDRESS__)
#define LEAK_CHECK true		/* it needs ptrace */
#else
#define LEAK_CHECK false
#endif
#define NUMBER(name) { #name, SYS_##name },

static const struct { const char *name; long number; } denied[] = {
	SYSCALLS_NETWORK(NUMBER) SYSCALLS_SIGNALS(NUMBER) SYSCALLS_NOBODYS(NUMBER)
	{ "execve", SYS_execve }, { "execveat", SYS_execveat },
};

/* 0, or which one was let through: in a process of its own, which stays as it is. */
static const char *
plain(void)
{
	struct rlimit r;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == -1)
		return "socketpair";
	if (syscalls_restrict(false) == -1)
		return "syscalls_restrict";
	for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++)
		if (!REFUSED(syscall(denied[i].number, -1, 0, 0, 0, 0, 0)) &&
		    !(LEAK_CHECK && denied[i].number == SYS_ptrace))
			return denied[i].name;
	if (!REFUSED(socket(AF_NETLINK, SOCK_RAW, 0)) || !REFUSED(socket(AF_UNIX, SOCK_STREAM, 0)))
		return "socket of a family";
	if (!REFUSED(syscall(SYS_tgkill, getppid(), getppid(), 0)) || !REFUSED(syscall(SYS_prlimit64, getppid(), 0, 0, 0)))
		return "somebody else";
	if (syscall(SYS_tgkill, getpid(), gettid(), 0) == -1 || getrlimit(RLIMIT_NOFILE, &r) == -1)
		return "itself, refused";
	if (send(pair[0], "x", 1, 0) != 1 || recv(pair[1], &r, sizeof(r), 0) != 1)
		return "its own sockets, refused";
#if defined(__x86_64__)
	if (!REFUSED(syscall(0x40000000 | SYS_getpid)))
		return "x32";
#endif
	return NULL;
}

static const char *
interfaces(void)
{
	struct ifaddrs *all = NULL;

	if (syscalls_restrict(true) == -1)
		return "syscalls_restrict";
	if (getifaddrs(&all) == -1 || all == NULL)
		return "getifaddrs, refused";
	freeifaddrs(all);
	if (!REFUSED(socket(AF_UNIX, SOCK_SEQPACKET, 0)) || !REFUSED(socket(AF_INET, SOCK_DGRAM, 0)) ||
	    !REFUSED(socket(AF_NETLINK, SOCK_RAW, 4)) || !REFUSED(connect(0, NULL, 0)))
		return "another socket";
	return NULL;
}

static void
run(const char *(*box)(void))
{
	char *said = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		const char *text = box();

		snprintf(said, 4096, "%s", text != NULL ? text : "");
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_string_equal(said, "");
	munmap(said, 4096);
}

static void
of_an_ingest(void **state)
{
	run(plain);
}

static void
of_whip(void **state)
{
	run(interfaces);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(of_an_ingest), cmocka_unit_test(of_whip) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
