/*
 * syscalls.c - a seccomp filter for an ingest (contract in syscalls.h), written by hand: each publisher
 * is a process, and this costs it 0.1 ms; with libseccomp it were twice that, and a library more to load.
 *
 * Called at the start of millrace-ingest and millrace-whip. Keeps nothing.
 */
#include "syscalls.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#elif defined(__arm__)
#define NATIVE AUDIT_ARCH_ARM
#elif defined(__riscv) && __riscv_xlen == 64
#define NATIVE AUDIT_ARCH_RISCV64
#else
#error "which AUDIT_ARCH_ is this? It must have no socketcall(2), whose arguments a filter cannot see"
#endif
#define NUMBER_MAX 0x3fffffff	/* above are x32's, which are the same calls once more */
#define NO_CALL 0xffffffff

/* The kernel reads int arguments: what is in the upper half does not count. All of these are little-endian. */
#define DATA(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define REFUSE BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
#define UNLESS(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (skip))
#define TO_LAST 255		/* the one REFUSE of all that are denied: the shorter, the sooner it is compiled */
#define DENY(name) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, TO_LAST, 0),
#define DENY_UNLESS_FIRST(name, value) UNLESS(SYS_##name, 4), DATA(args[0]), UNLESS((value), 1), ALLOW, REFUSE

int
syscalls_restrict(bool interfaces)
{
	struct sock_filter program[] = {
		DATA(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE, 1, 0),
		REFUSE,
		DATA(nr),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, NUMBER_MAX, 0, 1),
		REFUSE,
		/* Who may ask for interfaces gets no further than to a socket of the kernel's own. */
		UNLESS(interfaces ? SYS_socket : NO_CALL, 6), DATA(args[0]), UNLESS(AF_NETLINK, 3),
		DATA(args[2]), UNLESS(NETLINK_ROUTE, 1), ALLOW, REFUSE,
		UNLESS(interfaces ? SYS_bind : NO_CALL, 1), ALLOW,
		DENY_UNLESS_FIRST(tgkill, (unsigned)getpid()),
		DENY_UNLESS_FIRST(prlimit64, 0),
		SYSCALLS_NETWORK(DENY)
		SYSCALLS_SIGNALS(DENY)
		DENY(execve)
		DENY(execveat)
#if defined(__SANITIZE_ADDRESS__)
		UNLESS(SYS_ptrace, 1), ALLOW,	/* the leak check stops its own threads */
#endif
		SYSCALLS_NOBODYS(DENY)
		ALLOW,
		REFUSE,
	};
	const struct sock_fprog filter = { sizeof(program) / sizeof(program[0]), program };
	unsigned i;

	for (i = 0; i < filter.len; i++)
		if (program[i].jt == TO_LAST)
			program[i].jt = (uint8_t)(filter.len - 2 - i);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0);
}
