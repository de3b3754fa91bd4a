/*
 * session.c - one publisher from connection to end (contract in session.h): the protocol's
 * events, the supervisor's messages, and every time limit. Until the stream is live each
 * byte is read at once; then (RTMP) on a tick, because wake-ups are the whole cost. The socket
 * is conn.c's, the media stream.c's, the protocol a row of protocol.h.
 */
#include "session_parts.h"

#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "ws_intake.h"
#include "log.h"
#include "sink_hls.h"
#include "util.h"

#define LINGER_MS 1000			/* for the last words to reach the publisher */
#define BUSY_MS 1000			/* for a push whose target is slow */
#define LINGER_YIELD_MS 300		/* ... when another one waits for the name */

/* --- what the protocol says --- */

void
session_say_refused(struct session *s, const char *code, const char *text)
{
	bool live = s->phase >= SES_LIVE;

	if (live)
		log_warnx("refused: %s", text);
	svc_send(s->svc, MSG_EVENT, 0, json_pack("{s:s, s:s, s:s, s:s, s:o, s:b}", "event", "refused", "peer",
	    s->conn.peer, "code", code, "name", s->phase >= SES_CLAIMED ? s->match.name : "", "text",
	    msg_text(text, strlen(text)), "said", live));
}

static void
on_publish(void *ctx, const struct publish_match *match, const char *query)
{
	struct session *s = ctx;

	s->match = *match;
	log_set_stream(s->match.name);
	s->phase = SES_CLAIMED;
	svc_send(s->svc, MSG_CLAIM, 1, json_pack("{s:s, s:o, s:s, s:s, s:o}", "name", s->match.name,
	    "app", msg_text(s->match.app, strlen(s->match.app)), "peer", s->conn.peer, "protocol", s->ops->name,
	    "query", msg_text(query, strlen(query))));
}

static void
on_denied(void *ctx, const char *code, const char *said, const char *why)
{
	session_say_refused(ctx, code, said);
	session_finish(ctx, why);
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

	if (s->phase == SES_LIVE || s->phase == SES_DRAINING)
		stream_media(&s->stream, type, ts, body, len);
}

static void
on_bytes(void *ctx, size_t n)
{
	meter_bytes(&((struct session *)ctx)->stream.meter, n);
}

static void
on_ended(void *ctx, const char *how, const char *fault)
{
	struct session *s = ctx;

	if (fault != NULL && s->phase < SES_DRAINING)
		session_say_refused(s, "media", fault);
	session_finish(s, how);
}

/* All that the publisher sent is in the stream. */
static void
on_drained(void *ctx)
{
	struct session *s = ctx;

	if (s->phase != SES_DRAINING)
		return;
	s->phase = SES_CLOSING;
	stream_end(&s->stream);
}

static const struct protocol_events events = {
	.publish = on_publish, .denied = on_denied, .media = on_media, .metadata = on_metadata, .bytes = on_bytes,
	.ended = on_ended, .drained = on_drained,
};

static int
on_input(void *ctx, const uint8_t *p, size_t n)
{
	struct session *s = ctx;

	if (s->phase >= SES_DRAINING)
		return -1;
	meter_bytes(&s->stream.meter, n);
	if (s->ops->input(s->proto, p, n) == 0)
		return s->phase >= SES_DRAINING ? -1 : 0;
	if (s->phase >= SES_DRAINING)
		return -1;
	session_say_refused(s, "protocol", s->ops->error(s->proto));
	session_finish(s, s->ops->error(s->proto));
	return -1;
}

static void
on_over(void *ctx, const char *why)
{
	struct session *s = ctx;

	if (s->phase == SES_LINGER)
		svc_exit(s->svc, 0, s->how);
	if (s->phase == SES_LIVE && s->ops->lets_go)
		return;
	session_finish(s, why);		/* unless it is draining already */
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

void
session_leave(void *ctx)
{
	struct session *s = ctx;

	if (s->phase != SES_CLOSING && s->phase != SES_DRAINING)
		return;
	if (!s->only_busy && stream_busy(&s->stream)) {
		s->only_busy = true;
		if (s->deadline_ms > now_ms() + BUSY_MS)
			s->deadline_ms = now_ms() + BUSY_MS;
		return;
	}
	if (s->endlist)
		sink_hls_endlist(s->stream.hls);
	linger(s);
}

void
session_finish(struct session *s, const char *how)
{
	if (s->phase >= SES_DRAINING)
		return;
	str_copy(s->how, how, sizeof(s->how));
	if (s->stream.hls == NULL) {
		linger(s);
		return;
	}
	log_info("the stream ends: %s", how);
	conn_linger(&s->conn, LINGER_MS);
	s->phase = SES_DRAINING;
	s->left_bytes = SIZE_MAX;
	s->deadline_ms = now_ms() + (s->hurry ? SESSION_HURRY_MS : SESSION_CLOSE_MS);
	stream_gone(&s->stream);
	if (s->ops->drain == NULL || s->ops->drain(s->proto))
		on_drained(s);
}

void
session_stop(struct svc *svc, const char *reason, int64_t grace_ms)
{
	struct session *s = svc->ctx;

	s->hurry = true;
	if (s->phase >= SES_DRAINING && s->deadline_ms > now_ms() + SESSION_HURRY_MS)
		s->deadline_ms = now_ms() + SESSION_HURRY_MS;
	if (s->phase == SES_LIVE)
		conn_read(&s->conn);	/* what has come until now is received */
	if (s->phase == SES_PROTOCOL)
		conn_close(&s->conn);	/* there is nothing to tell it */
	else if (s->phase < SES_DRAINING)
		s->ops->unpublish(s->proto, reason);
	session_finish(s, reason);
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
	session_stop(svc, msg_str_or(m, "reason", "another publisher takes the name"), PROTO_YIELD_MS);
	conn_linger(&((struct session *)svc->ctx)->conn, LINGER_YIELD_MS);
}

/* --- what the supervisor says --- */

void
session_grant(struct svc *svc, struct msg *m)
{
	struct session *s = svc->ctx;

	if (s->phase != SES_CLAIMED)
		return;
	if (stream_move_in(&s->stream, s->match.name) < 0) {
		s->ops->refuse(s->proto, "place", "this server has no place for the stream");
		session_finish(s, "no place for the stream");
		return;
	}
	svc_title(svc, s->match.name);
	stream_open(&s->stream, s->match.name, s->match.app, session_leave, s);
	s->phase = SES_LIVE;
	s->live_ms = s->pinged_ms = now_ms();
	s->ops->accept(s->proto, s->match.name);
	conn_write(&s->conn);
	if (s->phase != SES_LIVE)
		return;			/* it ended at once */
	if (s->ops->by_tick)
		conn_by_tick(&s->conn);
	session_tick_in(s, 0);
	stream_board(&s->stream, "live", s->live_ms);
}

void
session_refuse(struct svc *svc, struct msg *m)
{
	struct session *s = svc->ctx;
	const char *code = msg_str_or(m, "code", ""), *text = msg_str_or(m, "text", "refused");

	if (s->phase != SES_CLAIMED)
		return;
	s->ops->refuse(s->proto, code, text);
	session_finish(s, text);
}

void
session_output(struct svc *svc, struct msg *m)
{
	struct session *s = svc->ctx;

	if (s->ops->message != NULL && (m->type == MSG_CALL ||
	    strcmp(msg_str_or(m, "output", ""), INTAKE_OUTPUT) == 0))
		s->ops->message(s->proto, m);
	else if (s->stream.hls != NULL)
		stream_message(&s->stream, m);
	if (m->type == MSG_FEED && s->phase == SES_LIVE)
		session_tick_in(s, 0);		/* from now on more often */
}

static const struct protocol_ops *another;	/* session_protocol() */

void
session_protocol(const struct protocol_ops *ops)
{
	another = ops;
}

static const struct protocol_ops *
find_ops(const char *route)
{
	static const struct protocol_ops *const all[] = { &rtmp_publish_ops, &ws_publish_ops };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(all[i]->route, route) == 0)
			return all[i];
	return another != NULL && strcmp(another->route, route) == 0 ? another : NULL;
}

void
session_conn(struct svc *svc, struct msg *m)
{
	struct session *s = svc->ctx;
	const struct protocol_env env = { .svc = svc, .conn = &s->conn, .fd = msg_take_fd(m, 2), .ev = &events,
	    .ctx = s };

	s->ops = find_ops(msg_str_or(m, "route", ""));
	if (s->ops == NULL || conn_take(&s->conn, svc->base, m, svc->conf) < 0) {
		svc_exit(svc, 1, "CONN without a connection, or twice");
		return;
	}
	s->proto = s->ops->new(&env);
	s->born_ms = s->conn.last_byte_ms;
	session_tick_in(s, 0);
	conn_early(&s->conn);
}

void
session_new(struct svc *svc)
{
	struct session *s = xcalloc(1, sizeof(*s));

	s->svc = svc;
	svc->ctx = s;
	conn_init(&s->conn, &conn_ops, s);
	stream_init(&s->stream, svc);
	s->tick = evtimer_new(svc->base, session_tick_cb, s);
}

void
session_free(struct svc *svc)
{
	struct session *s = svc->ctx;

	svc->ctx = NULL;
	event_free(s->tick);
	stream_free(&s->stream);
	if (s->proto != NULL)
		s->ops->free(&s->proto);
	conn_free(&s->conn);
	free(s);
}
