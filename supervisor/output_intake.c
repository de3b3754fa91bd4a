/*
 * output_intake.c - see output_intake.h. Called by output.c, which knows what is wanted and what
 * runs. It reads a stranger's bytes with every demuxer and decoder there is: no network, no file,
 * not even one to write.
 */
#include "supervisor/output_intake.h"

#include <errno.h>

#include "conf.h"
#include "supervisor/output.h"
#include "supervisor/supervisor.h"
#include "util.h"

#define STDIN_BYTES (512 * 1024)	/* what waits is better off in the ingest, which tells the sender */

static struct child *
start_with(const struct intake_params *p, const char *name, int theirs[OUTPUT_FDS])
{
	struct child_box box = { .profile = "ffmpeg", .memory = conf_int(sv.conf, "ws.ffmpeg_memory") };
	int fds[4] = { theirs[0], -1, theirs[1], theirs[2] }, saved;
	char **argv = intake_argv(p, conf_str(sv.conf, "ffmpeg.path"));
	struct child *c = child_start_boxed(KIND_FFMPEG, argv, fds, &box);

	saved = errno;
	if (c != NULL)
		str_copy(c->name, name, sizeof(c->name));
	output_argv_free(&argv);
	errno = saved;
	return c;
}

struct child *
output_intake_start(const struct intake_params *p, const char *name, int ours[OUTPUT_FDS])
{
	int theirs[OUTPUT_FDS], saved;
	struct child *c;

	if (output_pairs(ours, theirs, STDIN_BYTES, true) == -1)
		return NULL;
	c = start_with(p, name, theirs);
	if (c == NULL) {
		saved = errno;
		output_close_fds(ours);
		errno = saved;
	}
	return c;
}
