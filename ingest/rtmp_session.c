/*
 * rtmp_session.c - one publisher as a state machine (contract in rtmp_session.h): handshake,
 * chunks, control messages, data and media; commands are rtmp_call.c's. It knows the
 * protocol's order and nothing of sockets, streams or files; ingest/session.c is its only
 * caller. Any message may come in any state: each handler says what it needs.
 */
#include "rtmp_session.h"

#include <event2/buffer.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "amf0.h"
#include "be.h"
#include "conf.h"
#include "rtmp_call.h"
#include "rtmp_handshake.h"
#include "util.h"

#define AGGREGATE_HEAD 11	/* of each FLV tag in one */
#define AGGREGATE_TAIL 4

static int on_message(void *ctx, const struct rtmp_message *m);

void
rtmp_limits_read(struct rtmp_limits *l, const json_t *conf)
{
	*l = (struct rtmp_limits){
		.max_message = (size_t)conf_int(conf, "rtmp.max_message"),
		.max_buffered = (size_t)conf_int(conf, "rtmp.max_buffered"),
		.max_metadata = (size_t)conf_int(conf, "rtmp.max_metadata"),
		.max_chunk_streams = (unsigned)conf_int(conf, "rtmp.max_chunk_streams"),
		.chunk_size = (uint32_t)conf_int(conf, "rtmp.chunk_size"),
		.ack_window = (uint32_t)conf_int(conf, "rtmp.ack_window"),
		.max_unpublished = (size_t)conf_int(conf, "rtmp.max_unpublished"),
	};
}

struct rtmp_session *
rtmp_session_new(const struct rtmp_limits *l, const struct rtmp_ops *ops, void *ctx, struct evbuffer *out)
{
	struct rtmp_session *s = xcalloc(1, sizeof(*s));

	s->limits = *l;
	s->chunk_limits = (struct rtmp_chunk_limits){ l->max_unpublished, l->max_unpublished, l->max_chunk_streams,
	    "rtmp.max_unpublished", "rtmp.max_unpublished" };
	s->ops = ops;
	s->ctx = ctx;
	s->out = (struct rtmp_out){ out, 128 };
	s->handshake = xcalloc(1, sizeof(*s->handshake));
	s->chunks = rtmp_chunk_new(&s->chunk_limits, on_message, s);
	s->stream_id = RTMP_STREAM_ID;
	return s;
}

void
rtmp_session_free(struct rtmp_session **sp)
{
	struct rtmp_session *s = *sp;

	if (s == NULL)
		return;
	rtmp_chunk_free(&s->chunks);
	free(s->handshake);
	free(s->tc_url);
	free(s->app);
	free(s->path);
	free(s->name);
	free(s->query);
	free(s->tc_query);
	free(s);
	*sp = NULL;
}

const char *
rtmp_session_error(const struct rtmp_session *s)
{
	return s->error;
}

int
rtmp_session_fail(struct rtmp_session *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->error, sizeof(s->error), fmt, ap);
	va_end(ap);
	s->phase = PHASE_OVER;
	return -1;
}

/* --- data, media, control --- */

static void
on_data(struct rtmp_session *s, const uint8_t *body, size_t len)
{
	json_t *all, *v, *flat;
	const char *key, *name;
	size_t i = 0;
	int whole;

	if (len > s->limits.max_metadata)
		return;
	all = amf0_read(body, len, &whole);
	name = json_string_value(json_array_get(all, 0));
	if (name != NULL && strcmp(name, "@setDataFrame") == 0)
		name = json_string_value(json_array_get(all, ++i));
	if (name != NULL && strcmp(name, "onMetaData") == 0) {
		flat = json_object();
		json_object_foreach(json_array_get(all, i + 1), key, v)
			if (json_is_number(v) || json_is_boolean(v) || json_is_string(v))
				json_object_set(flat, key, v);
		s->ops->metadata(s->ctx, flat);
		json_decref(flat);
	}
	json_decref(all);
}

static int
on_media(struct rtmp_session *s, uint8_t type, uint32_t ts, const uint8_t *body, size_t len)
{
	if (s->phase == PHASE_LIVE) {
		if (len > 0)
			s->ops->media(s->ctx, (enum flv_type)type, ts, body, len);
		return 0;
	}
	return s->phase == PHASE_OVER ? 0 : rtmp_session_fail(s, "media before publish was accepted");
}

/* FLV tags in a row; their times are relative to the first one's, which is the message's. */
static int
on_aggregate(struct rtmp_session *s, const struct rtmp_message *m)
{
	const uint8_t *p = m->body;
	size_t left = m->len, size;
	uint32_t ts, first = 0;

	while (left >= AGGREGATE_HEAD) {
		size = flv_tag_body(p);
		ts = flv_tag_ms(p);
		if (size + AGGREGATE_TAIL > left - AGGREGATE_HEAD)
			return rtmp_session_fail(s, "chunk stream %u: a tag of %zu bytes in an aggregate message "
			    "that has %zu left", m->csid, size, left - AGGREGATE_HEAD);
		if (p == m->body)
			first = ts;
		if (p[0] == RTMP_DATA_AMF0)
			on_data(s, p + AGGREGATE_HEAD, size);
		else if ((p[0] == RTMP_AUDIO || p[0] == RTMP_VIDEO) &&
		    on_media(s, p[0], m->timestamp + (ts - first), p + AGGREGATE_HEAD, size) < 0)
			return -1;
		size += AGGREGATE_HEAD + AGGREGATE_TAIL;
		p += size;
		left -= size;
	}
	return 0;
}

static int
on_control(struct rtmp_session *s, const struct rtmp_message *m)
{
	uint32_t v;

	if (m->type == RTMP_USER_CONTROL) {
		if (m->len >= 6 && m->body[0] == 0 && m->body[1] == 6)	/* PingRequest */
			rtmp_cmd_user_control(&s->out, 7, be_get(m->body + 2, 4));
		return 0;
	}
	if (m->len < 4)
		return rtmp_session_fail(s, "chunk stream %u: a control message (type %u) of %zu bytes",
		    m->csid, m->type, m->len);
	v = be_get(m->body, 4);
	if (m->type == RTMP_SET_CHUNK_SIZE) {
		if ((v & 0x7fffffff) == 0)
			return rtmp_session_fail(s, "chunk stream %u: SetChunkSize %u", m->csid, v);
		rtmp_chunk_set_size(s->chunks, v);
	} else if (m->type == RTMP_ABORT)
		rtmp_chunk_abort(s->chunks, v);
	else if (m->type == RTMP_WINDOW_ACK)
		s->ack_window = v;
	return 0;
}

static int
on_message(void *ctx, const struct rtmp_message *m)
{
	struct rtmp_session *s = ctx;
	/* AMF3 framing: a format byte 0, then AMF0. Some leave it out; no name begins with one. */
	bool amf3 = m->type == RTMP_COMMAND_AMF3 || m->type == RTMP_DATA_AMF3;
	size_t skip = amf3 && m->len > 0 && m->body[0] == 0;

	switch (m->type) {
	case RTMP_AUDIO:
	case RTMP_VIDEO:
		return on_media(s, m->type, m->timestamp, m->body, m->len);
	case RTMP_COMMAND_AMF0:
	case RTMP_COMMAND_AMF3:
		return rtmp_call(s, m, m->body + skip, m->len - skip);
	case RTMP_DATA_AMF0:
	case RTMP_DATA_AMF3:
		on_data(s, m->body + skip, m->len - skip);
		return 0;
	case RTMP_AGGREGATE:
		return on_aggregate(s, m);
	case RTMP_SET_CHUNK_SIZE:
	case RTMP_ABORT:
	case RTMP_ACK:
	case RTMP_USER_CONTROL:
	case RTMP_WINDOW_ACK:
	case RTMP_PEER_BANDWIDTH:
		return on_control(s, m);
	default:
		return 0;
	}
}

static int
shake(struct rtmp_session *s, const uint8_t **in, size_t *len)
{
	uint8_t reply[1 + 2 * RTMP_C1_BYTES];
	size_t used, reply_len;
	int rc = rtmp_handshake_input(s->handshake, *in, *len, &used, reply, &reply_len);

	if (rc < 0)
		return rtmp_session_fail(s,
		    "the first byte is not RTMP's version 3 (HTTP, TLS or RTMPE on the RTMP port?)");
	evbuffer_add(s->out.buf, reply, reply_len);
	*in += used;
	*len -= used;
	if (rc == 1) {
		free(s->handshake);
		s->handshake = NULL;
		s->phase = PHASE_CONNECT;
	}
	return 0;
}

int
rtmp_session_input(struct rtmp_session *s, const uint8_t *in, size_t len)
{
	s->bytes_in += len;
	if (s->phase == PHASE_HANDSHAKE && shake(s, &in, &len) < 0)
		return -1;
	if (len > 0 && rtmp_chunk_input(s->chunks, in, len) < 0)
		return s->error[0] != '\0' ? -1 : rtmp_session_fail(s, "%s", rtmp_chunk_error(s->chunks));
	if (s->ack_window != 0 && s->bytes_in - s->acked >= s->ack_window) {
		s->acked = s->bytes_in;
		rtmp_cmd_control(&s->out, RTMP_ACK, (uint32_t)s->bytes_in);
	}
	return 0;
}

void
rtmp_session_accept(struct rtmp_session *s)
{
	if (s->phase != PHASE_ASKED)
		return;		/* it went away while it waited */
	s->phase = PHASE_LIVE;
	s->chunk_limits.max_message = s->limits.max_message;
	s->chunk_limits.message_key = "rtmp.max_message";
	s->chunk_limits.max_buffered = s->limits.max_buffered;
	s->chunk_limits.buffered_key = "rtmp.max_buffered";
	rtmp_cmd_user_control(&s->out, 0, s->stream_id);
	rtmp_cmd_status(&s->out, "onStatus", 0, s->stream_id, "status", "NetStream.Publish.Start", "publishing");
}

void
rtmp_session_refuse(struct rtmp_session *s, const char *code, const char *description)
{
	s->phase = PHASE_OVER;
	rtmp_cmd_status(&s->out, "onStatus", 0, s->stream_id, "error", code, description);
}

void
rtmp_session_unpublish(struct rtmp_session *s, const char *description)
{
	s->phase = PHASE_OVER;
	/* what the publisher did not ask for is an error to him: encoders show no description of another level */
	rtmp_cmd_status(&s->out, "onStatus", 0, s->stream_id, "error", "NetStream.Unpublish.Success", description);
}

void
rtmp_session_ping(struct rtmp_session *s, uint32_t ts)
{
	rtmp_cmd_user_control(&s->out, 6, ts);
}
