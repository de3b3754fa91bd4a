/*
 * Signalling of the webrtc worker: CALLs as http makes them, and sockets of rooms, with real rooms and
 * viewers in front of a rtc/peer.h of our own: what is answered, what is refused, who is told what.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "obj.h"
#include "rtc/sdp.h"
#include "util.h"
#include "workers/webrtc/calls.h"
#include "workers/webrtc/feed.h"
#include "workers/webrtc/room.h"
#include "workers/webrtc/signal.h"
#include "workers/webrtc/viewer.h"
#include "workers/webrtc/webrtc.h"

#define PRINT "sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"

struct webrtc webrtc;
static struct svc svc;
static int supervisor;	/* the other end of its channel */

int64_t
webrtc_wall_us(void)
{
	return now_ms() * 1000;
}

/* --- a peer --- */

struct rtc_peer {
	const struct rtc_peer_ops *ops;
	void *ctx;
	char ufrag[RTC_UFRAG + 1], pwd[RTC_PWD + 1], print[200];
};
static unsigned peers, made;
static struct rtc_peer *newest;

static void
name_it(struct rtc_peer *p)
{
	snprintf(p->ufrag, sizeof(p->ufrag), "uf%06u", ++made % 1000000);
	snprintf(p->pwd, sizeof(p->pwd), "pwpwpwpwpwpwpwpwpw%06u", made % 1000000);
}

struct rtc_peer *
rtc_peer_new(struct rtc_net *net, const char *fingerprint, const struct rtc_peer_ops *ops, void *ctx)
{
	struct rtc_peer *p = xcalloc(1, sizeof(*p));

	p->ops = ops;
	p->ctx = ctx;
	str_copy(p->print, fingerprint != NULL ? fingerprint : "", sizeof(p->print));
	name_it(p);
	peers++;
	newest = p;
	return p;
}

void
rtc_peer_free(struct rtc_peer **p)
{
	free(*p);
	*p = NULL;
	peers--;
}

int
rtc_peer_set_fingerprint(struct rtc_peer *p, const char *fingerprint)
{
	str_copy(p->print, fingerprint, sizeof(p->print));
	return 0;
}

const char *
rtc_peer_ufrag(const struct rtc_peer *p)
{
	return p->ufrag;
}

const char *
rtc_peer_pwd(const struct rtc_peer *p)
{
	return p->pwd;
}

void
rtc_peer_restart(struct rtc_peer *p)
{
	name_it(p);
}

void
rtc_peer_send_rtp(struct rtc_peer *p, const uint8_t *rtp, size_t n)
{
}

void
rtc_peer_send_rtcp(struct rtc_peer *p, const uint8_t *rtcp, size_t n)
{
}

void
rtc_peer_stats(const struct rtc_peer *p, struct rtc_peer_stats *out)
{
	*out = (struct rtc_peer_stats){ .address = "192.0.2.7:5000", .srtp = "" };
}

const char *
rtc_fingerprint(void)
{
	return PRINT;
}

/* --- the worker around it --- */

static void
on_control(struct msg_chan *c, struct msg *m, void *ctx)
{
}

static json_t *
config(void)
{
	return json_pack("{s:{s:[s], s:i, s:i, s:i, s:i}, s:{s:[s], s:i, s:i, s:i}}",
	    "ws", "origins", "https://good.example", "max_message", 65536, "max_unread", 100000, "ping_interval", 60000,
	    "ping_timeout", 90000,
	    "webrtc", "addresses", "203.0.113.7", "max_chat", 100, "chat_rate", 2, "room_chat_rate", 3);
}

static int
setup(void **state)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	log_set_level(LOG_LEVEL_ERROR);
	supervisor = fds[1];
	svc = (struct svc){ .base = event_base_new(), .conf = config() };
	svc.control = msg_chan_new(svc.base, fds[0], on_control, NULL);
	webrtc = (struct webrtc){ .svc = &svc, .limits = { .max_viewers = 5, .max_per_address = 5, .max_sdp = 32768, .ring_bytes = 1 << 20 } };
	viewer_start();
	return 0;
}

static int
teardown(void **state)
{
	calls_free();
	signal_free();
	room_tick(now_ms() + 100000);
	room_free_all();
	viewer_stop();
	msg_chan_free(&svc.control);
	json_decref(svc.conf);
	event_base_free(svc.base);
	close(supervisor);
	assert_int_equal(peers, 0);
	return 0;
}

static void
turn(void)
{
	for (int i = 0; i < 20; i++)
		event_base_loop(svc.base, EVLOOP_NONBLOCK);
}

/* --- CALL --- */

/* Of what goes to the supervisor the next REPLY; its body is the caller's. */
static int
reply(json_t **body)
{
	uint16_t type = 0;
	uint32_t id;
	json_t *m;
	int rc;

	msg_flush(svc.control, 100);
	do {
		assert_int_equal(msg_read(supervisor, 1000, &type, &id, &m), 0);
		rc = (int)obj_int(m, "rc");
		*body = json_incref(json_object_get(m, "body"));
		json_decref(m);
		if (type != MSG_REPLY)
			json_decref(*body);
	} while (type != MSG_REPLY);
	assert_int_equal(id, 77);
	return rc;
}

/* args stolen. */
static int
call(const char *verb, json_t *args, json_t **body)
{
	struct msg m = { .type = MSG_CALL, .id = 77, .body = json_pack("{s:s, s:s, s:o}", "to", "webrtc", "verb", verb,
	    "args", args) };

	calls_take(&svc, &m);
	json_decref(m.body);
	return reply(body);
}

static char *
stored(const char *path)
{
	char *text = file_read(path, 100000, NULL);

	if (text == NULL)
		fail_msg("cannot read %s: run from the top of the source", path);
	return text;
}

static int
offer(const char *name, const char *sdp, json_t **body)
{
	return call("offer", json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", name, "sdp", sdp, "peer", "192.0.2.9:1",
	    "local", "192.0.2.1:80", "host", "example.org"), body);
}

static int
patch(const char *id, const char *match, const char *ufrag, json_t **body)
{
	return call("patch", json_pack("{s:s, s:s, s:s, s:o}", "name", "show", "id", id, "if_match", match, "sdp",
	    json_sprintf("m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=ice-ufrag:%s\r\na=ice-pwd:j1i9FC2N8cn96PAK9TViaDm1\r\n",
	    ufrag)), body);
}

static void
a_session(void **state)
{
	char *text = stored("t/sdp/chromium-offer.sdp"), id[64], etag[64], again[80];
	json_t *body;

	assert_int_equal(offer("show", text, &body), 0);
	str_copy(id, obj_str(body, "id"), sizeof(id));
	str_copy(etag, obj_str(body, "etag"), sizeof(etag));
	assert_int_equal(strlen(id), 32);
	assert_non_null(strstr(obj_str(body, "sdp"), " 203.0.113.7 "));
	assert_non_null(strstr(obj_str(body, "sdp"), newest->ufrag));
	assert_memory_equal(newest->print, "sha-256 E7:73", 13);
	json_decref(body);

	/* the chromium offer's own ufrag and pwd: candidates */
	assert_int_equal(patch(id, "", "c8wu", &body), ENODATA);
	json_decref(body);
	assert_int_equal(patch(id, "\"other\"", "c8wu", &body), ESTALE);
	json_decref(body);
	snprintf(again, sizeof(again), "W/%s", etag);
	assert_int_equal(patch(id, again, "c8wu", &body), ESTALE);
	json_decref(body);
	snprintf(again, sizeof(again), "\"x\", %s", etag);
	assert_int_equal(patch(id, again, "c8wu", &body), 0);
	assert_string_equal(json_string_value(json_object_get(body, "sdp")), "");
	json_decref(body);

	/* others: a restart */
	assert_int_equal(patch(id, "*", "newone", &body), 0);
	assert_non_null(strstr(obj_str(body, "sdp"), newest->ufrag));
	assert_string_not_equal(obj_str(body, "etag"), etag);
	str_copy(again, obj_str(body, "etag"), sizeof(again));
	json_decref(body);
	assert_int_equal(patch(id, etag, "newone", &body), ESTALE);
	json_decref(body);
	assert_int_equal(patch(id, again, "newone", &body), 0);
	assert_string_equal(json_string_value(json_object_get(body, "sdp")), "");
	json_decref(body);
	assert_int_equal(patch(id, "*", "bad ufrag", &body), EINVAL);
	assert_non_null(strstr(obj_str(body, "text"), "ice-ufrag"));
	json_decref(body);
	assert_int_equal(patch("none", "*", "c8wu", &body), ENOENT);
	json_decref(body);

	assert_int_equal(call("stats", json_pack("{s:s}", "name", "show"), &body), 0);
	assert_int_equal(json_array_size(json_object_get(body, "sessions")), 1);
	assert_null(strstr(json_string_value(json_object_get(json_array_get(json_object_get(body, "sessions"), 0),
	    "address")), id));
	json_decref(body);
	assert_int_equal(call("stats", json_pack("{s:s, s:s}", "name", "show", "id", id), &body), 0);
	json_decref(body);
	assert_int_equal(call("delete", json_pack("{s:s, s:s}", "name", "other", "id", id), &body), ENOENT);
	json_decref(body);
	assert_int_equal(peers, 1);
	assert_int_equal(call("delete", json_pack("{s:s, s:s}", "name", "show", "id", id), &body), 0);
	json_decref(body);
	assert_int_equal(peers, 0);
	assert_int_equal(call("delete", json_pack("{s:s, s:s}", "name", "show", "id", id), &body), ENOENT);
	json_decref(body);
	assert_int_equal(call("dance", json_object(), &body), ENOSYS);
	json_decref(body);
	free(text);
}

static void
refused_offers(void **state)
{
	char *text = stored("t/sdp/chromium-offer.sdp"), *longer = xcalloc(1, 40000);
	json_t *body;

	assert_int_equal(offer("show", "hello", &body), EINVAL);
	json_decref(body);
	assert_int_equal(offer("..", text, &body), EINVAL);
	json_decref(body);
	memset(longer, 'a', 39999);
	assert_int_equal(offer("show", longer, &body), EINVAL);
	assert_non_null(strstr(obj_str(body, "text"), "max_sdp"));
	json_decref(body);
	assert_int_equal(call("offer", json_pack("{s:s}", "name", "show"), &body), EINVAL);
	json_decref(body);
	for (char *p = text; (p = strstr(p, "H264")) != NULL;)
		p[0] = 'X';
	assert_int_equal(offer("show", text, &body), ENOTSUP);
	json_decref(body);
	assert_null(room_find("show"));		/* nobody was asked for its media */
	free(text);
	text = stored("t/sdp/chromium-offer.sdp");
	for (int i = 0; i < 5; i++) {
		assert_int_equal(offer("show", text, &body), 0);
		json_decref(body);
	}
	assert_int_equal(offer("show", text, &body), ENOSPC);
	assert_non_null(strstr(obj_str(body, "text"), "max_viewers"));
	json_decref(body);
	newest->ops->gone(newest->ctx, RTC_GONE_CONSENT);
	assert_int_equal(peers, 4);
	webrtc.limits.max_per_address = 4;	/* all are of one */
	assert_int_equal(offer("show", text, &body), EDQUOT);
	assert_non_null(strstr(obj_str(body, "text"), "max_per_address"));
	json_decref(body);
	assert_int_equal(peers, 4);
	webrtc.limits.max_per_address = 5;
	assert_int_equal(offer("show", text, &body), 0);
	json_decref(body);
	free(longer);
	free(text);
}

/* --- rooms --- */

struct page { int fd; uint8_t in[200000]; size_t n; unsigned close_code; };

static void
page_read(struct page *p)
{
	ssize_t got;

	turn();
	while ((got = recv(p->fd, p->in + p->n, sizeof(p->in) - p->n, MSG_DONTWAIT)) > 0)
		p->n += (size_t)got;
}

static void
drop(struct page *p, size_t n)
{
	memmove(p->in, p->in + n, p->n - n);
	p->n -= n;
}

/* The next message, the caller's; NULL: none. A Close sets close_code. */
static json_t *
hear(struct page *p)
{
	size_t len, head = 2;
	json_t *out;

	page_read(p);
	if (p->n < 2)
		return NULL;
	len = p->in[1];
	if (len == 126) {
		len = (size_t)p->in[2] << 8 | p->in[3];
		head = 4;
	}
	assert_true(p->n >= head + len);
	if ((p->in[0] & 15) == 8)
		p->close_code = (unsigned)p->in[head] << 8 | p->in[head + 1];
	out = (p->in[0] & 15) == 1 ? json_loadb((char *)p->in + head, len, 0, NULL) : NULL;
	drop(p, head + len);
	return out;
}

/* "type:data" of the next message, data cut to 60 bytes; "" if there is none. */
static const char *
heard(struct page *p)
{
	static char text[200];
	json_t *m = hear(p);
	char *data = m != NULL ? json_dumps(json_object_get(m, "data"), JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

	text[0] = '\0';
	if (m != NULL)
		snprintf(text, sizeof(text), "%s:%.60s", obj_str(m, "type"), data);
	free(data);
	json_decref(m);
	return text;
}

static void
say(struct page *p, const char *text)
{
	size_t n = strlen(text), head = n < 126 ? 2 : 4;
	uint8_t *f = xcalloc(1, n + 8);

	f[0] = 0x81;
	f[1] = (uint8_t)(0x80 | (n < 126 ? n : 126));
	if (n >= 126) {
		f[2] = (uint8_t)(n >> 8);
		f[3] = (uint8_t)n;
	}
	memcpy(f + head + 4, text, n);	/* masked with four zeros */
	assert_int_equal(send(p->fd, f, head + 4 + n, 0), (ssize_t)(head + 4 + n));
	free(f);
	turn();
}

static bool on_air;	/* as the supervisor says of who comes */

static void
join(struct page *p, const char *query, const char *fields, const char *room)
{
	int fds[2], early = memfd_create("head", MFD_CLOEXEC), few = 4096;
	struct msg m = { .type = MSG_CONN, .nfds = 2 };

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &few, sizeof(few)), 0);
	dprintf(early, "GET /v1/ws?%s HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n%s\r\n", query, fields);
	m.fds[0] = fds[0];
	m.fds[1] = early;
	m.body = json_pack("{s:s, s:s, s:s, s:s, s:b}", "route", "room", "name", room, "peer", "192.0.2.9:1", "local",
	    "192.0.2.1:80", "live", on_air);
	memset(p, 0, sizeof(*p));
	p->fd = fds[1];
	signal_take(&svc, &m);
	json_decref(m.body);
	page_read(p);
}

/* The status of its answer; of 101 the head is taken off. */
static int
status(struct page *p)
{
	uint8_t *end = memmem(p->in, p->n, "\r\n\r\n", 4);
	int code;

	assert_non_null(end);
	code = atoi((char *)p->in + 9);
	drop(p, (size_t)(end + 4 - p->in));
	return code;
}

static void
enter(struct page *p, const char *name, const char *room)
{
	char query[200];
	json_t *m;

	snprintf(query, sizeof(query), "clientID=%s&roomID=%s&clientName=%s", name, room, name);
	join(p, query, "", room);
	assert_int_equal(status(p), 101);
	m = hear(p);
	assert_string_equal(obj_str(m, "type"), "getOffer");
	assert_string_equal(obj_str(m, "fromClientID"), "server");
	assert_string_equal(obj_str(json_object_get(m, "data"), "type"), "offer");
	assert_non_null(strstr(obj_str(json_object_get(m, "data"), "sdp"), newest->ufrag));
	json_decref(m);
	m = hear(p);
	assert_string_equal(obj_str(m, "type"), "getCandidate");
	assert_non_null(strstr(obj_str(json_object_get(m, "data"), "candidate"), " 203.0.113.7 "));
	assert_string_equal(obj_str(json_object_get(m, "data"), "sdpMid"), "0");
	json_decref(m);
	assert_string_equal(heard(p), on_air ? "isPublishing:\"true\"" : "isPublishing:\"false\"");
	assert_string_equal(heard(p), "");
}

static void
leave(struct page *p)
{
	close(p->fd);
	turn();
}

#define ANSWER "v=0\\r\\na=group:BUNDLE 0 1\\r\\na=ice-ufrag:abcd\\r\\na=ice-pwd:0123456789012345678901\\r\\na=setup:active\\r\\n" \
	"a=fingerprint:" PRINT "\\r\\nm=video 9 UDP/TLS/RTP/SAVPF 102\\r\\na=mid:0\\r\\na=recvonly\\r\\na=rtcp-mux\\r\\n" \
	"a=rtpmap:102 H264/90000\\r\\na=fmtp:102 packetization-mode=1\\r\\nm=audio 9 UDP/TLS/RTP/SAVPF 111\\r\\na=mid:1\\r\\n" \
	"a=recvonly\\r\\na=rtcp-mux\\r\\na=rtpmap:111 opus/48000/2\\r\\n"

static void
answers(void **state)
{
	static struct page a, b;

	enter(&a, "ann", "show");
	say(&a, "{\"type\":\"answer\",\"data\":\"hello\"}");
	assert_memory_equal(heard(&a), "error:\"line 1", 13);
	say(&a, "{\"type\":\"answer\",\"data\":{\"type\":\"answer\"}}");
	assert_memory_equal(heard(&a), "error:\"an answer's data", 23);
	assert_string_equal(newest->print, "");
	say(&a, "{\"type\":\"candidate\",\"data\":{\"candidate\":\"candidate:1 1 udp 1 x.local 9 typ host\"}}");
	say(&a, "{\"type\":\"answer\",\"data\":{\"type\":\"answer\",\"sdp\":\"" ANSWER "\"}}");
	assert_string_equal(heard(&a), "");
	assert_string_equal(newest->print, PRINT);
	say(&a, "{\"type\":\"answer\",\"data\":{\"type\":\"answer\",\"sdp\":\"" ANSWER "\"}}");
	assert_memory_equal(heard(&a), "error:\"the offer was answered", 29);
	enter(&b, "bob", "show");
	say(&b, "{\"type\":\"answer\",\"data\":\"{\\\"sdp\\\":\\\"v=0\\\\r\\\\n\\\"}\"}");
	assert_memory_equal(heard(&b), "error:\"this answer cannot be used", 33);
	say(&b, "{\"type\":\"answer\",\"data\":\"" ANSWER "\"}");
	assert_string_equal(heard(&b), "");
	assert_string_equal(newest->print, PRINT);
	/* never connected: it may stay; was connected: it is closed */
	newest->ops->gone(newest->ctx, RTC_GONE_NO_ICE);
	assert_memory_equal(heard(&b), "error:\"no media connection", 26);
	say(&b, "{\"type\":\"chat\",\"data\":\"still here\"}");
	assert_string_equal(heard(&a), "getChat:\"still here\"");
	leave(&a);
	enter(&a, "ann", "show");
	newest->ops->connected(newest->ctx);
	newest->ops->gone(newest->ctx, RTC_GONE_CONSENT);
	assert_string_equal(heard(&a), "");
	assert_int_equal(a.close_code, 1001);
	leave(&a);
	leave(&b);
	assert_int_equal(peers, 0);
}

static void
chat(void **state)
{
	static struct page a, b, z;
	char text[300];
	unsigned n = 0;
	json_t *m;

	enter(&a, "ann", "show");
	enter(&b, "Bob%20B", "show");
	enter(&z, "zoe", "other");
	say(&b, "{\"type\":\"chat\",\"data\":\"h\\u00e9\"}");
	m = hear(&a);
	assert_string_equal(obj_str(m, "type"), "getChat");
	assert_string_equal(obj_str(m, "data"), "h\xc3\xa9");
	assert_string_equal(obj_str(m, "fromClientID"), "Bob B");
	assert_int_equal(strlen(obj_str(m, "timestamp")), 24);
	json_decref(m);
	assert_memory_equal(heard(&b), "getChat:", 8);
	assert_string_equal(heard(&z), "");
	memset(text, 'x', sizeof(text));
	snprintf(text, sizeof(text), "{\"type\":\"chat\",\"data\":\"%0101d\"}", 0);
	say(&a, text);
	assert_memory_equal(heard(&a), "error:\"a chat message's data", 28);
	say(&a, "{\"type\":\"chat\",\"data\":{}}");
	assert_memory_equal(heard(&a), "error:", 6);
	say(&a, "{\"type\":\"chat\",\"data\":\"\"}");
	assert_string_equal(heard(&a), "");
	for (int i = 0; i < 20; i++)
		say(&a, "{\"type\":\"chat\",\"data\":\"again\"}");
	while (strcmp(heard(&b), "getChat:\"again\"") == 0)
		n++;
	assert_in_range(n, 3, 5);
	say(&z, "{\"type\":\"chat\",\"data\":\"mine\"}");
	assert_string_equal(heard(&z), "getChat:\"mine\"");
	say(&z, "{\"type\":\"dance\"}");
	assert_memory_equal(heard(&z), "error:\"want", 11);
	say(&z, "no json");
	assert_memory_equal(heard(&z), "error:\"want", 11);
	/* one leaves; the others go on */
	leave(&b);
	assert_int_equal(peers, 2);
	leave(&a);
	leave(&z);
}

static void
who_does_not_read(void **state)
{
	static struct page a, b;
	char text[3100];

	json_object_set_new(json_object_get(svc.conf, "webrtc"), "max_chat", json_integer(4000));
	json_object_set_new(json_object_get(svc.conf, "webrtc"), "chat_rate", json_integer(1000));
	json_object_set_new(json_object_get(svc.conf, "webrtc"), "room_chat_rate", json_integer(1000));
	json_object_set_new(json_object_get(svc.conf, "ws"), "max_unread", json_integer(20000));
	json_object_set_new(json_object_get(svc.conf, "ws"), "max_message", json_integer(4 << 20));	/* that much a second */
	enter(&a, "ann", "show");
	enter(&b, "bob", "show");
	snprintf(text, sizeof(text), "{\"type\":\"chat\",\"data\":\"%03000d\"}", 0);
	for (int i = 0; i < 500 && peers == 2; i++) {	/* what the kernel holds is not counted */
		say(&a, text);
		while (heard(&a)[0] != '\0')
			;
	}
	assert_int_equal(peers, 1);
	say(&a, "{\"type\":\"chat\",\"data\":\"alone\"}");
	leave(&a);
	leave(&b);
}

static void
refused_requests(void **state)
{
	static struct page p, full[5];
	static const struct { const char *query, *fields; int status; } rows[] = {
		{ "clientID=a&clientName=b&roomID=show", "Origin: https://evil.example\r\n", 403 },
		{ "clientID=a&clientName=b&roomID=show", "Origin: https://good.example\r\n", 101 },
		{ "clientID=a&roomID=show", "", 400 },
		{ "clientName=a&roomID=show", "", 400 },
		{ "clientID=&clientName=b&roomID=show", "", 400 },
		{ "clientID=a%00&clientName=b&roomID=show", "", 400 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		join(&p, rows[i].query, rows[i].fields, "show");
		assert_int_equal(status(&p), rows[i].status);
		leave(&p);
	}
	for (int i = 0; i < 5; i++)
		enter(&full[i], "ann", "show");
	join(&p, rows[1].query, "", "show");
	assert_int_equal(status(&p), 503);
	leave(&p);
	/* Who only chats, since he could not be reached, makes room. */
	newest->ops->gone(newest->ctx, RTC_GONE_NO_ICE);
	assert_memory_equal(heard(&full[4]), "error:\"no media connection", 26);
	enter(&p, "bob", "show");
	assert_string_equal(heard(&full[4]), "");
	assert_int_equal(full[4].close_code, 1001);
	leave(&full[4]);
	full[4] = p;
	signal_stop();
	for (int i = 0; i < 5; i++) {
		assert_string_equal(heard(&full[i]), "");
		assert_int_equal(full[i].close_code, 1012);
		close(full[i].fd);
	}
	turn();
	assert_int_equal(peers, 0);
}

/* --- on air --- */

/* A FEED of show; fd -1: it is not on air. */
static void
feed_show(int fd)
{
	struct msg m = { .type = MSG_FEED, .nfds = fd >= 0 };

	m.fds[0] = fd;
	m.body = json_pack("{s:s, s:i, s:s, s:s, s:b}", "name", "show", "ingest", fd >= 0 ? 7 : 0, "track", "media",
	    "format", "flv", "on", fd >= 0);
	feed_take(&svc, &m);
	json_decref(m.body);
}

/* The first one of a room comes before its FEED, and the publisher may leave before that. */
static void
who_comes_first_is_told_at_once(void **state)
{
	struct page a, b;
	int pair[2];

	on_air = true;
	enter(&a, "Ann", "show");
	enter(&b, "Bob", "show");
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	feed_show(pair[0]);
	assert_string_equal(heard(&a), "");
	feed_show(-1);
	assert_string_equal(heard(&a), "isPublishing:\"false\"");
	assert_string_equal(heard(&b), "isPublishing:\"false\"");
	on_air = false;
	leave(&a);
	leave(&b);
	close(pair[1]);
}

/* --- WANT --- */

/* What the supervisor has heard since: how often that "alice" is wanted. */
static unsigned
wants(void)
{
	unsigned n = 0;
	uint16_t type;
	uint32_t id;
	json_t *m;

	msg_flush(svc.control, 100);
	while (msg_read(supervisor, 10, &type, &id, &m) == 0) {
		n += type == MSG_WANT && strcmp(obj_str(m, "name"), "alice") == 0 &&
		    json_is_true(json_object_get(m, "want"));
		json_decref(m);
	}
	return n;
}

/* However soon it broke: its viewers would wait for ever. */
static void
a_broken_feed_is_asked_for_again(void **state)
{
	struct room *r = room_get("alice");
	struct msg m = { .type = MSG_FEED, .nfds = 1 };
	int pair[2];

	assert_int_equal(wants(), 1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	m.fds[0] = pair[0];
	m.body = json_pack("{s:s, s:i, s:s, s:s, s:b}", "name", "alice", "ingest", 7, "track", "media", "format", "flv",
	    "on", 1);
	feed_take(&svc, &m);
	json_decref(m.body);
	assert_int_equal(write(pair[1], "this is no FLV", 14), 14);
	for (int64_t end = now_ms() + 10000; *room_feed(r, ROOM_MEDIA) != NULL && now_ms() < end; usleep(1000))
		turn();
	assert_null(*room_feed(r, ROOM_MEDIA));
	room_tick(now_ms());
	assert_int_equal(wants(), 0);		/* not in a loop */
	room_tick(now_ms() + 6000);
	assert_int_equal(wants(), 1);
	room_tick(now_ms() + 20000);
	assert_int_equal(wants(), 0);
	close(pair[1]);
	room_put(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_session, setup, teardown),
		cmocka_unit_test_setup_teardown(refused_offers, setup, teardown),
		cmocka_unit_test_setup_teardown(answers, setup, teardown),
		cmocka_unit_test_setup_teardown(chat, setup, teardown),
		cmocka_unit_test_setup_teardown(who_does_not_read, setup, teardown),
		cmocka_unit_test_setup_teardown(who_comes_first_is_told_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(a_broken_feed_is_asked_for_again, setup, teardown),
		cmocka_unit_test_setup_teardown(refused_requests, setup, teardown),	/* the last: it stops */
	};

	signal(SIGPIPE, SIG_IGN);	/* as svc_run() does */
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
