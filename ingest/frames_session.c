/*
 * frames_session.c - a frames client from its request to its files (contract in frames_session.h): the
 * order. Time is frames_tick.c's. What it says is frames_proto.c's and frames_events.c's, its file
 * frames_file.c's, playback frames_play.c's.
 *
 *   HEAD -101-> NEW -its first message-> CLAIMED -GRANT-> OPEN -CLOSE-> FINISHING -the job is done-> LINGER
 *
 * Its id is checked like a stream's name, but it is no stream: two sessions may share one. The file
 * begins with the first frame or sample. Whatever ends the session, the file is let go, and a
 * job makes MP4 and WAV of it; after CLOSE the client waits for that, at most
 * frames.close_wait, and is told their names.
 */
#include "frames_session.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "frames_parts.h"
#include "landlock.h"
#include "log.h"
#include "rec_file.h"
#include "util.h"
#include "ws_head.h"

#define LINGER_MS 1000
#define PATH_BYTES 700
#define SKIP_MAX (256 << 20)	/* a longer message is not even passed over */

/* --- the end --- */

/* The file is complete as it is: a job takes it from here. */
static void
let_go(struct frames_session *s)
{
	char file[FRAMES_NAME_MAX + 32];

	if (s->file.fd < 0)
		return;
	frames_file_close(&s->file, s->sync);
	snprintf(file, sizeof(file), "media/temp/%s.mkv", s->file.name);
	log_info("session %s ends with %lld frames and %.1f s of sound: %s", s->file.name,
	    (long long)s->file.frames, (double)s->file.samples / FRAMES_RATE, s->how);
	svc_send(s->svc, MSG_EVENT, 0, json_pack("{s:s, s:s, s:s}", "event", "recorded", "name", s->client, "file",
	    file));
}

static void
linger(struct frames_session *s, unsigned code, const char *reason)
{
	if (s->phase == FR_LINGER)
		return;
	if (s->ws != NULL)
		ws_close(s->ws, code, reason);
	s->phase = FR_LINGER;
	conn_linger(&s->conn, LINGER_MS);
	if (s->conn.fd < 0)
		svc_exit(s->svc, 0, s->how);
}

void
frames_end(struct frames_session *s, unsigned code, const char *how)
{
	if (s->phase == FR_LINGER)
		return;
	if (s->how[0] == '\0')
		str_copy(s->how, how, sizeof(s->how));
	frames_play_stop(&s->play, how);
	let_go(s);
	linger(s, code, how);
}

void
frames_say_closed(struct frames_session *s, bool complete)
{
	json_t *body = json_pack("{s:s, s:s, s:I, s:I}", "id", s->client, "state", complete ? "done" : "queued",
	    "frames", (json_int_t)s->file.frames, "samples", (json_int_t)s->file.samples);

	if (s->file.frames > 0)
		json_object_set_new(body, "video", json_sprintf("%s.mp4", s->file.name));
	if (s->file.samples > 0)
		json_object_set_new(body, "audio", json_sprintf("%s.wav", s->file.name));
	frames_proto_say(&s->proto, "CLOSED", body);
	linger(s, WS_NORMAL, "closed");
}

void
frames_tick_in(struct frames_session *s, int64_t ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	event_add(s->tick, &tv);
}

void
frames_finish(struct frames_session *s, const char *how)
{
	bool any = s->file.fd >= 0;

	if (s->phase >= FR_FINISHING)
		return;
	str_copy(s->how, how, sizeof(s->how));
	frames_play_stop(&s->play, how);
	let_go(s);
	s->phase = FR_FINISHING;
	s->deadline_ms = now_ms() + conf_int(s->svc->conf, "frames.close_wait");
	if (any)
		frames_tick_in(s, FRAMES_FINISHING_TICK_MS);
	else
		frames_say_closed(s, true);
}

void
frames_claim(struct frames_session *s, const char *id, size_t len)
{
	frames_client_name(len > 0 ? id : s->name, len > 0 ? len : strlen(s->name), s->client);
	log_set_stream(s->client);
	s->phase = FR_CLAIMED;
	conn_pause(&s->conn, true);
	svc_send(s->svc, MSG_CLAIM, 1, json_pack("{s:s, s:s, s:s, s:s, s:o, s:b}", "name", s->client, "app", "",
	    "peer", s->conn.peer, "protocol", "frames", "query", msg_text(s->query, strlen(s->query)), "stream", 0));
}

/* --- the WebSocket --- */

static void
on_closed(void *ctx, unsigned code, const char *reason)
{
	char how[200];

	snprintf(how, sizeof(how), "the client closed the connection (%u%s%.100s)", code, reason[0] != '\0' ? ", " : "",
	    reason);
	frames_end(ctx, WS_NORMAL, how);
}

static bool
on_too_big(void *ctx, bool text, uint64_t len)
{
	struct frames_session *s = ctx;

	s->proto.messages++;
	frames_proto_error(&s->proto, "message", "it has more than frames.max_message, %lld bytes, and is skipped",
	    (long long)conf_int(s->svc->conf, "frames.max_message"));
	return len <= SKIP_MAX;
}

static const struct ws_ops ws_ops = { .message = frames_message, .too_big = on_too_big, .closed = on_closed };

/* "/frames/NAME?key=..." */
static void
take_names(struct frames_session *s, const struct request *r)
{
	static const char prefix[] = "/frames/";
	const char *path = request_path(r);

	str_copy(s->query, request_query(r), sizeof(s->query));
	if (strncmp(path, prefix, sizeof(prefix) - 1) != 0)
		return;
	path += sizeof(prefix) - 1;
	if (request_decode(path, strlen(path), s->name, sizeof(s->name)) < 0)
		s->name[0] = '\0';
}

/* 0, or -1: it was refused. */
static int
take_head(struct frames_session *s, const uint8_t **p, size_t *n)
{
	const json_t *c = s->svc->conf;
	struct request r;
	const char *why = "this is no request for a WebSocket";
	int used = ws_head_read(&r, *p, *n), status = used < 0 ? 400 : ws_head_check(&r, conf_get(c, "ws.origins"),
	    &why);

	if (status == 0) {
		take_names(s, &r);
		ws_head_accept(&r, s->conn.out);
		s->ws = ws_new((size_t)conf_int(c, "frames.max_message"), &ws_ops, s, s->conn.out);
		s->phase = FR_NEW;
		*p += used;
		*n -= (size_t)used;
	} else {
		ws_head_refuse(s->conn.out, status, NULL, why);
		frames_end(s, 0, why);
	}
	request_free(&r);
	return status == 0 ? 0 : -1;
}

static int
on_input(void *ctx, const uint8_t *p, size_t n)
{
	struct frames_session *s = ctx;

	if (s->phase == FR_LINGER || (s->phase == FR_HEAD && take_head(s, &p, &n) < 0))
		return -1;
	if (n > 0 && ws_input(s->ws, p, n) < 0) {
		frames_end(s, WS_NORMAL, ws_error(s->ws)[0] != '\0' ? ws_error(s->ws) : "the connection is over");
		return -1;
	}
	return s->phase == FR_LINGER ? -1 : 0;
}

static void
on_over(void *ctx, const char *why)
{
	struct frames_session *s = ctx;

	if (s->phase == FR_LINGER || (s->phase == FR_FINISHING && s->conn.fd < 0))
		svc_exit(s->svc, 0, s->how);
	else
		frames_end(s, WS_POLICY, why);
}

static const struct conn_ops conn_ops = { .input = on_input, .over = on_over };

/* --- what the supervisor says --- */

/* From here on it can open nothing but what frames sessions have. */
static int
move_in(struct frames_session *s)
{
	const char *data_dir = conf_str(s->svc->conf, "data_dir");
	char media[PATH_BYTES], temp[PATH_BYTES + 8];
	const struct landlock_rule rules[] = {
		{ media, false, false },
		{ temp, true, false },
#if defined(__SANITIZE_ADDRESS__)
		{ "/proc", false, false },	/* the leak check looks at its own threads */
#endif
		{ NULL, false, false },
	};
	bool locked;

	snprintf(media, sizeof(media), "%s/media", data_dir);
	snprintf(temp, sizeof(temp), "%s/temp", media);
	if (landlock_restrict(rules, &locked) == 0 && (s->sync = rec_sync_new()) != NULL)
		return 0;
	log_warn("cannot be locked into %s", media);
	return -1;
}

void
frames_session_grant(struct svc *svc, struct msg *m)
{
	struct frames_session *s = svc->ctx;

	if (s->phase != FR_CLAIMED)
		return;
	svc_title(svc, s->client);
	if (move_in(s) < 0) {
		frames_end(s, WS_INTERNAL, "this server has no place for the session");
		return;
	}
	s->phase = FR_OPEN;
	frames_look_at_disk(s);
	if (s->extended)
		frames_proto_say(&s->proto, "CONNECTED", json_pack("{s:s}", "id", s->client));
	frames_replay(s);
	conn_pause(&s->conn, false);
	conn_write(&s->conn);
}

void
frames_session_refuse(struct svc *svc, struct msg *m)
{
	struct frames_session *s = svc->ctx;
	const char *text = msg_str_or(m, "text", "refused");

	if (s->phase != FR_CLAIMED)
		return;
	frames_proto_error(&s->proto, "id", "%s", text);
	frames_end(s, WS_POLICY, text);
}

void
frames_session_output(struct svc *svc, struct msg *m)
{
	frames_play_message(&((struct frames_session *)svc->ctx)->play, m);
}

void
frames_session_stop(struct svc *svc, const char *reason, int64_t grace_ms)
{
	struct frames_session *s = svc->ctx;

	if (s->phase == FR_OPEN)
		conn_read(&s->conn);	/* what has come until now is received */
	if (s->phase == FR_FINISHING)
		frames_say_closed(s, false);
	frames_end(s, WS_GOING_AWAY, reason);
}

void
frames_session_stop_message(struct svc *svc, struct msg *m)
{
	frames_session_stop(svc, msg_str_or(m, "reason", "stop"), msg_int_or(m, "grace_ms", 5000));
}

void
frames_session_yield(struct svc *svc, struct msg *m)
{
	frames_session_stop(svc, msg_str_or(m, "reason", "it has to go"), 0);
}

void
frames_session_conn(struct svc *svc, struct msg *m)
{
	struct frames_session *s = svc->ctx;

	if (conn_take(&s->conn, svc->base, m, svc->conf) < 0) {
		svc_exit(svc, 1, "CONN without a connection, or twice");
		return;
	}
	s->born_ms = s->conn.last_byte_ms;
	frames_tick_in(s, FRAMES_TICK_MS);
	conn_early(&s->conn);
}

void
frames_session_new(struct svc *svc)
{
	struct frames_session *s = xcalloc(1, sizeof(*s));

	svc->ctx = s;
	s->svc = svc;
	s->file.fd = -1;
	s->held = evbuffer_new();
	conn_init(&s->conn, &conn_ops, s);
	frames_proto_init(&s->proto, &frames_events, s, conf_int(svc->conf, "frames.max_pixels"));
	frames_play_init(&s->play, svc, &s->proto, s->conn.out);
	s->tick = evtimer_new(svc->base, frames_tick_cb, s);
}

void
frames_session_free(struct svc *svc)
{
	struct frames_session *s = svc->ctx;

	svc->ctx = NULL;
	if (s == NULL)
		return;
	event_free(s->tick);
	frames_play_free(&s->play);
	frames_proto_free(&s->proto);
	if (s->file.fd >= 0 && s->sync != NULL)
		frames_file_close(&s->file, s->sync);
	rec_sync_free(&s->sync);
	ws_free(&s->ws);
	evbuffer_free(s->held);
	conn_free(&s->conn);
	free(s);
}
