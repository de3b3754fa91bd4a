/*
 * rtmp_session.c - one publisher as a state machine (contract in rtmp_session.h): handshake,
 * chunks, control messages, commands by table. It knows the protocol's order and nothing
 * of sockets, streams or files; ingest/session.c is its only caller.
 */
#include "rtmp_session.h"

#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "amf0.h"
#include "rtmp_chunk.h"
#include "rtmp_cmd.h"
#include "rtmp_handshake.h"
#include "util.h"

#define STREAM_ID 1		/* the only message stream we hand out */
#define TEXT_MAX 2048		/* tcUrl, names: longer ones are refused */
#define AGGREGATE_HEAD 11

enum phase { PHASE_HANDSHAKE, PHASE_CONNECT, PHASE_PUBLISH, PHASE_ASKED, PHASE_LIVE, PHASE_OVER };

struct rtmp_session {
	struct rtmp_limits limits;
	const struct rtmp_ops *ops;
	void *ctx;
	struct rtmp_out out;
	enum phase phase;
	struct rtmp_handshake *handshake;	/* freed once it is over */
	struct rtmp_chunk *chunks;
	uint64_t bytes_in, acked;
	uint32_t ack_window, stream_id;
	char *tc_url, *app, *path, *flash_ver, *name, *query, *tc_query;
	char error[256];
};

static const char *const phase_names[] = { "handshake", "connect", "publish", "publish", "live", "over" };

static int on_message(void *ctx, const struct rtmp_message *m);

struct rtmp_session *
rtmp_session_new(const struct rtmp_limits *l, const struct rtmp_ops *ops, void *ctx, struct evbuffer *out)
{
	struct rtmp_session *s = xcalloc(1, sizeof(*s));
	struct rtmp_chunk_limits cl = { l->max_message, l->max_buffered, l->max_chunk_streams };

	s->limits = *l;
	s->ops = ops;
	s->ctx = ctx;
	s->out = (struct rtmp_out){ out, 128 };
	s->handshake = xcalloc(1, sizeof(*s->handshake));
	s->chunks = rtmp_chunk_new(&cl, on_message, s);
	s->stream_id = STREAM_ID;
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
	free(s->flash_ver);
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

bool
rtmp_session_publishing(const struct rtmp_session *s)
{
	return s->phase == PHASE_LIVE;
}

const char *
rtmp_session_state(const struct rtmp_session *s)
{
	return phase_names[s->phase];
}

static int
fail(struct rtmp_session *s, const char *what)
{
	str_copy(s->error, what, sizeof(s->error));
	s->phase = PHASE_OVER;
	return -1;
}

static void
replace(char **where, const char *text)
{
	free(*where);
	*where = xstrdup(text);
}

/* --- connect --- */

static const char *
text_of(json_t *object, const char *key)
{
	const char *k;
	json_t *v;

	json_object_foreach(object, k, v)
		if (strcasecmp(k, key) == 0 && json_is_string(v))
			return json_string_value(v);
	return "";
}

/* "rtmp://host:1935/live/?k=v" -> path "/live", query "k=v"; quotes around it and a trailing slash go. */
static void
split_tc_url(struct rtmp_session *s)
{
	const char *p = s->tc_url + (s->tc_url[0] == '"'), *slash = strstr(p, "://");
	char *end;

	slash = slash != NULL ? strchr(slash + 3, '/') : NULL;
	free(s->path);
	s->path = slash != NULL ? xstrdup(slash) : xasprintf("/%s", s->app);
	end = s->path + strcspn(s->path, "?\"");
	replace(&s->tc_query, *end == '?' ? end + 1 : "");
	*end = '\0';
	while (end > s->path + 1 && end[-1] == '/')
		*--end = '\0';
}

static int
cmd_connect(struct rtmp_session *s, double tx, json_t *args)
{
	json_t *o = json_array_get(args, 2), *encoding;
	const char *tc_url = text_of(o, "tcUrl"), *app = text_of(o, "app");
	bool asks;

	if (s->phase != PHASE_CONNECT)
		return fail(s, "a second connect");
	if (strlen(tc_url) > TEXT_MAX || strlen(app) > TEXT_MAX)
		return fail(s, "connect: a tcUrl or app longer than 2048 bytes");
	replace(&s->tc_url, tc_url);
	replace(&s->app, app);
	replace(&s->flash_ver, text_of(o, "flashVer"));
	split_tc_url(s);
	if (strstr(app, "authmod=") != NULL || strstr(tc_url, "authmod=") != NULL) {
		rtmp_cmd_error(&s->out, tx, "NetConnection.Connect.Rejected",
		    "user and password are not used here: put NAME?key=... into the Stream Key");
		return fail(s, "RTMP user and password (authmod) instead of ?key= in the stream key");
	}
	encoding = json_object_get(o, "objectEncoding");
	asks = json_object_get(o, "fourCcList") != NULL || json_object_get(o, "capsEx") != NULL ||
	    json_object_get(o, "videoFourCcInfoMap") != NULL;
	rtmp_cmd_control(&s->out, RTMP_WINDOW_ACK, s->limits.ack_window);
	rtmp_cmd_peer_bandwidth(&s->out, s->limits.ack_window);
	rtmp_cmd_control(&s->out, RTMP_SET_CHUNK_SIZE, s->limits.chunk_size);
	rtmp_cmd_connected(&s->out, tx, json_is_number(encoding) ? json_number_value(encoding) : 0,
	    asks && s->limits.enhanced);
	rtmp_cmd_bandwidth_done(&s->out);
	s->phase = PHASE_PUBLISH;
	return 0;
}

/* --- publish and its end --- */

static int
need_connect(struct rtmp_session *s, const char *what)
{
	char text[96];

	if (s->phase != PHASE_CONNECT)
		return 0;
	snprintf(text, sizeof(text), "%.40s before connect", what);
	return fail(s, text);
}

static int
cmd_create_stream(struct rtmp_session *s, double tx, json_t *args)
{
	if (need_connect(s, "createStream") < 0)
		return -1;
	rtmp_cmd_result_number(&s->out, tx, STREAM_ID);
	return 0;
}

static int
cmd_null_result(struct rtmp_session *s, double tx, json_t *args)
{
	if (tx != 0)
		rtmp_cmd_result_null(&s->out, tx);
	return 0;
}

static int
cmd_fcpublish(struct rtmp_session *s, double tx, json_t *args)
{
	if (tx != 0)
		rtmp_cmd_result_null(&s->out, tx);
	rtmp_cmd_status(&s->out, "onFCPublish", tx, 0, "status", "NetStream.Publish.Start", "ready");
	return 0;
}

static int
cmd_publish(struct rtmp_session *s, double tx, json_t *args)
{
	const char *name = json_string_value(json_array_get(args, 3)), *q;
	struct rtmp_publish p;

	if (need_connect(s, "publish") < 0)
		return -1;
	if (s->phase != PHASE_PUBLISH)
		return fail(s, "a second publish on one connection");
	if (name == NULL)
		name = "";
	if (strlen(name) > TEXT_MAX)
		return fail(s, "publish: a name longer than 2048 bytes");
	replace(&s->name, name);
	q = strchr(name, '?');
	if (q != NULL)
		s->name[q - name] = '\0';
	replace(&s->query, q != NULL ? q + 1 : s->tc_query);
	s->phase = PHASE_ASKED;
	p = (struct rtmp_publish){ .tc_url = s->tc_url, .path = s->path, .app = s->app, .name = s->name,
	    .query = s->query, .flash_ver = s->flash_ver };
	s->ops->publish(s->ctx, &p);
	return 0;
}

static int
ended(struct rtmp_session *s, const char *how)
{
	if (s->phase == PHASE_LIVE || s->phase == PHASE_ASKED) {
		s->phase = PHASE_OVER;
		s->ops->ended(s->ctx, how);
	}
	return 0;
}

static int
cmd_fcunpublish(struct rtmp_session *s, double tx, json_t *args)
{
	if (tx != 0)
		rtmp_cmd_result_null(&s->out, tx);
	return ended(s, "FCUnpublish");
}

static int
cmd_delete_stream(struct rtmp_session *s, double tx, json_t *args)
{
	return ended(s, "deleteStream");
}

static int
cmd_close_stream(struct rtmp_session *s, double tx, json_t *args)
{
	return ended(s, "closeStream");
}

static int
cmd_play(struct rtmp_session *s, double tx, json_t *args)
{
	const char *name = json_string_value(json_array_get(args, 3));
	char text[512] = "this server does not serve RTMP";

	if (need_connect(s, "play") < 0)
		return -1;
	s->ops->play(s->ctx, name != NULL ? name : "", text, sizeof(text));
	rtmp_cmd_status(&s->out, "onStatus", 0, s->stream_id, "error", "NetStream.Play.Failed", text);
	return fail(s, "a player: RTMP play is not served");
}

static const struct {
	const char *name;
	int (*run)(struct rtmp_session *s, double tx, json_t *args);
} commands[] = {
	{ "connect", cmd_connect },
	{ "releaseStream", cmd_null_result },
	{ "FCPublish", cmd_fcpublish },
	{ "createStream", cmd_create_stream },
	{ "publish", cmd_publish },
	{ "FCUnpublish", cmd_fcunpublish },
	{ "deleteStream", cmd_delete_stream },
	{ "closeStream", cmd_close_stream },
	{ "play", cmd_play },
	{ "play2", cmd_play },
};

static int
on_command(struct rtmp_session *s, uint32_t stream_id, const uint8_t *body, size_t len)
{
	json_t *args;
	const char *name;
	double tx;
	int whole, rc = -1;

	args = amf0_read(body, len, &whole);
	name = json_string_value(json_array_get(args, 0));
	tx = json_number_value(json_array_get(args, 1));
	if (name == NULL || !whole) {
		json_decref(args);
		return fail(s, "a command that is not AMF");
	}
	if (stream_id != 0)
		s->stream_id = stream_id;
	for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(name, commands[i].name) == 0) {
			rc = commands[i].run(s, tx, args);
			json_decref(args);
			return rc;
		}
	/* _result and the like need no answer; unknown calls get a null so that nobody waits */
	if (name[0] != '_' || strcmp(name, "_checkbw") == 0)
		cmd_null_result(s, tx, args);
	json_decref(args);
	return 0;
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
	return s->phase == PHASE_OVER ? 0 : fail(s, "media before publish was accepted");
}

/* FLV tags in a row; their times are relative to the first one's, which is the message's. */
static int
on_aggregate(struct rtmp_session *s, const struct rtmp_message *m)
{
	const uint8_t *p = m->body;
	size_t left = m->len, size;
	uint32_t ts, first = 0;
	bool any = false;

	for (; left >= AGGREGATE_HEAD; p += AGGREGATE_HEAD + size + 4, left -= AGGREGATE_HEAD + size + 4) {
		size = (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
		ts = (uint32_t)p[7] << 24 | (uint32_t)p[4] << 16 | (uint32_t)p[5] << 8 | p[6];
		if (size + 4 > left - AGGREGATE_HEAD)
			return fail(s, "a torn aggregate message");
		if (!any)
			first = ts;
		any = true;
		if ((p[0] == RTMP_AUDIO || p[0] == RTMP_VIDEO) &&
		    on_media(s, p[0], m->timestamp + (ts - first), p + AGGREGATE_HEAD, size) < 0)
			return -1;
	}
	return 0;
}

static uint32_t
be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int
on_control(struct rtmp_session *s, const struct rtmp_message *m)
{
	uint32_t v;

	if (m->type == RTMP_USER_CONTROL) {
		if (m->len >= 6 && m->body[0] == 0 && m->body[1] == 6)	/* PingRequest */
			rtmp_cmd_user_control(&s->out, 7, be32(m->body + 2));
		return 0;
	}
	if (m->len < 4)
		return fail(s, "a control message of fewer than 4 bytes");
	v = be32(m->body);
	if (m->type == RTMP_SET_CHUNK_SIZE) {
		if ((v & 0x7fffffff) == 0)
			return fail(s, "SetChunkSize 0");
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
	size_t skip = m->type == RTMP_COMMAND_AMF3 || m->type == RTMP_DATA_AMF3 ? m->len > 0 : 0;

	switch (m->type) {
	case RTMP_AUDIO:
	case RTMP_VIDEO:
		return on_media(s, m->type, m->timestamp, m->body, m->len);
	case RTMP_COMMAND_AMF0:
	case RTMP_COMMAND_AMF3:		/* a format byte, then AMF0 */
		return on_command(s, m->stream_id, m->body + skip, m->len - skip);
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
		return fail(s, "the first byte is not RTMP's version 3 (HTTP, TLS or RTMPE on the RTMP port?)");
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
		return s->error[0] != '\0' ? -1 : fail(s, rtmp_chunk_error(s->chunks));
	if (s->ack_window != 0 && s->bytes_in - s->acked >= s->ack_window) {
		s->acked = s->bytes_in;
		rtmp_cmd_control(&s->out, RTMP_ACK, (uint32_t)s->bytes_in);
	}
	return 0;
}

void
rtmp_session_accept(struct rtmp_session *s)
{
	s->phase = PHASE_LIVE;
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
	rtmp_cmd_status(&s->out, "onStatus", 0, s->stream_id, "status", "NetStream.Unpublish.Success", description);
}

void
rtmp_session_ping(struct rtmp_session *s, uint32_t ts)
{
	rtmp_cmd_user_control(&s->out, 6, ts);
}
