/*
 * output_start.c - starting one ffmpeg: its three socketpairs, its argv, and when, if many
 * are wanted at once. Keeps no table: output.c knows what is wanted and what runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf.h"
#include "supervisor/output.h"
#include "supervisor/supervisor.h"
#include "util.h"

#define START_GAP_MS 25		/* between starts when many are asked for at once */
#define START_BURST_MS 100	/* so this many ms' worth go at once */
#define STDIN_SNDBUF (4 << 20)

static int64_t next_start_ms;

/* One ffmpeg start costs about 90 ms of CPU: many at once would make all of them late. */
int64_t
output_stagger_ms(int64_t now)
{
	int64_t wait;

	if (next_start_ms < now - START_BURST_MS)
		next_start_ms = now - START_BURST_MS;
	wait = next_start_ms - now;
	next_start_ms += START_GAP_MS;
	return wait > 0 ? wait : 0;
}

void
output_close_fds(int fds[OUTPUT_FDS])
{
	int i;

	for (i = 0; i < OUTPUT_FDS; i++)
		if (fds[i] != -1)
			close(fds[i]);
}

/* stdin, stderr, segment list; socketpairs, because a user's pipes shrink after the 1,024th. */
int
output_pairs(int ours[OUTPUT_FDS], int theirs[OUTPUT_FDS], int stdin_bytes, bool list)
{
	int i, pair[2];

	for (i = 0; i < OUTPUT_FDS; i++)
		ours[i] = theirs[i] = -1;
	for (i = 0; i < OUTPUT_FDS - !list; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
			goto fail;
		ours[i] = pair[0];
		theirs[i] = pair[1];
		if (fcntl(ours[i], F_SETFL, O_NONBLOCK) == -1)
			goto fail;
	}
	/* Beyond net.core.wmem_max only for root; either way the ingest copes with what it gets. */
	if (setsockopt(ours[0], SOL_SOCKET, SO_SNDBUFFORCE, &stdin_bytes, sizeof(stdin_bytes)) == -1)
		setsockopt(ours[0], SOL_SOCKET, SO_SNDBUF, &stdin_bytes, sizeof(stdin_bytes));
	return 0;
fail:
	output_close_fds(ours);
	output_close_fds(theirs);
	return -1;
}

static struct child *
start_with(const struct output_params *p, const char *dir, int theirs[OUTPUT_FDS])
{
	int fds[4] = { theirs[0], -1, theirs[1], theirs[2] };
	char **argv = output_argv(p, conf_str(sv.conf, "ffmpeg.path"), dir);
	struct child *c = child_start_foreign(KIND_FFMPEG, argv, fds, "ffmpeg", dir);
	int saved = errno;

	output_argv_free(&argv);
	errno = saved;
	return c;
}

struct child *
output_start(const struct output_params *p, const char *name, int ours[OUTPUT_FDS])
{
	int theirs[OUTPUT_FDS], saved;
	struct child *c;
	char dir[512];

	snprintf(dir, sizeof(dir), "%s/hls/%s", conf_str(sv.conf, "data_dir"), name);
	if (output_pairs(ours, theirs, STDIN_SNDBUF, true) == -1)
		return NULL;
	c = start_with(p, dir, theirs);
	if (c == NULL) {
		saved = errno;
		output_close_fds(ours);
		errno = saved;
	}
	return c;
}
