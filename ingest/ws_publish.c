/*
 * ws_publish.c - publishing over a WebSocket as a row of protocol.h: GET /ws?role=publisher&
 * streamKey=NAME (or /ws/NAME), then binary messages with any container. Whether the stream may
 * be is asked before the upgrade, so that a refusal is an HTTP status. Then text messages tell
 * the publisher how it fares: {"streamKey", "message"}, {"state": "live" | "slow" | "ok" |
 * "restart"}. The socket is conn.c's, the media ws_intake.c's.
 */
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "log.h"
#include "protocol.h"
#include "util.h"
#include "ws.h"
#include "ws_head.h"
#include "ws_intake.h"

#define SLOW_SAY_MS 1000	/* the sender is told how much waits at most so often */

struct protocol {
	struct protocol_env env;
	struct request head;
	bool has_head;
	struct evbuffer *behind;	/* the head: what came with it */
	struct ws *ws;			/* NULL: not upgraded */
	struct ws_intake *intake;
	bool first;			/* the next piece begins a message */
	bool said_live, slow;
	int64_t slow_said_ms;
	char encoder[64];
	char error[240];
};

/* --- the head --- */

/* Also for the log. */
static void
refuse_head(struct protocol *p, int status, const char *code, const char *why)
{
	ws_head_refuse(p->env.conn->out, status, NULL, why);
	str_copy(p->error, why, sizeof(p->error));
	p->error[strcspn(p->error, "\n")] = '\0';
	p->env.ev->denied(p->env.ctx, code, p->error, p->error);
}

/* ?streamKey=NAME, or /ws/NAME. */
static int
find_name(const struct protocol *p, char name[STREAM_NAME_MAX + 1])
{
	const char *path = request_path(&p->head);
	char text[256];

	if (strncmp(path, "/ws/", 4) == 0) {
		if (request_decode(path + 4, strlen(path + 4), text, sizeof(text)) < 0)
			return -1;
	} else if (request_param(&p->head, "streamKey", text, sizeof(text)) < 0)
		return -1;
	if (!stream_name_ok(text, strlen(text)))
		return -1;
	str_copy(name, text, STREAM_NAME_MAX + 1);
	return 0;
}

static void
ask_for_stream(struct protocol *p)
{
	struct publish_match match = { .app = "ws" };
	char role[16] = "publisher";
	const char *why;
	int status = ws_head_check(&p->head, conf_get(p->env.svc->conf, "ws.origins"), &why);

	request_param(&p->head, "role", role, sizeof(role));
	if (status != 0)
		refuse_head(p, status, "protocol", why);
	else if (strcmp(role, "publisher") != 0)
		refuse_head(p, 400, "protocol", "role is publisher, viewer or upload.\n");
	else if (find_name(p, match.name) < 0)
		refuse_head(p, 400, "pattern", "streamKey is no name that a stream can have: 1 to 64 of A-Z a-z 0-9 . "
		    "_ -, not beginning with a dot. Example: /ws?role=publisher&streamKey=alice\n");
	else
		p->env.ev->publish(p->env.ctx, &match, request_query(&p->head));
}

static int
take_head(struct protocol *p, const uint8_t *in, size_t n)
{
	int used = ws_head_read(&p->head, in, n);

	if (used < 0) {
		str_copy(p->error, "a connection without a request", sizeof(p->error));
		return -1;
	}
	p->has_head = true;
	evbuffer_add(p->behind, in + used, n - (size_t)used);
	conn_pause(p->env.conn, true);	/* until it is known whether it may */
	ws_head_agent(&p->head, p->encoder, sizeof(p->encoder));
	ask_for_stream(p);
	return 0;
}

/* --- what the publisher sends --- */

static void
say_state(struct protocol *p, const char *state, const char *text)
{
	json_t *body = json_pack("{s:s}", "state", state);

	if (text != NULL)
		json_object_set_new(body, "message", msg_text(text, strlen(text)));
	ws_json(p->ws, body);
}

static void
say_slow(struct protocol *p)
{
	int64_t now = now_ms();

	p->slow = true;
	if (now - p->slow_said_ms < SLOW_SAY_MS)
		return;
	p->slow_said_ms = now;
	ws_json(p->ws, json_pack("{s:s, s:I}", "state", "slow", "queued", (json_int_t)ws_intake_queued(p->intake)));
}

static void
on_piece(void *ctx, const uint8_t *in, size_t n, bool last)
{
	struct protocol *p = ctx;
	const char *why = n > 0 ? ws_intake_feed(p->intake, in, n, p->first) : NULL;

	p->first = last || (p->first && n == 0);
	if (why != NULL) {
		snprintf(p->error, sizeof(p->error), "%s", why);
		ws_close(p->ws, WS_UNSUPPORTED, why);
	} else if (ws_intake_full(p->intake)) {
		conn_pause(p->env.conn, true);
		say_slow(p);
	}
}

/* A page may say things that this version knows nothing of. */
static void
on_message(void *ctx, bool text, const uint8_t *in, size_t n)
{
	log_debug("the publisher says %.*s", n < 200 ? (int)n : 200, (const char *)in);
}

static void
on_closed(void *ctx, unsigned code, const char *reason)
{
	struct protocol *p = ctx;
	char how[200];

	snprintf(how, sizeof(how), "the publisher closed the WebSocket (%u%s%s)", code, reason[0] != '\0' ? ": " : "",
	    reason);
	p->env.ev->ended(p->env.ctx, how, NULL);
}

static const struct ws_ops ws_ops = { .message = on_message, .piece = on_piece, .closed = on_closed };

static int
ws_publish_input(struct protocol *p, const uint8_t *in, size_t n)
{
	if (!p->has_head)
		return take_head(p, in, n);
	if (p->ws == NULL) {
		evbuffer_add(p->behind, in, n);	/* it is paused: at most what one read took */
		return 0;
	}
	if (ws_input(p->ws, in, n) == 0)
		return 0;
	if (ws_error(p->ws)[0] != '\0')
		str_copy(p->error, ws_error(p->ws), sizeof(p->error));
	return -1;
}

static const char *
ws_publish_error(const struct protocol *p)
{
	return p->error;
}

/* --- what comes of it --- */

static void
on_media(void *ctx, enum flv_type type, uint32_t ts, const uint8_t *body, size_t len)
{
	struct protocol *p = ctx;

	if (!p->said_live) {
		p->said_live = true;
		say_state(p, "live", NULL);
	}
	p->env.ev->media(p->env.ctx, type, ts, body, len);
}

/* The encoder is the browser, not our ffmpeg. */
static void
on_metadata(void *ctx, json_t *data)
{
	struct protocol *p = ctx;

	json_object_set_new(data, "encoder", msg_text(p->encoder, strlen(p->encoder)));
	p->env.ev->metadata(p->env.ctx, data);
}

static void
on_room(void *ctx)
{
	conn_pause(((struct protocol *)ctx)->env.conn, false);
}

/* Clients that can begin again say so (&restart=1); the others do if the connection goes. */
static int
on_restart(void *ctx, const char *why)
{
	struct protocol *p = ctx;
	char can[4] = "";

	if (request_param(&p->head, "restart", can, sizeof(can)) == 0 && strcmp(can, "1") == 0) {
		log_warnx("%s; the publisher is asked to begin again", why);
		say_state(p, "restart", why);
		conn_write(p->env.conn);
		return 0;
	}
	ws_close(p->ws, WS_RESTART, why);
	conn_write(p->env.conn);
	return -1;
}

static void
on_drained(void *ctx)
{
	struct protocol *p = ctx;

	p->env.ev->drained(p->env.ctx);
}

static void
ws_publish_accept(struct protocol *p, const char *name)
{
	static const struct ws_intake_ops ops = {
		.media = on_media, .metadata = on_metadata, .room = on_room, .restart = on_restart,
		.drained = on_drained,
	};
	size_t n = evbuffer_get_length(p->behind);

	ws_head_accept(&p->head, p->env.conn->out);
	p->ws = ws_new((size_t)conf_int(p->env.svc->conf, "ws.max_message"), &ws_ops, p, p->env.conn->out);
	p->intake = ws_intake_new(p->env.svc, &ops, p);
	p->first = true;
	ws_json(p->ws, json_pack("{s:s, s:s}", "streamKey", name, "message", "Room created"));
	conn_pause(p->env.conn, false);
	if (n > 0)
		p->env.conn->ops->input(p->env.conn->ctx, evbuffer_pullup(p->behind, -1), n);
	evbuffer_drain(p->behind, n);
}

/* A page is not told the status of an upgrade that was refused; it asks (&reasons=1) for a Close. */
static bool
wants_reasons(const struct protocol *p)
{
	char yes[4] = "";

	return request_param(&p->head, "reasons", yes, sizeof(yes)) == 0 && strcmp(yes, "1") == 0;
}

static void
refuse_by_close(struct protocol *p, int status, const char *text)
{
	struct ws *w;

	ws_head_accept(&p->head, p->env.conn->out);
	w = ws_new((size_t)conf_int(p->env.svc->conf, "ws.max_message"), &ws_ops, p, p->env.conn->out);
	/* What may be over in a moment is worth another try. */
	ws_close(w, status == 409 || status == 503 ? WS_TRY_LATER : WS_POLICY, text);
	ws_free(&w);
}

static void
ws_publish_refuse(struct protocol *p, const char *code, const char *text)
{
	static const struct { const char *code; int status; } words[] = {
		{ "duplicate", 409 }, { "elsewhere", 409 }, { "key", 403 }, { "signature", 403 }, { "expired", 403 },
		{ "pattern", 400 },
	};
	char line[300];
	int status = 503;

	if (p->ws != NULL) {	/* a page that was frozen may come back */
		ws_close(p->ws, strcmp(code, "timeout") == 0 ? WS_TRY_LATER : WS_POLICY, text);
		return;
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(code, words[i].code) == 0)
			status = words[i].status;
	if (wants_reasons(p)) {
		refuse_by_close(p, status, text);
		return;
	}
	snprintf(line, sizeof(line), "%s\n", text);
	ws_head_refuse(p->env.conn->out, status, status == 503 ? "Retry-After: 5\r\n" : NULL, line);
}

static void
ws_publish_unpublish(struct protocol *p, const char *text)
{
	if (p->ws == NULL)
		ws_publish_refuse(p, "stopping", text);
	else
		ws_close(p->ws, WS_GOING_AWAY, text);
}

static void
ws_publish_ping(struct protocol *p, int64_t now)
{
	ws_ping(p->ws);
}

static const char *
ws_publish_tick(struct protocol *p, int64_t now)
{
	const char *why = ws_intake_tick(p->intake, now);

	if (p->slow && ws_intake_queued(p->intake) == 0) {
		p->slow = false;
		p->slow_said_ms = 0;
		say_state(p, "ok", NULL);
	} else if (p->slow && p->env.conn->paused)
		say_slow(p);
	return why;
}

static void
ws_publish_message(struct protocol *p, struct msg *m)
{
	if (p->intake != NULL)
		ws_intake_message(p->intake, m);
}

static bool
ws_publish_drain(struct protocol *p)
{
	return p->intake == NULL || ws_intake_end(p->intake);
}

static size_t
ws_publish_undrained(const struct protocol *p)
{
	return ws_intake_queued(p->intake);
}

static struct protocol *
ws_publish_new(const struct protocol_env *env)
{
	struct protocol *p = xcalloc(1, sizeof(*p));

	p->env = *env;
	p->behind = evbuffer_new();
	return p;
}

static void
ws_publish_free(struct protocol **pp)
{
	struct protocol *p = *pp;

	ws_intake_free(&p->intake);
	ws_free(&p->ws);
	request_free(&p->head);
	evbuffer_free(p->behind);
	free(p);
	*pp = NULL;
}

const struct protocol_ops ws_publish_ops = {
	.route = "ws", .name = "ws", .handshake = "ws.first_media_timeout", .first_media = "ws.first_media_timeout",
	.ping_interval = "ws.ping_interval", .ping_timeout = "ws.ping_timeout", .new = ws_publish_new,
	.free = ws_publish_free, .input = ws_publish_input, .error = ws_publish_error, .accept = ws_publish_accept,
	.refuse = ws_publish_refuse, .unpublish = ws_publish_unpublish, .ping = ws_publish_ping,
	.tick = ws_publish_tick, .message = ws_publish_message, .drain = ws_publish_drain,
	.undrained = ws_publish_undrained,
};
