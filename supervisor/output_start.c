/*
 * output_start.c - the kinds of ffmpeg that an ingest may ask for, in one table, and starting one: its
 * socketpairs, its argv, its box, and when, if many are wanted at once. output.c knows what is wanted
 * and what runs, and calls this.
 *
 * What "opus" and "h264" make is a stream of bytes, which goes straight to the webrtc worker that has
 * the stream's viewers; one runs only as long as there is such a worker.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf.h"
#include "supervisor/args.h"
#include "supervisor/output.h"
#include "util.h"

#define START_GAP_MS 25		/* between starts when many are asked for at once */
#define START_BURST_MS 100	/* so this many ms' worth go at once */

static const struct output_kind kinds[] = {
	{ "hls", "ffmpeg", KIND_FFMPEG, 4 << 20, 3, .hls = true },
	{ "intake", "ffmpeg", KIND_FFMPEG, 512 << 10, 3, .encodes = true },
	{ "push", "push", KIND_PUSH, 256 << 10, 0, .push = true },
	{ "opus", "ffmpeg", KIND_FFMPEG, 256 << 10, 1, .webrtc = true },
	{ "h264", "ffmpeg", KIND_FFMPEG, 256 << 10, 1, .encodes = true, .webrtc = true },
};

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

static void
close_fds(int fds[OUTPUT_FDS])
{
	int i;

	for (i = 0; i < OUTPUT_FDS; i++)
		if (fds[i] != -1)
			close(fds[i]);
}

/* Socketpairs, because a user's pipes shrink after the 1,024th. 0, or -1 + errno with none open. */
static int
open_pairs(int ours[OUTPUT_FDS], int theirs[OUTPUT_FDS], int stdin_bytes, bool result)
{
	int i, pair[2];

	for (i = 0; i < OUTPUT_FDS; i++)
		ours[i] = theirs[i] = -1;
	for (i = 0; i < OUTPUT_FDS - !result; i++) {
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
	close_fds(ours);
	close_fds(theirs);
	return -1;
}

int
output_wish_parse(const char *name, const char *kind, const json_t *params, struct output_wish *w, const char **why)
{
	*why = "kind";
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].name, kind) == 0)
			w->kind = &kinds[i];
	if (w->kind == NULL || (w->kind->push && strncmp(name, OUTPUT_PUSH, strlen(OUTPUT_PUSH)) != 0))
		return -1;
	if (w->kind->push)
		return push_params_parse(params, &w->to, why);
	if (w->kind->webrtc)
		return rtc_params_parse(kind[0] == 'h', params, &w->rtc, why);
	return w->kind->hls ? output_params_parse(params, &w->hls, why) : intake_params_parse(params, &w->from, why);
}

static char **
make_argv(const struct output *o, const char *dir)
{
	const struct output_wish *w = &o->wish;
	const char *ffmpeg = conf_str(sv.conf, "ffmpeg.path");

	if (w->kind->push)
		return output_push_argv(o, ffmpeg);
	if (w->kind->webrtc)
		return rtc_argv(&w->rtc, ffmpeg, conf_int(sv.conf, "webrtc.opus_bitrate"));
	return w->kind->hls ? output_argv(&w->hls, ffmpeg, dir) : intake_argv(&w->from, ffmpeg);
}

static struct child *
start_with(const struct output *o, const int theirs[OUTPUT_FDS])
{
	const struct output_kind *k = o->wish.kind;
	const int fds[4] = { theirs[0], k->result == 1 ? theirs[2] : -1, theirs[1], k->result == 3 ? theirs[2] : -1 };
	struct child_box box = { .profile = k->profile, .memory = conf_int(sv.conf,
	    k->encodes || o->wish.to.transcode_video ? "ws.ffmpeg_memory" : "limits.ffmpeg_memory") };
	struct child *c;
	char dir[512], **argv;
	int saved;

	snprintf(dir, sizeof(dir), "%s/hls/%s", conf_str(sv.conf, "data_dir"), o->owner->name);
	if (k->hls)
		box.writable = dir;
	if (k->push)
		box.readable[0] = output_push_ca_file(o);
	argv = make_argv(o, dir);
	c = child_start_foreign(k->child, argv, fds, &box);
	saved = errno;
	args_free(&argv);
	if (c != NULL)
		str_copy(c->name, o->owner->name, sizeof(c->name));
	errno = saved;
	return c;
}

struct child *
output_start(const struct output *o, int ours[OUTPUT_FDS])
{
	const struct output_kind *k = o->wish.kind;
	int theirs[OUTPUT_FDS], saved;
	struct child *c;

	if (open_pairs(ours, theirs, k->stdin_bytes, k->result != 0) == -1)
		return NULL;
	c = start_with(o, theirs);
	if (c == NULL) {
		saved = errno;
		close_fds(ours);
		errno = saved;
	} else if (k->webrtc) {
		/* Without a taker it meets a closed pipe, and output.c what is due then. */
		feeds_output(o->owner, o->wish.rtc.video ? "video" : "audio", ours[2]);
		ours[2] = -1;
	}
	return c;
}
