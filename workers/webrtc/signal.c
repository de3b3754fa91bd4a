/*
 * signal.c - sockets of the rooms protocol (contract in signal.h): a connection comes from an http
 * worker with its request, which is checked and answered here; then it is a WebSocket. Reads,
 * pings, closes. What is said is signal_room.c's.
 *
 * Nobody is freed but by the timer or at the end of a socket's own callback, so that whoever speaks
 * to all of a room may find that one of them is over.
 */
#include "workers/webrtc/signal.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "util.h"
#include "workers/webrtc/signal_parts.h"
#include "workers/webrtc/webrtc.h"
#include "ws_head.h"

#define EARLY_MAX (2 << 20)	/* http's longest head and what came behind it */
#define LINGER_MS 1000
#define TICK_MS 500

static TAILQ_HEAD(, signal) signals = TAILQ_HEAD_INITIALIZER(signals);
static int64_t nsignals;
static struct event *tick;
static struct ev_token_bucket_cfg *pace;
static bool stopping;

/* --- the end --- */

static void
free_signal(struct signal *s)
{
	signal_leave(s);
	TAILQ_REMOVE(&signals, s, link);
	nsignals--;
	if (s->ws != NULL)
		ws_free(&s->ws);
	bufferevent_free(s->bev);
	free(s);
}

/* All was sent: no more will come; what still arrives is read, so that our last words are not lost by a reset. */
static void
say_end(struct signal *s)
{
	if (evbuffer_get_length(bufferevent_get_output(s->bev)) == 0)
		shutdown(bufferevent_getfd(s->bev), SHUT_WR);
}

static void
close_soon(struct signal *s)
{
	s->over = true;
	s->over_ms = now_ms();
	signal_leave(s);
	say_end(s);
}

void
signal_end(struct signal *s, unsigned code, const char *why)
{
	if (s->over)
		return;
	log_debug("a client of a room ends: %s", why);
	ws_close(s->ws, code, why);
	close_soon(s);
}

/* --- what it is told --- */

void
signal_text(struct signal *s, const char *text, size_t len)
{
	size_t max = (size_t)conf_int(webrtc.svc->conf, "ws.max_unread");

	if (s->over)
		return;
	ws_text(s->ws, text, len);
	if (evbuffer_get_length(bufferevent_get_output(s->bev)) > max)
		signal_end(s, WS_POLICY, "it does not read what it is told, for more than ws.max_unread");
}

void
signal_say(struct signal *s, const char *type, json_t *data, const char *from)
{
	json_t *body = json_pack("{s:s, s:o, s:s}", "type", type, "data", data, "fromClientID", from);
	char *text = json_dumps(body, JSON_COMPACT);

	json_decref(body);
	if (text != NULL)
		signal_text(s, text, strlen(text));
	free(text);
}

/* --- the socket --- */

static void
read_cb(struct bufferevent *bev, void *ctx)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	size_t n = evbuffer_get_length(in);
	struct signal *s = ctx;

	s->heard_ms = now_ms();
	if (!s->over && ws_input(s->ws, evbuffer_pullup(in, -1), n) < 0 && !s->over)
		close_soon(s);
	evbuffer_drain(in, n);
}

static void
write_cb(struct bufferevent *bev, void *ctx)
{
	struct signal *s = ctx;

	if (s->over)
		say_end(s);
}

static void
event_cb(struct bufferevent *bev, short what, void *ctx)
{
	free_signal(ctx);
}

static void
look_after(struct signal *s, int64_t now)
{
	const json_t *conf = webrtc.svc->conf;

	if (s->over) {
		if (now - s->over_ms >= LINGER_MS)
			free_signal(s);
	} else if (now - s->heard_ms > conf_int(conf, "ws.ping_timeout")) {
		free_signal(s);
	} else if (now - s->pinged_ms >= conf_int(conf, "ws.ping_interval")) {
		s->pinged_ms = now;
		ws_ping(s->ws);
	}
}

static void
tick_cb(evutil_socket_t fd, short what, void *ctx)
{
	int64_t now = now_ms();
	struct signal *s, *next;

	for (s = TAILQ_FIRST(&signals); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		look_after(s, now);
	}
}

/* Reads no faster than a message of the greatest length a second: what a client says, others wait for. */
static void
start_once(void)
{
	struct timeval tv = { 0, TICK_MS * 1000 };
	size_t most = (size_t)conf_int(webrtc.svc->conf, "ws.max_message");

	if (tick != NULL)
		return;
	tick = event_new(webrtc.svc->base, -1, EV_PERSIST, tick_cb, NULL);
	event_add(tick, &tv);
	pace = ev_token_bucket_cfg_new(most, 4 * most, EV_RATE_LIMIT_MAX, EV_RATE_LIMIT_MAX, NULL);
	if (pace == NULL)
		fatalx("no memory");
}

/* --- its request --- */

static int
text_param(const struct request *r, const char *key, char *out, size_t size)
{
	return request_param(r, key, out, size) == 0 && out[0] != '\0' ? 0 : -1;
}

static void
refuse(struct signal *s, int status, const char *why)
{
	ws_head_refuse(bufferevent_get_output(s->bev), status, status == 503 ? "Retry-After: 5\r\n" : NULL, why);
	close_soon(s);
}

static void
refuse_full(struct signal *s, int error)
{
	char text[200];

	snprintf(text, sizeof(text), "%s; try again soon\n", viewer_refusal(error));
	refuse(s, 503, text);
}

/* Is there a place for one more? The oldest that only chats makes room: else who opens many keeps all out. */
static bool
has_room(void)
{
	struct signal *s;

	if (nsignals <= webrtc.limits.max_viewers)
		return true;
	TAILQ_FOREACH(s, &signals, link)
		if (!s->over && s->hall != NULL && s->viewer == NULL) {
			signal_end(s, WS_GOING_AWAY, "it makes room for one who can watch");
			return true;
		}
	return false;
}

static void
take_request(struct signal *s, const struct request *r, const char *room)
{
	const json_t *conf = webrtc.svc->conf;
	const char *why, *host = request_field(r, FIELD_HOST);
	struct evbuffer *out = bufferevent_get_output(s->bev);
	int status = ws_head_check(r, conf_get(conf, "ws.origins"), &why);
	char id[SIGNAL_NAME];

	if (status != 0)
		refuse(s, status, why);
	else if (text_param(r, "clientID", id, sizeof(id)) < 0 ||
	    text_param(r, "clientName", s->name, sizeof(s->name)) < 0)
		refuse(s, 400, "want /v1/ws?clientID=..&roomID=..&clientName=.., each of at most 127 bytes\n");
	else if (!has_room())
		refuse_full(s, ENOSPC);
	else if (signal_enter(s, room) < 0)
		refuse_full(s, errno);
	else {
		str_copy(s->host, host != NULL ? host : "", sizeof(s->host));
		ws_head_accept(r, out);
		s->ws = ws_new((size_t)conf_int(conf, "ws.max_message"), &signal_ops, s, out);
		signal_offer(s);
	}
}

static void
take_bytes(struct signal *s, const uint8_t *raw, size_t len, const char *room)
{
	struct request r;
	int used = ws_head_read(&r, raw, len);

	if (used < 0)
		refuse(s, 400, "this is not a request for a room\n");
	else
		take_request(s, &r, room);
	if (!s->over && len > (size_t)used && ws_input(s->ws, raw + used, len - (size_t)used) < 0 && !s->over)
		close_soon(s);
	request_free(&r);
}

static uint8_t *
read_early(int fd, size_t *len)
{
	struct stat st;
	uint8_t *raw;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= 0 || st.st_size > EARLY_MAX)
		return NULL;
	*len = (size_t)st.st_size;
	raw = xmalloc(*len);
	if (pread(fd, raw, *len, 0) == (ssize_t)*len)
		return raw;
	free(raw);
	return NULL;
}

static struct signal *
signal_new(int fd, const struct msg *m)
{
	struct signal *s = xcalloc(1, sizeof(*s));

	start_once();
	fd_cloexec_nonblock(fd);
	net_tune(fd, 0);
	s->bev = bufferevent_socket_new(webrtc.svc->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (s->bev == NULL)
		fatalx("no memory");
	str_copy(s->peer, msg_str_or(m, "peer", "?"), sizeof(s->peer));
	str_copy(s->local, msg_str_or(m, "local", ""), sizeof(s->local));
	s->live = json_is_true(json_object_get(m->body, "live"));
	s->heard_ms = s->pinged_ms = now_ms();
	TAILQ_INSERT_TAIL(&signals, s, link);
	nsignals++;
	bufferevent_setcb(s->bev, read_cb, write_cb, event_cb, s);
	bufferevent_set_rate_limit(s->bev, pace);
	bufferevent_enable(s->bev, EV_READ | EV_WRITE);
	return s;
}

void
signal_take(struct svc *svc, struct msg *m)
{
	int fd = msg_take_fd(m, 0), early = msg_take_fd(m, 1);
	const char *room = msg_str_or(m, "name", "");
	size_t len = 0;
	uint8_t *raw = read_early(early, &len);

	if (early >= 0)
		close(early);
	if (fd < 0 || raw == NULL || stopping || !stream_name_ok(room, strlen(room))) {
		log_warnx("a connection for a room came without its bytes, its room, or too late: closed");
		if (fd >= 0)
			close(fd);
	} else
		take_bytes(signal_new(fd, m), raw, len, room);
	free(raw);
}

/* --- */

void
signal_stop(void)
{
	struct signal *s;

	stopping = true;
	TAILQ_FOREACH(s, &signals, link)
		if (!s->over)
			signal_end(s, WS_RESTART, "this server stops or is started again: connect again");
}

void
signal_free(void)
{
	while (!TAILQ_EMPTY(&signals))
		free_signal(TAILQ_FIRST(&signals));
	if (tick == NULL)
		return;
	event_free(tick);
	tick = NULL;
	ev_token_bucket_cfg_free(pace);
}
