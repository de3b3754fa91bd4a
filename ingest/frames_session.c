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

#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "frames_parts.h"
#include "log.h"
#include "rec_file.h"
#include "util.h"

#define LINGER_MS 1000
#define GRANT_WAIT_MS 30000	/* for the supervisor's word, if its client has gone meanwhile */
#define STOP_WAIT_MS 2000	/* ... if it has to stop */
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

/* The process ends, unless its live stream has not come to its end yet. */
static void
leave(struct frames_session *s)
{
	if (s->phase == FR_LINGER && s->conn.fd < 0 && !frames_live_busy(&s->live))
		svc_exit(s->svc, 0, s->how);
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
	leave(s);
}

/* What came before it was known who this is waits for the supervisor's word, and its end with it; at most ms. */
static void
end_later(struct frames_session *s, unsigned code, int64_t ms)
{
	if (s->end_code == 0 || code == WS_GOING_AWAY) {
		s->end_code = code;
		s->deadline_ms = now_ms() + ms;
	}
}

/* The word does not come, or it is no: what waited for it is nobody's. */
static void
drop_held(struct frames_session *s)
{
	evbuffer_drain(s->held, evbuffer_get_length(s->held));
}

void
frames_end_waiting(struct frames_session *s)
{
	drop_held(s);
	frames_end(s, s->end_code, s->how);
}

void
frames_end(struct frames_session *s, unsigned code, const char *how)
{
	if (s->phase == FR_LINGER)
		return;
	if (s->how[0] == '\0')
		str_copy(s->how, how, sizeof(s->how));
	if (s->phase == FR_CLAIMED && s->svc->control != NULL && evbuffer_get_length(s->held) > 0) {
		end_later(s, code, code == WS_GOING_AWAY ? STOP_WAIT_MS : GRANT_WAIT_MS);
		return;
	}
	frames_play_stop(&s->play, how);
	frames_live_end(&s->live, code == WS_GOING_AWAY);
	let_go(s);
	linger(s, code, how);
}

void
frames_say_closed(struct frames_session *s, const char *state, const char *why)
{
	json_t *body = json_pack("{s:s, s:s, s:I, s:I}", "id", s->client, "state", state,
	    "frames", (json_int_t)s->file.frames, "samples", (json_int_t)s->file.samples);

	if (s->lost > 0)
		json_object_set_new(body, "lost", json_integer((json_int_t)s->lost));
	if (why != NULL)
		json_object_set_new(body, "error", msg_text(why, strlen(why)));
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
	frames_live_end(&s->live, false);
	let_go(s);
	s->phase = FR_FINISHING;
	s->deadline_ms = now_ms() + conf_int(s->svc->conf, "frames.close_wait");
	if (any)
		frames_tick_in(s, FRAMES_FINISHING_TICK_MS);
	else
		frames_say_closed(s, "done", NULL);
}

/* Its name and key; "live" wants the stream of that name, too. */
static void
ask(struct frames_session *s)
{
	svc_send(s->svc, MSG_CLAIM, 1, json_pack("{s:s, s:s, s:s, s:s, s:o, s:b}", "name", s->client, "app", "frames",
	    "peer", s->conn.peer, "protocol", "frames", "query", msg_text(s->query, strlen(s->query)), "stream",
	    s->want_live));
}

void
frames_claim(struct frames_session *s, const char *id, size_t len)
{
	frames_client_name(len > 0 ? id : s->name, len > 0 ? len : strlen(s->name), s->client);
	log_set_stream(s->client);
	s->phase = FR_CLAIMED;
	conn_pause(&s->conn, true);
	ask(s);
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

static int
on_input(void *ctx, const uint8_t *p, size_t n)
{
	struct frames_session *s = ctx;

	if (s->phase == FR_LINGER || (s->phase == FR_HEAD && frames_take_head(s, &p, &n, &ws_ops) < 0))
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

	if (s->phase == FR_FINISHING && s->conn.fd < 0)
		s->phase = FR_LINGER;
	if (s->phase == FR_LINGER)
		leave(s);
	else
		frames_end(s, WS_POLICY, why);
}

static const struct conn_ops conn_ops = { .input = on_input, .over = on_over };

/* --- what the supervisor says --- */

void
frames_session_grant(struct svc *svc, struct msg *m)
{
	struct frames_session *s = svc->ctx;

	if (s->phase != FR_CLAIMED)
		return;
	svc_title(svc, s->client);
	if (frames_move_in(s) < 0) {
		drop_held(s);
		frames_end(s, WS_INTERNAL, "this server has no place for the session");
		return;
	}
	s->phase = FR_OPEN;
	frames_look_at_disk(s);
	if (s->want_live)
		frames_live_open(&s->live, s->client);
	if (s->extended)
		frames_proto_say(&s->proto, "CONNECTED", json_pack("{s:s}", "id", s->client));
	conn_pause(&s->conn, false);
	frames_replay(s);
	conn_write(&s->conn);
	if (s->end_code != 0)
		frames_end(s, s->end_code, s->how);
}

static bool
about_key(const char *code)
{
	return strcmp(code, "key") == 0 || strcmp(code, "signature") == 0 || strcmp(code, "expired") == 0;
}

void
frames_session_refuse(struct svc *svc, struct msg *m)
{
	struct frames_session *s = svc->ctx;
	const char *text = msg_str_or(m, "text", "refused");

	if (s->phase != FR_CLAIMED)
		return;
	if (s->want_live && !about_key(msg_str_or(m, "code", ""))) {	/* then without */
		s->want_live = false;
		frames_proto_error(&s->proto, "live", "%s; the session is stored only", text);
		ask(s);
		return;
	}
	frames_proto_error(&s->proto, "id", "%s", text);
	drop_held(s);
	frames_end(s, WS_POLICY, text);
}

void
frames_session_output(struct svc *svc, struct msg *m)
{
	struct frames_session *s = svc->ctx;

	if (strcmp(msg_str_or(m, "output", ""), "job") == 0)
		frames_play_message(&s->play, m);
	else
		frames_live_message(&s->live, m);
}

void
frames_session_stop(struct svc *svc, const char *reason, int64_t grace_ms)
{
	struct frames_session *s = svc->ctx;

	if (s->phase == FR_OPEN)
		conn_read(&s->conn);	/* what has come until now is received */
	if (s->phase == FR_FINISHING)
		frames_say_closed(s, "queued", NULL);
	frames_live_end(&s->live, true);
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

static void
on_room(void *ctx)
{
	conn_pause(&((struct frames_session *)ctx)->conn, false);
}

static void
on_live_over(void *ctx)
{
	leave(ctx);
}

static const struct frames_live_ops live_ops = { on_room, on_live_over };

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
	frames_live_init(&s->live, svc, &live_ops, s);
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
	frames_live_free(&s->live);
	frames_proto_free(&s->proto);
	if (s->file.fd >= 0 && s->sync != NULL)
		frames_file_close(&s->file, s->sync);
	rec_sync_free(&s->sync);
	ws_free(&s->ws);
	evbuffer_free(s->held);
	conn_free(&s->conn);
	free(s);
}
