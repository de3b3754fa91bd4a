/*
 * sink_rec.c - the recording sink (sink.h): everything that came, as it came, into raw files. No
 * child, nothing to wait for: each tick appends what is new (rec_file.c).
 *
 * A file begins with a generation of tracks, and anew at the first key frame after
 * streams.record.split or split_size; a closed one is told to the supervisor, and whoever turns
 * it into an MP4 finds it by itself, too. When the disk has no room (less than disk.reserve,
 * or a write that failed) the file ends with its last whole tag; the stream goes on, and is
 * recorded again from the next key frame after there is room. Whatever else keeps it from being
 * written (a folder taken away) is said as what it is, and tried again as often.
 * Called by stream.c through sink_ops.
 */
#include "sink_rec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "board.h"
#include "conf.h"
#include "hls_cut.h"
#include "log.h"
#include "rec_file.h"
#include "util.h"

#define TICK_MS 250
#define SPACE_CHECK_MS 1000	/* statvfs(2), while there is room and while there is none */

struct rec {
	struct sink sink;
	struct rec_file file;
	struct rec_sync *sync;
	struct tag *next;		/* first tag not written; NULL: all are, or wait for a key frame */
	bool paused, room, torn;		/* torn: what was lost ends at the next key frame */
	int64_t synced_ms, checked_ms;
	int sync_errno;			/* what was told of, until another file is begun */
	int64_t since_ms, came_ms;	/* recorded since (the last pause); the last tag came */
	struct sink_rec_stats stats;
};

static struct rec *
rec_of(struct sink *s)
{
	return (struct rec *)(void *)s;
}

static const json_t *
conf_of(const struct rec *r)
{
	return r->sink.env.svc->conf;
}

/* Where a file can begin. */
static bool
begins(const struct tag *t)
{
	return t->gen->video ? t->key : t->audio;
}

static void
file_over(struct rec *r)
{
	char path[128];

	if (r->file.fd < 0)
		return;
	rec_file_close(&r->file, r->sync);
	r->stats.files++;
	snprintf(path, sizeof(path), "rec/%s/%s", r->sink.env.name, r->file.name);
	svc_send(r->sink.env.svc, MSG_EVENT, 0, json_pack("{s:s, s:s, s:s}", "event", "recorded", "name",
	    r->sink.env.name, "file", path));
}

static void
lose_rest(struct rec *r)
{
	r->torn = true;
	for (; r->next != NULL; r->next = r->next->next)
		r->stats.lost++;
}

/* error: an errno; 0: less than disk.reserve is free. */
static void
pause_it(struct rec *r, int error)
{
	char text[160];

	file_over(r);
	lose_rest(r);
	if (r->paused && r->stats.paused_errno == error)
		return;
	r->paused = true;
	r->stats.paused_errno = error;
	snprintf(text, sizeof(text), "the recording is paused: %.50s; the stream goes on, it resumes when %s",
	    error == 0 ? "less than disk.reserve is free" : strerror(error), board_pause_is_space(error) ?
	    "there is space" : "its folder in data_dir/rec takes files");
	r->sink.env.warn(r->sink.env.warn_ctx, text);
}

/* Said once for a file: it stands while that is written, so that whoever asks sees it. */
static void
look_at_sync(struct rec *r, int error)
{
	char text[160];

	if (error == 0 || error == r->sync_errno)
		return;
	r->sync_errno = error;
	snprintf(text, sizeof(text), "the disk did not take all that was recorded (%.50s): a part of it may be lost",
	    strerror(error));
	if (r->paused)
		log_warnx("%s", text);		/* what stands is the pause */
	else
		r->sink.env.warn(r->sink.env.warn_ctx, text);
}

static void
forget_sync(struct rec *r)
{
	if (r->sync_errno == 0)
		return;
	r->sync_errno = 0;
	r->sink.env.warn(r->sink.env.warn_ctx, "");
}

static bool
has_space(struct rec *r, int64_t now)
{
	int64_t left;

	if (r->checked_ms != 0 && now - r->checked_ms < SPACE_CHECK_MS)
		return r->room;
	r->checked_ms = now;
	left = disk_free_bytes(r->sink.env.dir);
	r->room = left < 0 || left >= conf_int(conf_of(r), "disk.reserve");
	return r->room;
}

/* Not where it has just begun: headers alone may be more than split_size. */
static bool
split_due(const struct rec *r, const struct tag *t)
{
	int64_t split = conf_int(conf_of(r), "streams.record.split");
	int64_t size = conf_int(conf_of(r), "streams.record.split_size");
	int64_t age_ms = t->dts_ms - r->file.base_ms;

	return begins(t) && age_ms > 0 && ((split > 0 && age_ms >= split) || (size > 0 && r->file.bytes >= size));
}

/* The first tag from next on where this file has to end, NULL: none. */
static struct tag *
file_end(const struct rec *r)
{
	struct tag *t;

	for (t = r->next; t != NULL; t = t->next)
		if (t->gen != r->file.gen || split_due(r, t))
			break;
	return t;
}

/* 1: a file is open, 0: not yet, -1 + errno. */
static int
open_file(struct rec *r, bool last)
{
	int64_t frame_ms;

	if (r->file.fd >= 0)
		return 1;
	while (r->next != NULL && r->torn && !begins(r->next)) {
		r->stats.lost++;
		r->next = r->next->next;
	}
	if (r->next == NULL || (!r->next->gen->settled && !last))
		return 0;
	frame_ms = hls_cut_frame_ms(r->next);
	if (ring_gen_enhanced(r->next->gen) && r->next->gen->video && frame_ms == 0 && !last)
		return 0;
	if (rec_file_open(&r->file, r->sink.env.dir, r->next, frame_ms) < 0)
		return -1;
	r->torn = false;
	forget_sync(r);
	log_info("recording to %s/%s", r->sink.env.dir, r->file.name);
	return 1;
}

/* false: the disk took no more. */
static bool
write_all(struct rec *r, bool last)
{
	int rc = 1;

	while (r->next != NULL && rc > 0) {
		struct tag *end;
		int64_t before;

		rc = open_file(r, last);
		if (rc <= 0)
			break;
		end = file_end(r);
		before = r->file.bytes;
		rc = rec_file_write(&r->file, &r->next, end) < 0 ? -1 : 1;
		r->stats.bytes += (uint64_t)(r->file.bytes - before);
		if (rc > 0 && end != NULL)
			file_over(r);
	}
	return rc >= 0;
}

static void
record(struct rec *r, int64_t now, bool last)
{
	if (!has_space(r, now)) {
		pause_it(r, 0);
		return;
	}
	if (!write_all(r, last)) {
		int error = errno;

		r->room = false;
		r->checked_ms = now;
		pause_it(r, error);
		return;
	}
	if (r->paused && r->file.fd >= 0) {
		r->paused = false;
		r->since_ms = now;
		r->sink.env.warn(r->sink.env.warn_ctx, "");
		log_info("%sthe recording goes on", board_pause_is_space(r->stats.paused_errno) ?
		    "there is space again: " : "");
	}
	if (r->file.fd >= 0 && now - r->synced_ms >= conf_int(conf_of(r), "streams.record.sync")) {
		r->synced_ms = now;
		rec_sync_give(r->sync, r->file.fd, false, now);
	}
}

static void
rec_tag(struct sink *s, struct tag *t)
{
	struct rec *r = rec_of(s);

	r->came_ms = now_ms();
	if (r->since_ms == 0)
		r->since_ms = r->came_ms;
	if (r->next == NULL)
		r->next = t;
}

static void
rec_tick(struct sink *s, int64_t now)
{
	struct rec *r = rec_of(s);

	record(r, now, false);
	look_at_sync(r, rec_sync_error(r->sync));
}

static const struct tag *
rec_needs(const struct sink *s)
{
	return ((const struct rec *)(const void *)s)->next;
}

/* What is before `first` goes unwritten: a track that never settled, or a disk that takes nothing. */
static void
rec_overrun(struct sink *s, struct tag *first)
{
	struct rec *r = rec_of(s);

	if (r->next == NULL)
		return;
	for (struct tag *t = r->next; t != NULL; t = t->next)
		if (t == first) {
			for (; r->next != first; r->next = r->next->next)
				r->stats.lost++;
			r->torn = true;
			file_over(r);
			return;
		}
}

/* What is written already stays in its file; the rest has a generation of its own. */
static void
rec_regen(struct sink *s, struct tag *first)
{
}

static void
rec_message(struct sink *s, struct msg *m)
{
}

static void
rec_drain(struct sink *s)
{
	struct rec *r = rec_of(s);

	record(r, now_ms(), true);
	file_over(r);
}

static void
rec_free(struct sink **s)
{
	struct rec *r = rec_of(*s);

	file_over(r);
	look_at_sync(r, rec_sync_free(&r->sync));
	free(r);
	*s = NULL;
}

/* Since when what came may not be on the disk: the sync before the last may still be under way. */
static int64_t
lag_ms(const struct rec *r, int64_t now)
{
	int64_t done = rec_sync_done_ms(r->sync);

	if (r->paused || r->came_ms <= done)
		return 0;
	return now - (done > r->since_ms ? done : r->since_ms);
}

void
sink_rec_stats(const struct sink *s, struct sink_rec_stats *out)
{
	const struct rec *r = (const struct rec *)(const void *)s;

	*out = r->stats;
	out->recording = r->file.fd >= 0;
	out->paused = r->paused;
	out->lag_ms = lag_ms(r, now_ms());
}

static const struct sink_ops rec_ops = {
	.name = "record", .budget_ms = TICK_MS, .tag = rec_tag, .tick = rec_tick, .needs = rec_needs,
	.overrun = rec_overrun, .regen = rec_regen, .message = rec_message, .drain = rec_drain, .free = rec_free,
};

struct sink *
sink_rec_new(const struct sink_env *env)
{
	struct rec *r = xcalloc(1, sizeof(*r));

	r->sink.ops = &rec_ops;
	r->sink.env = *env;
	r->file.fd = -1;
	r->sync = rec_sync_new();
	if (r->sync == NULL) {
		log_warn("the stream is not recorded: no thread to sync its files");
		free(r);
		return NULL;
	}
	return &r->sink;
}
