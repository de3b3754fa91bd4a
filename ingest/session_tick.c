/*
 * session_tick.c - a publisher's time: the tick on which a live stream is read and its sinks
 * are served, and every limit that runs out. Called by session.c; see session_parts.h.
 */
#include <stdio.h>

#include "conf.h"
#include "log.h"
#include "session_parts.h"
#include "util.h"

#define SLOW_TICK_MS 250		/* before the stream is live */
#define CLOSING_TICK_MS 100

void
session_tick_in(struct session *s, int64_t ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	event_add(s->tick, &tv);
}

static const char *
overdue(struct session *s, int64_t now)
{
	const json_t *c = s->svc->conf;
	const char *key = NULL, *what = "no publish within";

	if (s->phase < SES_LIVE) {
		if (now - s->born_ms > conf_int(c, s->ops->handshake))
			key = s->ops->handshake;
	} else if (s->stream.meter.last_media_ms == 0 && now - s->live_ms > conf_int(c, s->ops->first_media)) {
		what = "no media within";
		key = s->ops->first_media;
	} else if (!s->conn.paused && now - s->conn.last_byte_ms > conf_int(c, s->ops->ping_timeout)) {
		what = "the publisher is dead: not a byte for";
		key = s->ops->ping_timeout;
	}
	if (key == NULL)
		return NULL;
	snprintf(s->why, sizeof(s->why), "%s %s", what, key);
	return s->why;
}

/* This stream can't be taken. */
static void
reject(struct session *s, const char *why)
{
	session_say_refused(s, "media", why);
	s->ops->refuse(s->proto, "media", why);
	session_finish(s, why);
}

static void
live_tick(struct session *s, int64_t now)
{
	const char *why = NULL;

	conn_read(&s->conn);
	if (s->phase == SES_LIVE && s->ops->tick != NULL)
		why = s->ops->tick(s->proto, now);
	if (s->phase != SES_LIVE)
		return;
	if (why == NULL)
		why = stream_tick(&s->stream, now);
	if (why != NULL) {
		reject(s, why);
		return;
	}
	if (now - s->pinged_ms >= conf_int(s->svc->conf, s->ops->ping_interval)) {
		s->pinged_ms = now;
		s->ops->ping(s->proto, now);
	}
	conn_write(&s->conn);
	if (meter_due(&s->stream.meter, now))
		stream_board(&s->stream, "live", now);
}

/* However long it takes: what was received is not lost while it moves. Nothing goes round: it comes to an end. */
static void
push_deadline(struct session *s, int64_t now)
{
	size_t left = s->ops->undrained(s->proto);

	if (left >= s->left_bytes && s->stream.meter.last_media_ms == s->left_ms)
		return;
	s->left_bytes = left < s->left_bytes ? left : s->left_bytes;
	s->left_ms = s->stream.meter.last_media_ms;
	if (!s->hurry)
		s->deadline_ms = now + SESSION_CLOSE_MS;
}

static void
give_up(struct session *s)
{
	log_warnx("given up: of what the publisher sent %zu bytes wait for an ffmpeg, and what one has is not through",
	    s->ops->undrained(s->proto));
	s->phase = SES_CLOSING;
	stream_end(&s->stream);
}

/* Its last media comes in, or the sinks finish. */
static void
closing_tick(struct session *s, int64_t now)
{
	if (s->phase == SES_DRAINING) {
		s->ops->tick(s->proto, now);
		if (s->phase == SES_DRAINING) {
			push_deadline(s, now);
			stream_tick(&s->stream, now);
		}
	} else
		stream_tick_draining(&s->stream, now);
	if (now < s->deadline_ms && (!s->only_busy || stream_busy(&s->stream)))
		return;
	if (s->phase == SES_DRAINING)
		give_up(s);
	session_leave(s);
}

void
session_tick_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct session *s = ctx;
	int64_t now = now_ms();
	const char *why;

	if (s->phase == SES_LINGER)
		return;
	session_tick_in(s, s->phase == SES_LIVE ?
	    meter_tick(&s->stream.meter, stream_budget_ms(&s->stream, conf_int(s->svc->conf, "rtmp.read_tick")), now) :
	    s->phase >= SES_DRAINING ? CLOSING_TICK_MS : SLOW_TICK_MS);
	if (s->phase >= SES_DRAINING) {
		closing_tick(s, now);
		return;
	}
	if (s->phase == SES_LIVE)
		live_tick(s, now);
	if (s->phase < SES_DRAINING && (why = overdue(s, now)) != NULL) {
		if (s->phase == SES_LIVE) {
			log_warnx("closing: %s", why);
			s->ops->refuse(s->proto, "timeout", why);	/* should it still be there */
		} else
			session_say_refused(s, "timeout", why);
		session_finish(s, why);
	}
}
