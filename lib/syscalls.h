/*
 * syscalls.h - system calls that our programs give up for good (seccomp(2)); used by an ingest before
 * it has its connection, and, with libseccomp, by millrace-exec. What landlock does not hold: it knows
 * files, and a UNIX socket is connected to without opening one. A denied call gives EPERM.
 */
#ifndef MILLRACE_SYSCALLS_H
#define MILLRACE_SYSCALLS_H

#include <stdbool.h>

/* Neither ffmpeg nor redis-server nor an ingest has a use for these. X(name) for each. */
#define SYSCALLS_NOBODYS(X) \
	X(ptrace) X(process_vm_readv) X(process_vm_writev) X(bpf) X(io_uring_setup) X(io_uring_enter) \
	X(io_uring_register) X(mount) X(umount2) X(unshare) X(setns) X(keyctl) X(add_key) X(request_key) \
	X(userfaultfd) X(perf_event_open) X(kexec_load) X(init_module) X(finit_module) X(open_by_handle_at)
/* Sockets beyond those that were inherited. */
#define SYSCALLS_NETWORK(X) X(socket) X(connect) X(bind) X(listen)
/* Signals to others; tgkill to oneself is abort(), and is judged apart. */
#define SYSCALLS_SIGNALS(X) \
	X(kill) X(tkill) X(pidfd_open) X(pidfd_send_signal) X(rt_sigqueueinfo) X(rt_tgsigqueueinfo)

/*
 * All of the above, other programs, and others' limits, for this process and whatever it forks.
 * interfaces: it may ask the kernel which addresses this host has (getifaddrs(3)). 0 or -1 + errno.
 */
int syscalls_restrict(bool interfaces);
#endif
