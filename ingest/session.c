/*
 * session.c - one publisher from connection to end (contract in session.h): the protocol's
 * events, the supervisor's messages, and every time limit. Until the stream is live each
 * byte is read at once; then on a tick, because wake-ups are the whole cost. The socket
 * is conn.c's, the media stream.c's, the protocol rtmp_session.c's.
 */
#include "session.h"

#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "conn.h"
#include "log.h"
#include "publish_url.h"
#include "rtmp_session.h"
#include "sink_hls.h"
#include "stream.h"
#include "util.h"

#define LINGER_MS 1000			/* for the last words to reach the publisher */
#define LINGER_YIELD_MS 300		/* ... when another one waits for the name */
#define CLOSE_MS 20000			/* for the last segment, also if ffmpeg has to be started again */
#define HURRY_MS 2000			/* ... when somebody waits for the name, or the server stops */
#define SLOW_TICK_MS 250		/* before the stream is live */
#define CLOSING_TICK_MS 100
#define SAID_MAX 1024

enum phase { SES_PROTOCOL, SES_CLAIMED, SES_LIVE, SES_CLOSING, SES_LINGER };

struct session {
	struct svc *svc;
	enum phase phase;
	struct event *tick;
	struct conn conn;
	struct rtmp_session *rtmp;
	struct publish_match match;
	struct stream stream;
	bool endlist, hurry;
	char how[160];
	int64_t born_ms, live_ms, pinged_ms, deadline_ms;
};

static void finish(struct session *s, const char *how);

/* --- what the protocol says --- */

/*
 * The supervisor counts it; before the stream is live it also says it, now and then: anybody can
 * be refused a thousand times a second. `code` is a word for counters.
 */
static void
say_refused(struct session *s, const char *code, const char *text)
{
	bool live = s->phase >= SES_LIVE;

	if (live)
		log_warnx("refused: %s", text);
	svc_send(s->svc, MSG_EVENT, 0, json_pack("{s:s, s:s, s:s, s:s, s:o, s:b}", "event", "refused", "peer",
	    s->conn.peer, "code", code, "name", s->phase >= SES_CLAIMED ? s->match.name : "", "text",
	    msg_text(text, strlen(text)), "said", live));
}

static void
refuse_url(struct session *s, const struct rtmp_publish *p, const char *why)
{
	const json_t *patterns = conf_get(s->svc->conf, "authorize.patterns");
	char hint[400], said[SAID_MAX], *text = json_dumps(patterns, JSON_COMPACT);

	publish_url_hint(patterns, p->tc_url, p->name, hint, sizeof(hint));
	snprintf(said, sizeof(said), "%s: url %s name %s, patterns %s%s", why, p->tc_url, p->name, text, hint);
	free(text);
	say_refused(s, "pattern", said);
	snprintf(said, sizeof(said), "%s%s", why, hint);
	rtmp_session_refuse(s->rtmp, "NetStream.Publish.Denied", said);
	finish(s, why);
}

static void
on_publish(void *ctx, const struct rtmp_publish *p)
{
	struct session *s = ctx;
	char why[160];

	if (publish_url_match(conf_get(s->svc->conf, "authorize.patterns"), p->path, p->name, &s->match, why,
	    sizeof(why)) < 0) {
		refuse_url(s, p, why);
		return;
	}
	log_set_stream(s->match.name);
	s->phase = SES_CLAIMED;
	svc_send(s->svc, MSG_CLAIM, 1, json_pack("{s:s, s:o, s:s, s:s, s:o}", "name", s->match.name,
	    "app", msg_text(s->match.app, strlen(s->match.app)), "peer", s->conn.peer, "protocol", "rtmp",
	    "query", msg_text(p->query, strlen(p->query))));
}

static void
on_metadata(void *ctx, json_t *data)
{
	stream_metadata(&((struct session *)ctx)->stream, data);
}

static void
on_media(void *ctx, enum flv_type type, uint32_t ts, const uint8_t *body, size_t len)
{
	struct session *s = ctx;

	if (s->phase == SES_LIVE)
		stream_media(&s->stream, type, ts, body, len);
}

static void
on_ended(void *ctx, const char *how)
{
	char text[96];

	snprintf(text, sizeof(text), "the publisher ended the stream (%s)", how);
	finish(ctx, text);
}

static void
on_play(void *ctx, const char *name, char *buf, size_t size)
{
	const struct session *s = ctx;

	publish_url_watch(s->svc->conf, s->conn.local, name, buf, size);
}

static const struct rtmp_ops rtmp_ops = {
	.publish = on_publish, .media = on_media, .metadata = on_metadata, .ended = on_ended, .play = on_play,
};

static int
on_input(void *ctx, const uint8_t *p, size_t n)
{
	struct session *s = ctx;

	if (s->phase >= SES_CLOSING)
		return -1;
	meter_bytes(&s->stream.meter, n);
	if (rtmp_session_input(s->rtmp, p, n) == 0)
		return s->phase >= SES_CLOSING ? -1 : 0;
	say_refused(s, "protocol", rtmp_session_error(s->rtmp));
	finish(s, rtmp_session_error(s->rtmp));
	return -1;
}

static void
on_over(void *ctx, const char *why)
{
	struct session *s = ctx;

	if (s->phase == SES_LINGER)
		svc_exit(s->svc, 0, s->how);
	finish(s, why);		/* unless it is draining already */
}

static const struct conn_ops conn_ops = { .input = on_input, .over = on_over };

/* Nothing is left to do but to let the publisher read why; on_over() ends it. */
static void
linger(struct session *s)
{
	s->phase = SES_LINGER;
	conn_linger(&s->conn, LINGER_MS);
	if (s->conn.fd < 0)
		svc_exit(s->svc, 0, s->how);
}

static void
leave(void *ctx)
{
	struct session *s = ctx;

	if (s->phase != SES_CLOSING)
		return;
	if (s->endlist)
		sink_hls_endlist(s->stream.hls);
	linger(s);
}

/* The publisher is gone or has to go: once. */
static void
finish(struct session *s, const char *how)
{
	if (s->phase >= SES_CLOSING)
		return;
	str_copy(s->how, how, sizeof(s->how));
	if (s->stream.hls == NULL) {
		linger(s);
		return;
	}
	log_info("the stream ends: %s", how);
	conn_linger(&s->conn, LINGER_MS);
	s->phase = SES_CLOSING;
	s->deadline_ms = now_ms() + (s->hurry ? HURRY_MS : CLOSE_MS);
	stream_end(&s->stream);
}

void
session_stop(struct svc *svc, const char *reason, int64_t grace_ms)
{
	struct session *s = svc->ctx;

	s->hurry = true;
	if (s->phase == SES_CLOSING && s->deadline_ms > now_ms() + HURRY_MS)
		s->deadline_ms = now_ms() + HURRY_MS;
	if (s->phase == SES_LIVE)
		conn_read(&s->conn);	/* what has come until now is received */
	if (s->phase == SES_PROTOCOL)
		conn_close(&s->conn);	/* there is nothing to tell it */
	else if (s->phase < SES_CLOSING)
		rtmp_session_unpublish(s->rtmp, reason);
	finish(s, reason);
}

void
session_stop_message(struct svc *svc, struct msg *m)
{
	struct session *s = svc->ctx;

	s->endlist = json_is_true(json_object_get(m->body, "endlist"));
	session_stop(svc, msg_str_or(m, "reason", "stop"), msg_int_or(m, "grace_ms", 5000));
}

void
session_yield(struct svc *svc, struct msg *m)
{
	session_stop(svc, msg_str_or(m, "reason", "another publisher takes the name"), 2000);
	conn_linger(&((struct session *)svc->ctx)->conn, LINGER_YIELD_MS);
}

static void
tick_in(struct session *s, int64_t ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	event_add(s->tick, &tv);
}

static const char *
overdue(const struct session *s, int64_t now)
{
	const json_t *c = s->svc->conf;

	if (s->phase < SES_LIVE)
		return s->born_ms != 0 && now - s->born_ms > conf_int(c, "rtmp.handshake_timeout") ?
		    "no publish within rtmp.handshake_timeout" : NULL;
	if (s->stream.meter.last_media_ms == 0 && now - s->live_ms > conf_int(c, "rtmp.first_media_timeout"))
		return "no media within rtmp.first_media_timeout";
	if (now - s->conn.last_byte_ms > conf_int(c, "rtmp.ping_timeout"))
		return "not a byte for rtmp.ping_timeout: the publisher is dead";
	return NULL;
}

static void
live_tick(struct session *s, int64_t now)
{
	const char *why;

	conn_read(&s->conn);
	if (s->phase != SES_LIVE)
		return;
	why = stream_tick(&s->stream, now);
	if (why != NULL) {
		say_refused(s, "media", why);
		rtmp_session_refuse(s->rtmp, "NetStream.Publish.Rejected", why);
		finish(s, why);
		return;
	}
	if (now - s->pinged_ms >= conf_int(s->svc->conf, "rtmp.ping_interval")) {
		s->pinged_ms = now;
		rtmp_session_ping(s->rtmp, (uint32_t)now);
	}
	conn_write(&s->conn);
	if (meter_due(&s->stream.meter, now))
		stream_board(&s->stream, "live", now);
}

static void
tick_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct session *s = ctx;
	int64_t now = now_ms();
	const char *why;

	if (s->phase == SES_LINGER)
		return;
	tick_in(s, s->phase == SES_LIVE ?
	    meter_tick(&s->stream.meter, conf_int(s->svc->conf, "rtmp.read_tick"), now) :
	    s->phase == SES_CLOSING ? CLOSING_TICK_MS : SLOW_TICK_MS);
	if (s->phase == SES_CLOSING) {
		stream_tick_draining(&s->stream, now);
		if (now >= s->deadline_ms)
			leave(s);
		return;
	}
	if (s->phase == SES_LIVE)
		live_tick(s, now);
	if (s->phase < SES_CLOSING && (why = overdue(s, now)) != NULL) {
		if (s->phase == SES_LIVE)
			log_warnx("closing: %s", why);
		else
			say_refused(s, "timeout", why);
		finish(s, why);
	}
}

/* --- what the supervisor says --- */

void
session_grant(struct svc *svc, struct msg *m)
{
	struct session *s = svc->ctx;

	if (s->phase != SES_CLAIMED)
		return;
	if (stream_move_in(&s->stream, s->match.name) < 0) {
		rtmp_session_refuse(s->rtmp, "NetStream.Publish.Failed", "this server has no place for the stream");
		finish(s, "no place for the stream");
		return;
	}
	svc_title(svc, s->match.name);
	stream_open(&s->stream, s->match.name, s->match.app, leave, s);
	s->phase = SES_LIVE;
	s->live_ms = s->pinged_ms = now_ms();
	rtmp_session_accept(s->rtmp);
	conn_write(&s->conn);
	conn_by_tick(&s->conn);
	tick_in(s, 0);
	svc_send(svc, MSG_EVENT, 0, json_pack("{s:s, s:s}", "event", "stream_live", "name", s->match.name));
	stream_board(&s->stream, "live", s->live_ms);
}

void
session_refuse(struct svc *svc, struct msg *m)
{
	struct session *s = svc->ctx;
	const char *code = msg_str_or(m, "code", ""), *text = msg_str_or(m, "text", "refused");

	if (s->phase != SES_CLAIMED)
		return;
	rtmp_session_refuse(s->rtmp, strcmp(code, "duplicate") == 0 || strcmp(code, "elsewhere") == 0 ?
	    "NetStream.Publish.BadName" : "NetStream.Publish.Denied", text);
	finish(s, text);
}

void
session_output(struct svc *svc, struct msg *m)
{
	struct session *s = svc->ctx;

	if (s->stream.hls != NULL)
		s->stream.hls->ops->message(s->stream.hls, m);
}

void
session_conn(struct svc *svc, struct msg *m)
{
	struct session *s = svc->ctx;
	struct rtmp_limits limits;

	if (conn_take(&s->conn, svc->base, m, svc->conf) < 0) {
		svc_exit(svc, 1, "CONN without a connection, or twice");
		return;
	}
	rtmp_limits_read(&limits, svc->conf);
	s->rtmp = rtmp_session_new(&limits, &rtmp_ops, s, s->conn.out);
	s->born_ms = s->conn.last_byte_ms;
	tick_in(s, SLOW_TICK_MS);
}

struct session *
session_new(struct svc *svc)
{
	struct session *s = xcalloc(1, sizeof(*s));

	s->svc = svc;
	conn_init(&s->conn, &conn_ops, s);
	stream_init(&s->stream, svc);
	s->tick = evtimer_new(svc->base, tick_cb, s);
	return s;
}

void
session_free(struct session **sp)
{
	struct session *s = *sp;

	*sp = NULL;
	event_free(s->tick);
	stream_free(&s->stream);
	rtmp_session_free(&s->rtmp);
	conn_free(&s->conn);
	free(s);
}
