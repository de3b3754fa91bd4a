/* rtmp_session.c: the openings of the usual encoders, the answers, and every refusal; at every split. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/amf0.h"
#include "ingest/rtmp_chunk.h"
#include "ingest/rtmp_session.h"

#define SHAKE (1 + 2 * 1536)

/* events: what the session told us; replies: what a client would read of its answers. */
struct peer { char events[4096], replies[8192]; struct rtmp_session *s; struct rtmp_chunk *r; bool refuse; };

static void __attribute__((format(printf, 2, 3)))
say(char text[4096], const char *fmt, ...)
{
	size_t n = strlen(text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + n, 4096 - n, fmt, ap);
	va_end(ap);
}

static void
on_publish(void *ctx, const struct rtmp_publish *p)
{
	struct peer *c = ctx;

	say(c->events, "publish path=%s app=%s name=%s query=%s;", p->path, p->app, p->name, p->query);
	if (c->refuse)
		rtmp_session_refuse(c->s, "NetStream.Publish.BadName", "taken");
	else
		rtmp_session_accept(c->s);
}

static void
on_media(void *ctx, enum flv_type type, uint32_t ts, const uint8_t *body, size_t len)
{
	say(((struct peer *)ctx)->events, "media %u %u %zu %02x;", type, ts, len, body[0]);
}

static void
on_metadata(void *ctx, json_t *data)
{
	char *text = json_dumps(data, JSON_COMPACT | JSON_SORT_KEYS);

	say(((struct peer *)ctx)->events, "metadata %s;", text);
	free(text);
}

static void
on_ended(void *ctx, const char *how)
{
	say(((struct peer *)ctx)->events, "ended %s;", how);
}

static void
on_play(void *ctx, const char *name, char *buf, size_t size)
{
	snprintf(buf, size, "play /watch/%s", name);
}

static const struct rtmp_ops ops = { on_publish, on_media, on_metadata, on_ended, on_play };
static const struct rtmp_limits limits = { 10 << 20, 16 << 20, 64 << 10, 64 << 10, 64, 4096, 2500000 };

/* --- our side: commands as chunks --- */

static struct evbuffer *
opening(void)
{
	struct evbuffer *b = evbuffer_new();
	uint8_t c[SHAKE] = { 3 };

	evbuffer_add(b, c, sizeof(c));
	return b;
}

static void
message(struct evbuffer *out, uint8_t type, uint32_t sid, const void *body, size_t len)
{
	rtmp_chunk_write(out, 128, 3, type, sid, 0, body, len);
}

static void
control(struct evbuffer *out, uint8_t type, uint32_t v)
{
	const uint8_t b[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };

	message(out, type, 0, b, 4);
}

static void
command_end(struct evbuffer *out, uint8_t type, uint32_t sid, struct evbuffer *b)
{
	size_t n = evbuffer_get_length(b);

	message(out, type, sid, evbuffer_pullup(b, -1), n);
	evbuffer_free(b);
}

static void
connect_as(struct evbuffer *out, uint8_t type, const char *app, const char *tc_url, bool enhanced)
{
	struct evbuffer *b = evbuffer_new();

	if (type == 17)
		evbuffer_add(b, "", 1);		/* AMF3-framed: a byte, then AMF0 */
	amf0_string(b, "connect");
	amf0_number(b, 1);
	amf0_object(b);
	amf0_key(b, "app");
	amf0_string(b, app);
	amf0_key(b, "type");
	amf0_string(b, "nonprivate");
	amf0_key(b, "flashVer");
	amf0_string(b, "FMLE/3.0 (compatible; Lavf60.3.100)");
	if (tc_url != NULL) {
		amf0_key(b, "tcUrl");
		amf0_string(b, tc_url);
	}
	if (enhanced) {
		amf0_key(b, "capsEx");
		amf0_number(b, 15);
	}
	amf0_end(b);
	command_end(out, type, 0, b);
}

/* name, tx, null, and for each of `args` a string. */
static void
call(struct evbuffer *out, uint8_t type, uint32_t sid, const char *name, double tx, int n, ...)
{
	struct evbuffer *b = evbuffer_new();
	va_list ap;

	if (type == 17)
		evbuffer_add(b, "", 1);
	amf0_string(b, name);
	amf0_number(b, tx);
	amf0_null(b);
	va_start(ap, n);
	while (n-- > 0)
		amf0_string(b, va_arg(ap, const char *));
	va_end(ap);
	command_end(out, type, sid, b);
}

static void
call_number(struct evbuffer *out, const char *name, double tx, double v)
{
	struct evbuffer *b = evbuffer_new();

	amf0_string(b, name);
	amf0_number(b, tx);
	amf0_null(b);
	amf0_number(b, v);
	command_end(out, 20, 0, b);
}

/* --- the answers, as text --- */

static int
on_reply(void *ctx, const struct rtmp_message *m)
{
	struct peer *c = ctx;
	uint32_t v = m->len >= 4 ? (uint32_t)m->body[0] << 24 | (uint32_t)m->body[1] << 16 |
	    (uint32_t)m->body[2] << 8 | m->body[3] : 0;
	const char *code, *text;
	int whole;
	json_t *a;

	if (m->type == 1)
		rtmp_chunk_set_size(c->r, v);
	if (m->type == 4)
		say(c->replies, "user %u %u;", v >> 16, (v & 0xffff) << 16 | (uint32_t)m->body[4] << 8 | m->body[5]);
	else if (m->type != 20)
		say(c->replies, "control %u %u;", m->type, v);
	if (m->type != 20)
		return 0;
	a = amf0_read(m->body, m->len, &whole);
	assert_int_equal(whole, 1);
	code = json_string_value(json_object_get(json_array_get(a, 3), "code"));
	text = json_string_value(json_object_get(json_array_get(a, 3), "description"));
	say(c->replies, "%s %g", json_string_value(json_array_get(a, 0)), json_number_value(json_array_get(a, 1)));
	if (code != NULL)
		say(c->replies, " %s '%s'", code, text);
	else if (json_is_number(json_array_get(a, 3)))
		say(c->replies, " =%g", json_number_value(json_array_get(a, 3)));
	if (json_object_get(json_array_get(a, 3), "fourCcList") != NULL)
		say(c->replies, " enhanced");
	say(c->replies, ";");
	json_decref(a);
	return 0;
}

static void
read_replies(struct peer *c, struct evbuffer *out)
{
	const struct rtmp_chunk_limits l = { 1 << 20, 1 << 20, 64, "rtmp.max_message", "rtmp.max_buffered" };
	size_t n = evbuffer_get_length(out);
	const uint8_t *p = evbuffer_pullup(out, -1);

	if (n < SHAKE)
		return;
	c->r = rtmp_chunk_new(&l, on_reply, c);
	assert_int_equal(rtmp_chunk_input(c->r, p + SHAKE, n - SHAKE), 0);
	rtmp_chunk_free(&c->r);
}

/* Feeds it with a cut (0: single bytes). Returns the session's verdict; error in *why. */
static int
feed(struct peer *c, struct evbuffer *in, size_t cut, bool refuse, char why[256])
{
	struct evbuffer *out = evbuffer_new();
	size_t len = evbuffer_get_length(in), n;
	const uint8_t *p = evbuffer_pullup(in, -1);
	uint8_t *piece;
	int rc = 0;

	memset(c, 0, sizeof(*c));
	c->refuse = refuse;
	c->s = rtmp_session_new(&limits, &ops, c, out);
	for (size_t at = 0; at < len && rc == 0; at += n) {
		n = cut == 0 ? 1 : at == 0 && cut < len ? cut : len - at;
		piece = malloc(n);
		memcpy(piece, p + at, n);
		rc = rtmp_session_input(c->s, piece, n);
		free(piece);
	}
	snprintf(why, 256, "%s", rtmp_session_error(c->s));
	assert_int_equal(rc < 0, why[0] != '\0');
	read_replies(c, out);
	rtmp_session_free(&c->s);
	assert_null(c->s);
	evbuffer_free(out);
	return rc;
}

/* `in` at every split; wants the events and (unless NULL) the replies; frees `in`. */
static void
expect(struct evbuffer *in, const char *events, const char *replies)
{
	struct peer c;
	char why[256];

	for (size_t cut = 0; cut <= evbuffer_get_length(in); cut += cut >= 2 && cut < SHAKE - 2 ? 509 : 1) {
		assert_int_equal(feed(&c, in, cut, false, why), 0);
		assert_string_equal(c.events, events);
		if (replies != NULL)
			assert_string_equal(c.replies, replies);
	}
	evbuffer_free(in);
}

static void
expect_fail(struct evbuffer *in, const char *why_part, const char *reply_part)
{
	struct peer c;
	char why[256];

	for (size_t cut = 0; cut < 2; cut++) {
		assert_int_equal(feed(&c, in, cut, false, why), -1);
		assert_non_null(strstr(why, why_part));
		assert_non_null(strstr(c.replies, reply_part));
	}
	evbuffer_free(in);
}

#define CONNECTED "control 5 2500000;control 6 2500000;control 1 4096;" \
	"_result 1 NetConnection.Connect.Success 'Connection succeeded.';onBWDone 0;"
#define STARTED "user 0 1;onStatus 0 NetStream.Publish.Start 'publishing';"

static void
media(struct evbuffer *b)
{
	rtmp_chunk_write(b, 128, 4, 8, 1, 23, "\xaf\1xyz", 5);
	rtmp_chunk_write(b, 128, 6, 9, 1, 40, "\x17\1\0\0\0abc", 8);
}
#define MEDIA "media 8 23 5 af;media 9 40 8 17;"

/* --- openings --- */

static void
ffmpeg(void **state)
{
	struct evbuffer *b = opening();

	control(b, 1, 128);
	connect_as(b, 20, "live", "rtmp://h:1935/live", true);
	call(b, 20, 0, "releaseStream", 2, 1, "cam?key=a/b");
	call(b, 20, 0, "FCPublish", 3, 1, "cam?key=a/b");
	call(b, 20, 0, "createStream", 4, 0);
	call(b, 20, 1, "publish", 5, 2, "cam?key=a/b", "live");
	media(b);
	call(b, 20, 0, "FCUnpublish", 6, 1, "cam");
	call_number(b, "deleteStream", 7, 1);
	expect(b, "publish path=/live app=live name=cam query=key=a/b;" MEDIA "ended FCUnpublish;",
	    "control 5 2500000;control 6 2500000;control 1 4096;"
	    "_result 1 NetConnection.Connect.Success 'Connection succeeded.' enhanced;onBWDone 0;"
	    "_result 2;_result 3;onFCPublish 3 NetStream.Publish.Start 'ready';_result 4 =1;" STARTED "_result 6;");
}

/* librtmp, as OBS: FCPublish before its answer, SetChunkSize 4096, tx of publish 0 or 5. */
static void
librtmp(void **state)
{
	struct evbuffer *b = opening();

	connect_as(b, 20, "live", "rtmp://h/live", false);
	control(b, 5, 2500000);
	call(b, 20, 0, "releaseStream", 2, 1, "cam");
	call(b, 20, 0, "FCPublish", 3, 1, "cam");
	call(b, 20, 0, "createStream", 4, 0);
	call(b, 20, 0, "_checkbw", 5, 0);
	call(b, 20, 1, "publish", 6, 2, "cam", "live");
	media(b);
	call_number(b, "deleteStream", 7, 1);
	expect(b, "publish path=/live app=live name=cam query=;" MEDIA "ended deleteStream;",
	    CONNECTED "_result 2;_result 3;onFCPublish 3 NetStream.Publish.Start 'ready';_result 4 =1;_result 5;"
	    STARTED);
}

static void
gstreamer_publishes_with_transaction_0(void **state)
{
	struct evbuffer *b = opening();

	connect_as(b, 20, "live", "rtmp://h/live", false);
	call(b, 20, 0, "releaseStream", 0, 1, "cam");
	call(b, 20, 0, "FCPublish", 0, 1, "cam");
	call(b, 20, 0, "createStream", 2, 0);
	call(b, 20, 1, "publish", 0, 2, "cam", "live");
	media(b);
	call(b, 20, 0, "deleteStream", 0, 1, "cam");	/* by name, not by number */
	expect(b, "publish path=/live app=live name=cam query=;" MEDIA "ended deleteStream;",
	    CONNECTED "onFCPublish 0 NetStream.Publish.Start 'ready';_result 2 =1;" STARTED);
}

static void
amf3_framed(void **state)
{
	struct evbuffer *b = opening();

	connect_as(b, 17, "live", "rtmp://h/live", false);
	call(b, 17, 0, "createStream", 2, 0);
	call(b, 17, 1, "publish", 3, 2, "cam", "live");
	call(b, 17, 1, "closeStream", 0, 0);
	expect(b, "publish path=/live app=live name=cam query=;ended closeStream;",
	    CONNECTED "_result 2 =1;" STARTED);
}

static void
urls(void **state)
{
	static const struct { const char *app, *tc_url, *name, *want; } t[] = {
		{ "live", "rtmp://h/live/", "cam", "path=/live app=live name=cam query=" },
		{ "live", "\"rtmp://h/live\"", "cam", "path=/live app=live name=cam query=" },
		{ "live", "\"rtmp://h/live?key=x\"", "cam", "path=/live app=live name=cam query=key=x" },
		{ "live", "rtmp://h/live//?key=x", "cam", "path=/live app=live name=cam query=key=x" },
		{ "live", "rtmp://h/live?key=x", "cam?key=y", "path=/live app=live name=cam query=key=y" },
		{ "live/x", "rtmp://[::1]:1935/live/x", "", "path=/live/x app=live/x name= query=" },
		{ "live/x", "rtmp://h/live/x/", "", "path=/live/x app=live/x name= query=" },
		{ "live", NULL, "cam", "path=/live app=live name=cam query=" },
		{ "live?key=x", NULL, "cam", "path=/live app=live?key=x name=cam query=key=x" },
		{ "", "rtmp://h", "cam", "path=/ app= name=cam query=" },
		{ "", "rtmp://h/", "cam", "path=/ app= name=cam query=" },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct evbuffer *b = opening();
		char want[256];

		connect_as(b, 20, t[i].app, t[i].tc_url, false);
		call(b, 20, 1, "publish", 3, 1, t[i].name);
		snprintf(want, sizeof(want), "publish %s;", t[i].want);
		expect(b, want, NULL);
	}
}

/* --- the rest of a session --- */

static struct evbuffer *
live(void)
{
	struct evbuffer *b = opening();

	connect_as(b, 20, "live", "rtmp://h/live", false);
	call(b, 20, 1, "publish", 3, 2, "cam", "live");
	return b;
}
#define LIVE "publish path=/live app=live name=cam query=;"

static void
unknown_calls_are_answered_once(void **state)
{
	struct evbuffer *b = live();

	call(b, 20, 0, "getStreamLength", 9, 1, "cam");
	call(b, 20, 0, "whatever", 0, 0);	/* no answer wanted */
	call(b, 20, 0, "_result", 4, 0);
	call(b, 20, 0, "_error", 5, 0);
	expect(b, LIVE, CONNECTED STARTED "_result 9;");
}

static void
pings_and_unknown_types(void **state)
{
	struct evbuffer *b = live();

	message(b, 4, 0, "\0\6\0\0\1\2", 6);
	message(b, 4, 0, "\0\3\0\0\0\1\0\0\1\0", 10);	/* SetBufferLength */
	message(b, 4, 0, "\0\6\0", 3);
	message(b, 4, 0, "\0\7\0\0\0\1", 6);
	message(b, 19, 0, "\0\0\0", 3);			/* shared object */
	message(b, 77, 0, "abc", 3);
	message(b, 8, 1, "", 0);
	media(b);
	expect(b, LIVE MEDIA, CONNECTED STARTED "user 7 258;");
}

static void
acknowledgements(void **state)
{
	struct evbuffer *b = live();
	struct peer c;
	char why[256], body[3000] = "\x27", *p;
	unsigned acks = 0, last = 0, v;

	control(b, 5, 1000);
	rtmp_chunk_write(b, 128, 6, 9, 1, 40, body, sizeof(body));
	assert_int_equal(feed(&c, b, 0, false, why), 0);
	for (p = c.replies; (p = strstr(p, "control 3 ")) != NULL; p++, acks++) {
		assert_int_equal(sscanf(p, "control 3 %u;", &v), 1);
		assert_true(v >= last + 1000 || last == 0);
		last = v;
	}
	assert_in_range(acks, 3, 5);
	assert_true(last <= evbuffer_get_length(b) && last + 1000 > evbuffer_get_length(b));
	evbuffer_free(b);
}

static void
metadata(void **state)
{
	static const char data[] = "\x02\0\x0d@setDataFrame\x02\0\x0aonMetaData\x08\0\0\0\3"
	    "\0\5width\0\x40\x94\0\0\0\0\0\0\0\6stereo\1\1\0\7encoder\2\0\2xy\0\1o\3\0\0\x09\0\1n\5\0\0\x09";
	struct evbuffer *b = live();

	message(b, 18, 1, data, sizeof(data) - 1);
	message(b, 18, 1, data + 16, sizeof(data) - 17);	/* without @setDataFrame */
	message(b, 15, 1, data, 5);				/* torn: nothing */
	message(b, 18, 1, "\2\0\x0aonTextData\5", 14);
	expect(b, LIVE "metadata {\"encoder\":\"xy\",\"stereo\":true,\"width\":1280.0};"
	    "metadata {\"encoder\":\"xy\",\"stereo\":true,\"width\":1280.0};", NULL);
}

static void
aggregates(void **state)
{
	static const char agg[] = "\x09\0\0\2\x00\x03\xe8\0\0\0\0\x17x\0\0\0\x0d"
	    "\x12\0\0\1\x00\x03\xe9\0\0\0\0z\0\0\0\x0c" "\x08\0\0\1\x00\x03\xf2\0\0\0\0\xaf\0\0\0\x0c";
	struct evbuffer *b = live();

	rtmp_chunk_write(b, 128, 6, 22, 1, 5000, agg, sizeof(agg) - 1);
	expect(b, LIVE "media 9 5000 2 17;media 8 5010 1 af;", NULL);
	b = live();
	rtmp_chunk_write(b, 128, 6, 22, 1, 5000, "\x09\xff\xff\xff\0\0\0\0\0\0\0abc", 14);
	expect_fail(b, "aggregate", "Publish.Start");
}

static void
the_chunk_size_is_the_clients_to_choose(void **state)
{
	struct evbuffer *b = live();
	uint8_t body[500] = { 0x27 };

	control(b, 1, 0x7fffffff);
	rtmp_chunk_write(b, 1000, 6, 9, 1, 7, body, sizeof(body));
	control(b, 1, 1);
	rtmp_chunk_write(b, 1, 6, 9, 1, 8, body, 20);
	expect(b, LIVE "media 9 7 500 27;media 9 8 20 27;", NULL);
	b = live();
	control(b, 1, 0);
	expect_fail(b, "SetChunkSize", "");
	b = live();
	control(b, 1, 0x80000000);
	expect_fail(b, "SetChunkSize", "");
}

/* --- refusals --- */

static void
play_is_refused_with_the_address(void **state)
{
	struct evbuffer *b = opening();

	connect_as(b, 20, "live", "rtmp://h/live", false);
	call(b, 20, 0, "createStream", 2, 0);
	call(b, 20, 1, "play", 3, 1, "cam");
	expect_fail(b, "play", "onStatus 0 NetStream.Play.Failed 'play /watch/cam'");
}

static void
authmod_is_refused(void **state)
{
	struct evbuffer *b = opening();

	connect_as(b, 20, "live?authmod=adobe&user=me", "rtmp://h/live?authmod=adobe&user=me", false);
	expect_fail(b, "authmod", "_error 1 NetConnection.Connect.Rejected");
}

static void
a_refused_publisher_hears_why_and_its_media_goes_nowhere(void **state)
{
	struct evbuffer *b = live();
	struct peer c;
	char why[256];

	media(b);
	assert_int_equal(feed(&c, b, 1, true, why), 0);
	assert_string_equal(c.events, LIVE);
	assert_non_null(strstr(c.replies, "onStatus 0 NetStream.Publish.BadName 'taken'"));
	evbuffer_free(b);
}

static void
out_of_order(void **state)
{
	struct evbuffer *b = opening();
	char *big = calloc(1, 3000);

	call(b, 20, 1, "publish", 3, 1, "cam");
	expect_fail(b, "publish before connect", "");
	b = opening();
	call(b, 20, 1, "createStream", 3, 0);
	expect_fail(b, "createStream before connect", "");
	b = opening();
	media(b);
	expect_fail(b, "media before publish", "");
	b = live();
	connect_as(b, 20, "live", "rtmp://h/live", false);
	expect_fail(b, "second connect", "");
	b = live();
	call(b, 20, 1, "publish", 3, 1, "dog");
	expect_fail(b, "second publish", "");
	b = opening();
	connect_as(b, 20, "live", "rtmp://h/live", false);
	call(b, 20, 1, "publish", 3, 1, memset(big, 'a', 2049));
	expect_fail(b, "2048", "");
	b = opening();
	connect_as(b, 20, big, "rtmp://h/live", false);
	expect_fail(b, "2048", "");
	free(big);
}

static void
rubbish(void **state)
{
	struct evbuffer *b = evbuffer_new();

	evbuffer_add(b, "GET / HTTP/1.1\r\n\r\n", 18);
	expect_fail(b, "not RTMP", "");
	b = opening();
	message(b, 20, 0, "\xff\xff", 2);
	expect_fail(b, "not AMF", "");
	b = opening();
	message(b, 20, 0, "\2\0\7conn", 7);
	expect_fail(b, "not AMF", "");
	b = opening();
	message(b, 5, 0, "abc", 3);
	expect_fail(b, "of 3 bytes", "");
	b = opening();
	evbuffer_add(b, "\x03\0\0\0\xff\xff\xff\x14\0\0\0\0", 12);
	expect_fail(b, "rtmp.max_unpublished", "");
	b = live();
	evbuffer_add(b, "\x03\0\0\0\xff\xff\xff\x14\0\0\0\0", 12);
	expect_fail(b, "rtmp.max_message", "Publish.Start");
	b = opening();
	call(b, 20, 0, "FCPublish", 2, 1, "cam");
	expect_fail(b, "FCPublish before connect", "");
}

static void
a_frame_may_be_longer_than_what_comes_before_publishing(void **state)
{
	static uint8_t body[100000] = { 0x27 };
	struct evbuffer *b = live();

	rtmp_chunk_write(b, 128, 6, 9, 1, 7, body, sizeof(body));
	expect(b, LIVE "media 9 7 100000 27;", NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ffmpeg),
		cmocka_unit_test(librtmp),
		cmocka_unit_test(gstreamer_publishes_with_transaction_0),
		cmocka_unit_test(amf3_framed),
		cmocka_unit_test(urls),
		cmocka_unit_test(unknown_calls_are_answered_once),
		cmocka_unit_test(pings_and_unknown_types),
		cmocka_unit_test(acknowledgements),
		cmocka_unit_test(metadata),
		cmocka_unit_test(aggregates),
		cmocka_unit_test(the_chunk_size_is_the_clients_to_choose),
		cmocka_unit_test(play_is_refused_with_the_address),
		cmocka_unit_test(authmod_is_refused),
		cmocka_unit_test(a_refused_publisher_hears_why_and_its_media_goes_nowhere),
		cmocka_unit_test(out_of_order),
		cmocka_unit_test(rubbish), cmocka_unit_test(a_frame_may_be_longer_than_what_comes_before_publishing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
