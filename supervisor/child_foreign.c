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

/* OPTION=VALUE of millrace-exec; those that are not wanted are left out. */
#define OPTIONS 6
#define OPTION_BYTES 640
static int
place_options(const struct child_box *box, char text[OPTIONS][OPTION_BYTES], char **out)
{
	int n = 0;

	if (box->memory > 0)
		snprintf(text[n++], OPTION_BYTES, "memory=%lld", (long long)box->memory);
	if (box->fsize > 0)
		snprintf(text[n++], OPTION_BYTES, "fsize=%lld", (long long)box->fsize);
	if (box->second != NULL)
		snprintf(text[n++], OPTION_BYTES, "write=%s", box->second);
	for (size_t i = 0; i < sizeof(box->readable) / sizeof(box->readable[0]); i++)
		if (box->readable[i] != NULL)
			snprintf(text[n++], OPTION_BYTES, "read=%s", box->readable[i]);
	if (box->dies_with_us)
		snprintf(text[n++], OPTION_BYTES, "parent=%d", (int)getpid());
	for (int i = 0; i < n; i++)
		out[i] = text[i];
	return n;
}

static pid_t
spawn_under_exec(char *const argv[], const int fds[4], const struct child_box *box)
{
	char path[320], title[] = "millrace-exec", options[OPTIONS][OPTION_BYTES], *args[FOREIGN_ARGS];
	struct spawn_fd placed[4];
	int i, n = 0;

	args[n++] = title;
	args[n++] = (char *)box->profile;
	args[n++] = box->writable != NULL ? (char *)box->writable : (char *)"-";
	n += place_options(box, options, args + n);
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
child_launch_foreign(struct child *c, char *const argv[], const int fds[4], const struct child_box *box)
{
	pid_t pid = spawn_under_exec(argv, fds, box);
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
child_start_foreign(enum child_kind kind, char *const argv[], const int fds[4], const struct child_box *box)
{
	const char *name = box->writable != NULL ? strrchr(box->writable, '/') : NULL;
	struct child *c = child_new(kind, name != NULL ? name + 1 : NULL);
	int saved;

	if (child_launch_foreign(c, argv, fds, box) == 0) {
		child_ready(c);
		return c;
	}
	saved = errno;
	log_warn("cannot start %s", argv[0]);
	child_free(c);
	errno = saved;
	return NULL;
}
