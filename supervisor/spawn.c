/*
 * spawn.c - the only place that makes processes: posix_spawn for every child, and the one
 * fork that -d needs.
 *
 * A child gets exactly the descriptors it is given: every source is first duplicated above
 * all targets, so that overlapping numbers and from == to need no thought, then placed by
 * dup2 (which clears CLOEXEC); whatever lies above the highest target is closed. Signals
 * are back to default and unblocked, and the child leads a session of its own, so that a
 * Ctrl-C on the terminal reaches millraced alone.
 *
 * posix_spawn sets no uid, limits or filters: rights are dropped before anything is
 * spawned (rights.c), limits come by prlimit (child.c) or millrace-exec.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "supervisor/supervisor.h"

#define SPAWN_ABOVE 64	/* sources are moved to here; targets lie below */
#define SPAWN_FDS 48

static int daemon_pipe = -1;

static int
set_attributes(posix_spawnattr_t *attr)
{
	sigset_t none, all;
	int rc;

	sigemptyset(&none);
	sigfillset(&all);
	rc = posix_spawnattr_setsigmask(attr, &none);
	if (rc == 0)
		rc = posix_spawnattr_setsigdefault(attr, &all);
	if (rc == 0)
		rc = posix_spawnattr_setflags(attr,
		    POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
	return rc;
}

/* Moves every source above the targets and lists the dup2s; errno value. */
static int
set_files(posix_spawn_file_actions_t *actions, const struct spawn_fd *fds, int nfds, int *moved)
{
	int i, rc = 0, highest = 2;

	for (i = 0; i < nfds && rc == 0; i++) {
		moved[i] = fcntl(fds[i].from, F_DUPFD_CLOEXEC, SPAWN_ABOVE);
		if (moved[i] == -1)
			return errno;
		rc = posix_spawn_file_actions_adddup2(actions, moved[i], fds[i].to);
		if (fds[i].to > highest)
			highest = fds[i].to;
	}
	if (rc == 0)
		rc = posix_spawn_file_actions_addclosefrom_np(actions, highest + 1);
	return rc;
}

pid_t
spawn_program(const char *path, char *const argv[], char *const envp[], const struct spawn_fd *fds,
    int nfds)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int moved[SPAWN_FDS], i, rc;
	pid_t pid = -1;

	if (nfds > SPAWN_FDS) {
		errno = EMFILE;
		return -1;
	}
	memset(moved, -1, sizeof(moved));
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	rc = set_attributes(&attr);
	if (rc == 0)
		rc = set_files(&actions, fds, nfds, moved);
	if (rc == 0)
		rc = posix_spawn(&pid, path, &actions, &attr, argv, envp);
	for (i = 0; i < nfds; i++)
		if (moved[i] != -1)
			close(moved[i]);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	if (rc == 0)
		return pid;
	errno = rc;
	return -1;
}

/* The process the user started: stays until the daemon says how it went, or dies. */
static void
wait_for_daemon(int fd, pid_t pid, const char *log)
{
	char verdict = 1;
	ssize_t n;

	do
		n = read(fd, &verdict, 1);
	while (n == -1 && errno == EINTR);
	if (n == 1 && verdict != 0)
		log_errorx("millraced (pid %d) runs, but not everything came up: see its log, %s", (int)pid,
		    log != NULL ? log : "stderr");
	else if (n != 1)
		log_errorx("millraced ended while starting: see its log, %s", log != NULL ? log : "stderr");
	_exit(n == 1 && verdict == 0 ? 0 : 1);
}

int
spawn_daemonise(const char *log)
{
	int fds[2], null;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) == -1)
		return -1;
	pid = fork();
	if (pid == -1) {
		close(fds[0]);
		close(fds[1]);
		return -1;
	}
	if (pid > 0) {
		close(fds[1]);
		wait_for_daemon(fds[0], pid, log);
	}
	close(fds[0]);
	daemon_pipe = fds[1];
	setsid();
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null != -1) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		close(null);
	}
	return 0;
}

void
spawn_daemon_up(bool ok)
{
	char verdict = ok ? 0 : 1;

	if (daemon_pipe == -1)
		return;
	/* The starter may have been killed meanwhile: SIGPIPE is ignored, and nobody waits. */
	if (write(daemon_pipe, &verdict, 1) == -1)
		log_debug("nobody waits for the daemon's start");
	close(daemon_pipe);
	daemon_pipe = -1;
}
