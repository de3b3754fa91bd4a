/*
 * frames_tick.c - a frames session's time: the disk, pings, limits, its place on the board, and after CLOSE
 * the wait for its files. Called by frames_session.c.
 */
#include "frames_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf.h"
#include "frames_mp4.h"
#include "log.h"
#include "rec_file.h"
#include "util.h"

#define PATH_BYTES 700
#define WHY_BYTES 300

/* Pictures that can't be decoded are not in the MP4: its own word counts. Is there one, or none to be made? */
static bool
count_pictures(struct frames_session *s)
{
	char path[PATH_BYTES];
	int64_t n;

	if (s->file.frames == 0)
		return true;
	snprintf(path, sizeof(path), "%s/media/video/%s.mp4", conf_str(s->svc->conf, "data_dir"), s->file.name);
	n = frames_mp4_count(path);
	if (n >= 0 && n <= s->file.frames) {
		s->lost = s->file.frames - n;
		s->file.frames = n;
	}
	return n >= 0;
}

/* The job removes the file once all that was made of it is checked; or it keeps it, and says why beside it. */
static void
finishing_tick(struct frames_session *s, int64_t now)
{
	const char *data_dir = conf_str(s->svc->conf, "data_dir");
	char path[PATH_BYTES], *why = NULL;
	size_t len = 0;

	snprintf(path, sizeof(path), "%s/media/temp/%s.mkv", data_dir, s->file.name);
	if (access(path, F_OK) == -1 && errno == ENOENT) {
		count_pictures(s);
		frames_say_closed(s, "done", NULL);
		return;
	}
	snprintf(path, sizeof(path), "%s/media/temp/%s.txt", data_dir, s->file.name);
	why = file_read(path, WHY_BYTES, &len);
	if (why != NULL && len > 0 && count_pictures(s))
		frames_say_closed(s, "done", NULL);
	else if (why != NULL && len > 0) {
		s->lost = s->file.frames;
		s->file.frames = 0;
		frames_say_closed(s, "failed", why);
	} else if (now >= s->deadline_ms)
		frames_say_closed(s, "queued", NULL);
	else
		frames_tick_in(s, FRAMES_FINISHING_TICK_MS);
	free(why);
}

void
frames_look_at_disk(struct frames_session *s)
{
	int64_t left = disk_free_bytes(conf_str(s->svc->conf, "data_dir"));
	bool low = left >= 0 && left < conf_int(s->svc->conf, "disk.reserve");

	if (low && !s->disk_low)
		log_warnx("less than disk.reserve is free: frames are refused until there is more");
	s->disk_low = low;
}

static void
show(struct frames_session *s, int64_t now)
{
	struct board_page *p = s->svc->page;

	if (frames_live_busy(&s->live))		/* it shows itself */
		return;
	board_begin(&p->seq);
	p->beat_ms = now;
	str_copy(p->state, s->phase == FR_OPEN ? "frames" : s->phase == FR_FINISHING ? "finishing" : "handshake",
	    sizeof(p->state));
	str_copy(p->stream, s->client, sizeof(p->stream));
	p->media.video_frames = (uint64_t)s->file.frames;
	p->media.recorded_bytes = (uint64_t)s->file.bytes;
	board_end(&p->seq);
}

static void
look_at_sync(struct frames_session *s)
{
	int error = rec_sync_error(s->sync);

	if (error == 0 || error == s->sync_errno)
		return;
	errno = s->sync_errno = error;
	log_warn("the disk did not take all that was received: a part of it may be lost");
}

/* What was received to the disk, and is there room for more? Who is not let in yet has no file. */
static void
look_after_file(struct frames_session *s, int64_t now)
{
	if (s->sync == NULL || now - s->synced_ms < conf_int(s->svc->conf, "streams.record.sync"))
		return;
	s->synced_ms = now;
	frames_look_at_disk(s);
	look_at_sync(s);
	if (s->file.fd >= 0)
		rec_sync_give(s->sync, s->file.fd, false, 0);
}

/* Also when the connection is gone, until the stream has come to its end. */
static void
live_tick(struct frames_session *s, int64_t now)
{
	const char *why;

	if (!frames_live_busy(&s->live))
		return;
	why = frames_live_tick(&s->live, now);
	if (why != NULL) {
		log_warnx("the live stream ends: %s", why);
		frames_proto_error(&s->proto, "live", "%s; the session is stored only", why);
		frames_live_end(&s->live, false);
		conn_pause(&s->conn, false);	/* nobody else will: it may have waited for room */
	}
	if (s->phase == FR_LINGER && frames_live_busy(&s->live))
		frames_tick_in(s, FRAMES_LIVE_TICK_MS);
}

void
frames_tick_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct frames_session *s = ctx;
	int64_t now = now_ms(), idle = conf_int(s->svc->conf, "frames.idle_timeout");

	live_tick(s, now);
	if (s->phase == FR_CLAIMED && s->end_code != 0 && now >= s->deadline_ms)
		frames_end_waiting(s);
	if (s->phase == FR_LINGER)
		return;
	conn_write(&s->conn);
	show(s, now);
	if (s->phase == FR_FINISHING) {
		finishing_tick(s, now);
		return;
	}
	frames_tick_in(s, frames_live_busy(&s->live) ? stream_budget_ms(&s->live.stream, FRAMES_LIVE_TICK_MS) :
	    FRAMES_TICK_MS);
	look_after_file(s, now);
	if (s->ws != NULL && now - s->conn.last_byte_ms > idle / 3 && now - s->pinged_ms > idle / 3) {
		s->pinged_ms = now;
		ws_ping(s->ws);
	}
	frames_judge_limits(s, now);
	if (!s->conn.paused && now - (s->phase < FR_OPEN ? s->born_ms : s->conn.last_byte_ms) > idle)
		frames_end(s, WS_POLICY, "nothing was heard of the client for frames.idle_timeout");
}
