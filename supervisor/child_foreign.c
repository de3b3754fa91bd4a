/*
 * child_foreign.c - programs that are not ours (ffmpeg, redis-server): started through
 * libexec/millrace-exec, which limits and sandboxes itself and then becomes them, same pid.
 *
 * They have no control channel and no board page; how they fare is judged by their owner
 * (output.c and the ingest behind it, redis.c). So they are over when they are reaped.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "supervisor/child.h"
#include "util.h"

#define FOREIGN_ARGS 128

static int
place_fds(const int fds[4], struct spawn_fd *out)
{
	int i, n = 0;

	for (i = 0; i < 4; i++) {
		if (fds[i] != -1)
			out[n++] = (struct spawn_fd){ fds[i], i };
		else if (i < 2)
			out[n++] = (struct spawn_fd){ child_null_fd(), i };
		else if (i == 2)
			out[n++] = (struct spawn_fd){ STDERR_FILENO, 2 };
	}
	return n;
}

static pid_t
spawn_under_exec(char *const argv[], const int fds[4], const char *profile, const char *writable)
{
	char path[320], title[] = "millrace-exec", option[512], *args[FOREIGN_ARGS];
	struct spawn_fd placed[4];
	int i, n = 0;

	if (strcmp(profile, "redis") == 0)	/* its socket is there */
		snprintf(option, sizeof(option), "write=%s", conf_str(sv.conf, "run_dir"));
	else
		snprintf(option, sizeof(option), "memory=%lld",
		    (long long)conf_int(sv.conf, "limits.ffmpeg_memory"));
	args[n++] = title;
	args[n++] = (char *)profile;
	args[n++] = writable != NULL ? (char *)writable : (char *)"-";
	args[n++] = option;
	args[n++] = (char *)"--";
	for (i = 0; argv[i] != NULL; i++) {
		if (n == FOREIGN_ARGS - 1) {
			errno = E2BIG;
			return -1;
		}
		args[n++] = argv[i];
	}
	args[n] = NULL;
	if (path_join(path, sizeof(path), sv.libexec, "millrace-exec") == -1)
		return -1;
	return spawn_program(path, args, environ, placed, place_fds(fds, placed));
}

int
child_launch_foreign(struct child *c, char *const argv[], const int fds[4], const char *profile,
    const char *writable)
{
	pid_t pid = spawn_under_exec(argv, fds, profile, writable);
	int i, saved = errno;

	for (i = 0; i < 4; i++)
		if (fds[i] != -1)
			close(fds[i]);
	errno = saved;
	if (pid == -1)
		return -1;
	child_started(c, pid);
	return 0;
}

struct child *
child_start_foreign(enum child_kind kind, char *const argv[], const int fds[4], const char *profile,
    const char *writable)
{
	const char *name = writable != NULL ? strrchr(writable, '/') : NULL;
	struct child *c = child_new(kind, name != NULL ? name + 1 : NULL);
	int saved;

	if (child_launch_foreign(c, argv, fds, profile, writable) == 0) {
		child_ready(c);
		return c;
	}
	saved = errno;
	log_warn("cannot start %s", argv[0]);
	child_free(c);
	errno = saved;
	return NULL;
}
