/*
 * frames_events.c - what a frames client says, carried out (contract in frames_parts.h): media into the
 * file, playback, CLOSE. Until the supervisor has granted its name, messages are held; the socket
 * is not read meanwhile, so they are few. Called by frames_session.c and frames_proto.c.
 */
#include "frames_parts.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "frames_find.h"
#include "log.h"
#include "util.h"

#define PATH_BYTES 700

/* The message that is being taken needs to know: it waits. */
static bool
must_wait(struct frames_session *s)
{
	if (s->phase == FR_NEW)
		frames_claim(s, "", 0);
	s->hold = s->phase == FR_CLAIMED;
	return s->phase != FR_OPEN;
}

static void
on_connect(void *ctx, const struct frames_connect *c)
{
	struct frames_session *s = ctx;

	if (s->phase != FR_NEW) {
		frames_proto_error(&s->proto, "eventType", "CONNECT comes once, before everything else; this session's "
		    "id is %s", s->client);
		return;
	}
	s->mux = c->mux;
	s->want_live = c->live;
	s->extended = c->extended;
	frames_claim(s, c->id, c->id_len);
}

/* --- media --- */

/* 0, or -1: it was said why not. */
static int
open_file(struct frames_session *s)
{
	char media[PATH_BYTES];
	json_t *meta;
	int rc;

	if (s->file.fd >= 0)
		return 0;
	meta = json_pack("{s:s, s:b, s:I}", "client", s->client, "mux", s->mux, "fps",
	    (json_int_t)conf_int(s->svc->conf, "frames.fps"));
	snprintf(media, sizeof(media), "%s/media", conf_str(s->svc->conf, "data_dir"));
	rc = frames_file_open(&s->file, media, s->client, wall_ms(), meta);
	json_decref(meta);
	if (rc == 0) {
		log_info("session %s begins", s->file.name);
		return 0;
	}
	log_warn("cannot make a file in %s/temp", media);
	frames_proto_error(&s->proto, "encodedMediaChunk", "this server cannot store it: %s", strerror(errno));
	return -1;
}

void
frames_judge_limits(struct frames_session *s, int64_t now)
{
	const json_t *c = s->svc->conf;
	const char *what = s->file.bytes >= conf_int(c, "frames.max_size") ? "frames.max_size" :
	    now - s->born_ms >= conf_int(c, "frames.max_time") ? "frames.max_time" : NULL;

	if (what == NULL || s->phase != FR_OPEN)
		return;
	frames_proto_error(&s->proto, "message", "this session has reached %s and is finished", what);
	frames_finish(s, what);
}

static void
on_media(struct frames_session *s, const struct frames_media *m, bool video)
{
	int64_t now = now_ms(), ms;
	int rc;

	if (must_wait(s))
		return;
	if (s->disk_low) {
		frames_proto_error(&s->proto, "encodedMediaChunk", "this server's disk is nearly full; this chunk is "
		    "lost");
		return;
	}
	if (open_file(s) < 0)
		return;
	ms = frames_clock_map(&s->clock, m->timed, m->time_ms, now);
	rc = video ? frames_file_video(&s->file, m->data, m->len, ms, m->timed) :
	    frames_file_audio(&s->file, m->data, m->len, ms);
	if (rc < 0)
		frames_proto_error(&s->proto, "encodedMediaChunk", "this server cannot store it: %s; this chunk is "
		    "lost", strerror(errno));
	frames_live_media(&s->live, video, m->data, m->len & (video ? ~(size_t)0 : ~(size_t)1), ms);
	if (frames_live_full(&s->live))
		conn_pause(&s->conn, true);	/* until it has caught up: nothing is dropped */
	frames_judge_limits(s, now);
}

static void
on_video(void *ctx, const struct frames_media *m)
{
	on_media(ctx, m, true);
}

static void
on_audio(void *ctx, const struct frames_media *m)
{
	on_media(ctx, m, false);
}

/* --- playback --- */

static void
play_own(struct frames_session *s, const char *data_dir)
{
	char found[FRAMES_FOUND_MAX], name[FRAMES_NAME_MAX + 8];

	if (s->file.samples > 0) {
		snprintf(found, sizeof(found), "media/temp/%s.mkv", s->file.name);
		snprintf(name, sizeof(name), "%s.wav", s->file.name);
		frames_play_start(&s->play, found, s->file.samples, name);
	} else if (frames_find_latest(data_dir, s->client, found) == 0)
		frames_play_start(&s->play, found, 0, strrchr(found, '/') + 1);
	else if (conf_str(s->svc->conf, "frames.playback_file")[0] != '\0')
		frames_play_start(&s->play, "", 0, "");
	else
		frames_proto_error(&s->proto, "file", "%s has no recording to play, and this server has no "
		    "frames.playback_file", s->client);
}

static void
on_play(void *ctx, const char *file, size_t len)
{
	struct frames_session *s = ctx;
	const char *data_dir = conf_str(s->svc->conf, "data_dir");
	char found[FRAMES_FOUND_MAX];

	if (must_wait(s))
		return;
	if (file == NULL)
		play_own(s, data_dir);
	else if (frames_find_named(data_dir, file, len, found) == 0)
		frames_play_start(&s->play, found, 0, strrchr(found, '/') + 1);
	else
		frames_proto_error(&s->proto, "file", "there is no recording of this name");
}

static void
on_close(void *ctx)
{
	frames_finish(ctx, "CLOSE");
}

static void
on_say(void *ctx, const char *text, size_t len)
{
	struct frames_session *s = ctx;

	ws_text(s->ws, text, len);
	conn_write(&s->conn);
}

const struct frames_ops frames_events = { on_connect, on_video, on_audio, on_play, on_close, on_say };

/* --- messages --- */

static void
hold_message(struct frames_session *s, bool text, const uint8_t *p, size_t len)
{
	struct { size_t len; bool text; } head = { len, text };

	evbuffer_add(s->held, &head, sizeof(head));
	evbuffer_add(s->held, p, len);
}

void
frames_message(void *ctx, bool text, const uint8_t *p, size_t len)
{
	struct frames_session *s = ctx;

	if (s->phase == FR_CLAIMED)
		hold_message(s, text, p, len);
	if (s->phase != FR_NEW && s->phase != FR_OPEN)
		return;
	s->hold = false;
	frames_proto_message(&s->proto, p, len, !text, now_ms());
	if (s->hold) {
		s->proto.messages--;
		hold_message(s, text, p, len);
	}
}

void
frames_replay(struct frames_session *s)
{
	struct { size_t len; bool text; } head;
	struct evbuffer *held = s->held;
	uint8_t *p;

	s->held = evbuffer_new();
	while (s->phase == FR_OPEN && evbuffer_remove(held, &head, sizeof(head)) == (int)sizeof(head)) {
		p = xmalloc(head.len + 1);
		evbuffer_remove(held, p, head.len);
		frames_message(s, head.text, p, head.len);
		free(p);
	}
	evbuffer_free(held);
}
