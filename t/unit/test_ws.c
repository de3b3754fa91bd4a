/*
 * WebSockets by the sections of RFC 6455: the head, frames, fragments, control frames, closing,
 * UTF-8, limits. Every row is fed whole, and again byte by byte: the outcome is the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ws.h"
#include "ws_head.h"

#define MAX_MESSAGE 1000

struct seen {
	char log[4096];		/* what happened, in words */
	size_t pieces;
	bool in_pieces;
};

static void
note(struct seen *s, const char *what, const void *p, size_t n)
{
	size_t at = strlen(s->log);

	snprintf(s->log + at, sizeof(s->log) - at, "%s", what);
	for (size_t i = 0; i < n && i < 40; i++) {
		at = strlen(s->log);
		snprintf(s->log + at, sizeof(s->log) - at, "%c", ((const char *)p)[i]);
	}
	at = strlen(s->log);
	snprintf(s->log + at, sizeof(s->log) - at, "(%zu) ", n);
}

static void
on_message(void *ctx, bool text, const uint8_t *p, size_t n)
{
	assert_int_equal(p[n], 0);
	note(ctx, text ? "text:" : "binary:", p, n);
}

static void
on_piece(void *ctx, const uint8_t *p, size_t n, bool last)
{
	struct seen *s = ctx;

	s->pieces += n;
	if (!last)
		return;
	note(s, "pieces", "", 0);
	s->log[strlen(s->log) - 4] = '\0';
	snprintf(s->log + strlen(s->log), 32, "[%zu] ", s->pieces);
	s->pieces = 0;
}

static void
on_closed(void *ctx, unsigned code, const char *reason)
{
	struct seen *s = ctx;

	snprintf(s->log + strlen(s->log), 200, "closed:%u:%s ", code, reason);
}

static const struct ws_ops whole_ops = { .message = on_message, .closed = on_closed };
static const struct ws_ops piece_ops = { .message = on_message, .piece = on_piece, .closed = on_closed };

struct bytes { uint8_t p[300000]; size_t n; };

/* A client's frame; head: its first byte; bytes of the length field: 0 the shortest, 2 or 8. */
static void
frame(struct bytes *b, uint8_t head, const void *p, size_t n, int wide, bool masked)
{
	static const uint8_t key[4] = { 0x12, 0x34, 0x56, 0x78 };

	if (wide == 0)
		wide = n > 0xffff ? 8 : n > 125 ? 2 : 1;
	b->p[b->n++] = head;
	b->p[b->n++] = (uint8_t)((masked ? 0x80 : 0) | (wide == 1 ? n : wide == 2 ? 126 : 127));
	for (int i = wide - 1; wide > 1 && i >= 0; i--)
		b->p[b->n++] = (uint8_t)((uint64_t)n >> 8 * i);
	if (masked)
		memcpy(b->p + b->n, key, 4);
	b->n += masked ? 4 : 0;
	for (size_t i = 0; i < n; i++)
		b->p[b->n++] = ((const uint8_t *)p)[i] ^ (masked ? key[i % 4] : 0);
}

/* What the server answered, in words: frames of its own, unmasked, whole. */
static void
answers(struct evbuffer *out, struct seen *s)
{
	const uint8_t *p = evbuffer_pullup(out, -1);
	size_t n = evbuffer_get_length(out), len, at = 0;

	while (at < n) {
		assert_true(n - at >= 2 && (p[at] & 0xf0) == 0x80 && !(p[at + 1] & 0x80));
		len = p[at + 1];
		assert_true(len < 126 && n - at >= 2 + len);
		if ((p[at] & 15) == 8 && len >= 2)
			snprintf(s->log + strlen(s->log), 40, ">close:%u ", p[at + 2] << 8 | p[at + 3]);
		else if ((p[at] & 15) == 8)
			note(s, ">close:none", "", 0);
		else
			note(s, (p[at] & 15) == 10 ? ">pong:" : (p[at] & 15) == 9 ? ">ping:" : ">text:", p + at + 2, len);
		at += 2 + len;
	}
}

static void
feed(const struct bytes *b, size_t step, const struct ws_ops *ops, struct seen *s)
{
	struct evbuffer *out = evbuffer_new();
	struct ws *w = ws_new(MAX_MESSAGE, ops, s, out);
	size_t had;
	int rc = 0;

	for (size_t at = 0; at < b->n && rc == 0; at += step)
		rc = ws_input(w, b->p + at, b->n - at < step ? b->n - at : step);
	answers(out, s);
	if (rc < 0)
		note(s, "over", "", 0);
	had = evbuffer_get_length(out);
	ws_text(w, "x", 1);		/* nothing after a Close */
	assert_int_equal(rc < 0, evbuffer_get_length(out) == had);
	if (rc < 0) {
		ws_close(w, WS_NORMAL, "again");
		assert_int_equal(evbuffer_get_length(out), had);
		assert_int_equal(ws_input(w, b->p, b->n), -1);
	}
	ws_free(&w);
	evbuffer_free(out);
}

static void
expect_ops(const struct bytes *b, const struct ws_ops *ops, const char *want)
{
	static const size_t steps[] = { SIZE_MAX / 2, 1, 2, 3, 7, 1000 };

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct seen s = { .log = "" };

		feed(b, steps[i], ops, &s);
		assert_string_equal(s.log, want);
	}
}

static void
expect(const struct bytes *b, const char *want)
{
	expect_ops(b, &whole_ops, want);
}

#define FIN 0x80
enum { CONT, TEXT, BINARY, CLOSE = 8, PING, PONG };

struct row {
	const char *section;	/* of RFC 6455 */
	struct { uint8_t head; const char *p; size_t n; int wide; bool unmasked; } f[5];
	const char *want;
};
#define F(head, text) { head, text, sizeof(text) - 1, 0, false }
#define OVER "over(0) "

static const struct row rows[] = {
	{ "5.6 text", { F(FIN | TEXT, "hello") }, "text:hello(5) " },
	{ "5.6 binary", { F(FIN | BINARY, "hello") }, "binary:hello(5) " },
	{ "5.6 empty text", { F(FIN | TEXT, "") }, "text:(0) " },
	{ "5.4 two fragments", { F(TEXT, "hel"), F(FIN | CONT, "lo") }, "text:hello(5) " },
	{ "5.4 fragments without bytes", { F(TEXT, ""), F(CONT, ""), F(FIN | CONT, "") }, "text:(0) " },
	{ "5.4 a ping between fragments", { F(TEXT, "hel"), F(FIN | PING, "now"), F(FIN | CONT, "lo") },
	    "text:hello(5) >pong:now(3) " },
	{ "5.4 a Close between fragments", { F(TEXT, "hel"), F(FIN | CLOSE, "\x03\xe8") },
	    "closed:1000: >close:1000 " OVER },
	{ "5.4 continuation of nothing", { F(FIN | CONT, "x") }, ">close:1002 " OVER },
	{ "5.4 continuation after the end", { F(FIN | TEXT, "a"), F(FIN | CONT, "x") }, "text:a(1) >close:1002 " OVER },
	{ "5.4 a new message amid another", { F(TEXT, "a"), F(FIN | TEXT, "b") }, ">close:1002 " OVER },
	{ "5.1 not masked", { { FIN | TEXT, "hello", 5, 0, true } }, ">close:1002 " OVER },
	{ "5.1 an unmasked ping", { { FIN | PING, "", 0, 0, true } }, ">close:1002 " OVER },
	{ "5.2 RSV1", { F(FIN | 0x40 | TEXT, "x") }, ">close:1002 " OVER },
	{ "5.2 RSV2", { F(FIN | 0x20 | TEXT, "x") }, ">close:1002 " OVER },
	{ "5.2 RSV3", { F(FIN | 0x10 | BINARY, "x") }, ">close:1002 " OVER },
	{ "5.2 RSV1 in a ping", { F(FIN | 0x40 | PING, "") }, ">close:1002 " OVER },
	{ "5.2 opcode 3", { F(FIN | 3, "x") }, ">close:1002 " OVER },
	{ "5.2 opcode 7", { F(FIN | 7, "") }, ">close:1002 " OVER },
	{ "5.2 opcode 11", { F(FIN | 11, "x") }, ">close:1002 " OVER },
	{ "5.2 opcode 15", { F(FIN | 15, "") }, ">close:1002 " OVER },
	{ "5.2 a length in more bytes than it needs, 2", { { FIN | TEXT, "hello", 5, 2, false } }, ">close:1002 " OVER },
	{ "5.2 a length in more bytes than it needs, 8", { { FIN | TEXT, "hello", 5, 8, false } }, ">close:1002 " OVER },
	{ "5.5 a ping in fragments", { F(PING, "x") }, ">close:1002 " OVER },
	{ "5.5 a Close in fragments", { F(CLOSE, "\x03\xe8") }, ">close:1002 " OVER },
	{ "5.5.2 ping", { F(FIN | PING, "") }, ">pong:(0) " },
	{ "5.5.2 pings", { F(FIN | PING, "a"), F(FIN | PING, "b") }, ">pong:a(1) >pong:b(1) " },
	{ "5.5.3 a pong nobody asked for", { F(FIN | PONG, "x"), F(FIN | TEXT, "a") }, "text:a(1) " },
	{ "5.5.1 Close without a code", { F(FIN | CLOSE, "") }, "closed:1005: >close:none(0) " OVER },
	{ "5.5.1 Close of one byte", { F(FIN | CLOSE, "\x03") }, ">close:1002 " OVER },
	{ "5.5.1 Close and reason", { F(FIN | CLOSE, "\x03\xe9gone") }, "closed:1001:gone >close:1001 " OVER },
	{ "5.5.1 what follows a Close", { F(FIN | CLOSE, "\x03\xe8"), F(FIN | TEXT, "x") },
	    "closed:1000: >close:1000 " OVER },
	{ "7.4.1 code 999", { F(FIN | CLOSE, "\x03\xe7") }, ">close:1002 " OVER },
	{ "7.4.1 code 1004", { F(FIN | CLOSE, "\x03\xec") }, ">close:1002 " OVER },
	{ "7.4.1 code 1005", { F(FIN | CLOSE, "\x03\xed") }, ">close:1002 " OVER },
	{ "7.4.1 code 1006", { F(FIN | CLOSE, "\x03\xee") }, ">close:1002 " OVER },
	{ "7.4.1 code 1015", { F(FIN | CLOSE, "\x03\xf7") }, ">close:1002 " OVER },
	{ "7.4.2 code 3000", { F(FIN | CLOSE, "\x0b\xb8") }, "closed:3000: >close:3000 " OVER },
	{ "7.4.2 code 4999", { F(FIN | CLOSE, "\x13\x87") }, "closed:4999: >close:4999 " OVER },
	{ "7.4.2 code 5000", { F(FIN | CLOSE, "\x13\x88") }, ">close:1002 " OVER },
	{ "8.1 text that is not UTF-8", { F(FIN | TEXT, "a\xff") }, ">close:1007 " OVER },
	{ "8.1 a surrogate", { F(FIN | TEXT, "\xed\xa0\x80") }, ">close:1007 " OVER },
	{ "8.1 overlong", { F(FIN | TEXT, "\xc0\x80") }, ">close:1007 " OVER },
	{ "8.1 beyond U+10FFFF", { F(FIN | TEXT, "\xf4\x90\x80\x80") }, ">close:1007 " OVER },
	{ "8.1 half a character at the end", { F(FIN | TEXT, "a\xc3") }, ">close:1007 " OVER },
	{ "8.1 a character across fragments", { F(TEXT, "\xc3"), F(FIN | CONT, "\xa4") }, "text:\xc3\xa4(2) " },
	{ "8.1 bad in the second fragment", { F(TEXT, "a"), F(FIN | CONT, "\xff") }, ">close:1007 " OVER },
	{ "8.1 binary is anything", { F(FIN | BINARY, "\xff\xfe") }, "binary:\xff\xfe(2) " },
	{ "8.1 the reason of a Close", { F(FIN | CLOSE, "\x03\xe8\xff") }, ">close:1007 " OVER },
};

static void
test_frames(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bytes *b = calloc(1, sizeof(*b));

		print_message("# %s\n", rows[i].section);
		for (size_t f = 0; f < 5 && rows[i].f[f].p != NULL; f++)
			frame(b, rows[i].f[f].head, rows[i].f[f].p, rows[i].f[f].n, rows[i].f[f].wide,
			    !rows[i].f[f].unmasked);
		expect(b, rows[i].want);
		free(b);
	}
}

static void
test_lengths(void **state)
{
	static const size_t sizes[] = { 125, 126, 127, 128, 999, 1000 };
	static char big[70000];
	struct bytes *b = calloc(1, sizeof(*b));
	char want[100];

	memset(big, 'x', sizeof(big));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		b->n = 0;
		frame(b, FIN | TEXT, big, sizes[i], 0, true);
		snprintf(want, sizeof(want), "text:%.40s(%zu) ", big, sizes[i]);
		expect(b, want);
	}
	b->n = 0;
	frame(b, FIN | BINARY, big, 1001, 0, true);
	expect(b, ">close:1009 " OVER);
	b->n = 0;			/* its parts together */
	frame(b, BINARY, big, 600, 0, true);
	frame(b, FIN | CONT, big, 401, 0, true);
	expect(b, ">close:1009 " OVER);
	b->n = 0;			/* in pieces there is no limit */
	frame(b, BINARY, big, 65536, 0, true);
	frame(b, CONT, big, 70000, 0, true);
	frame(b, FIN | CONT, big, 1, 0, true);
	frame(b, FIN | BINARY, big, 0, 0, true);
	expect_ops(b, &piece_ops, "pieces[135537] pieces[0] ");
	b->n = 0;			/* but for text */
	frame(b, FIN | TEXT, big, 1001, 0, true);
	expect_ops(b, &piece_ops, ">close:1009 " OVER);
	b->n = 0;
	frame(b, FIN | PING, big, 125, 0, true);
	snprintf(want, sizeof(want), ">pong:%.40s(125) ", big);
	expect(b, want);
	b->n = 0;
	frame(b, FIN | PING, big, 126, 0, true);
	expect(b, ">close:1002 " OVER);
	free(b);
}

/* Lengths that nobody could hold cost nothing. */
static void
test_huge(void **state)
{
	static const uint8_t most[] = { FIN | BINARY, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4, 'x' };
	static const uint8_t beyond[] = { FIN | BINARY, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 'x' };
	struct bytes *b = calloc(1, sizeof(*b));

	memcpy(b->p, most, b->n = sizeof(most));
	expect(b, ">close:1009 " OVER);
	expect_ops(b, &piece_ops, "");	/* it comes as it comes */
	memcpy(b->p, beyond, b->n = sizeof(beyond));
	expect(b, ">close:1002 " OVER);
	expect_ops(b, &piece_ops, ">close:1002 " OVER);
	free(b);
}

static void
test_out(void **state)
{
	struct evbuffer *out = evbuffer_new();
	struct seen s = { .log = "" };
	struct ws *w = ws_new(MAX_MESSAGE, &whole_ops, &s, out);
	static char big[70000];
	uint8_t head[10];
	char long_reason[400] = "";

	ws_json(w, json_pack("{s:i}", "a", 1));
	ws_ping(w);
	answers(out, &s);
	assert_string_equal(s.log, ">text:{\"a\":1}(7) >ping:(0) ");
	evbuffer_drain(out, 1000);
	ws_text(w, big, 65536);
	assert_int_equal(evbuffer_remove(out, head, 10), 10);
	assert_memory_equal(head, "\x81\x7f\0\0\0\0\0\1\0\0", 10);
	evbuffer_drain(out, 65536);
	ws_text(w, big, 126);
	assert_int_equal(evbuffer_remove(out, head, 4), 4);
	assert_memory_equal(head, "\x81\x7e\0\x7e", 4);
	evbuffer_drain(out, 126);
	for (int i = 0; i < 100; i++)
		strcat(long_reason, "\xc3\xa4");	/* cut between two characters */
	ws_close(w, WS_POLICY, long_reason);
	assert_int_equal(evbuffer_get_length(out), 2 + 2 + 122);
	ws_free(&w);
	evbuffer_free(out);
}

/* Who holds the answer to a Close back says first what there is to say. */
static void
test_held(void **state)
{
	static const struct ws_ops ops = { .message = on_message, .closed = on_closed, .hold_close = true };
	struct evbuffer *out = evbuffer_new();
	struct seen s = { .log = "" };
	struct ws *w = ws_new(MAX_MESSAGE, &ops, &s, out);
	static struct bytes b;

	b.n = 0;
	frame(&b, 0x81, "hi", 2, 0, true);
	frame(&b, 0x88, "\x03\xe8" "bye", 5, 0, true);
	frame(&b, 0x81, "late", 4, 0, true);
	assert_false(ws_is_held(w));
	for (size_t i = 0; i < b.n; i++)
		assert_int_equal(ws_input(w, b.p + i, 1), 0);
	assert_string_equal(s.log, "text:hi(2) closed:1000:bye ");
	assert_int_equal(evbuffer_get_length(out), 0);
	assert_true(ws_is_held(w));
	ws_text(w, "ok", 2);
	ws_close(w, WS_TRY_LATER, "");
	answers(out, &s);
	assert_string_equal(s.log, "text:hi(2) closed:1000:bye >text:ok(2) >close:1013 ");
	assert_false(ws_is_held(w));
	assert_int_equal(ws_input(w, b.p, b.n), -1);
	ws_free(&w);
	evbuffer_free(out);
}

/* --- section 4.2: the head --- */

static int
check_head(const char *text, const json_t *origins, struct evbuffer *out)
{
	struct request r;
	const char *why;
	int status = -1, used = ws_head_read(&r, (const uint8_t *)text, strlen(text));

	if (used >= 0) {
		assert_int_equal(used, (strstr(text, "\r\n\r\n") - text) + 4);
		status = ws_head_check(&r, origins, &why);
		assert_int_equal(status != 0, why != NULL);
		if (status == 0 && out != NULL)
			ws_head_accept(&r, out);
	}
	request_free(&r);
	return status;
}

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define V13 "Sec-WebSocket-Version: 13\r\n"
#define UP "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define GET "GET /ws HTTP/1.1\r\nHost: a.example:8080\r\n"

static void
test_head(void **state)
{
	static const struct { const char *text; int status; } heads[] = {
		{ GET UP KEY V13 "\r\n", 0 },
		{ GET UP KEY V13 "\r\nmore", 0 },
		{ GET "Upgrade: WebSocket\r\nConnection: keep-alive, upgrade\r\n" KEY V13 "\r\n", 0 },
		{ GET "Connection: Upgrade\r\n" KEY V13 "\r\n", 426 },
		{ GET "Upgrade: websocket\r\n" KEY V13 "\r\n", 426 },
		{ GET "Upgrade: websocket\r\nConnection: keep-alive, upgraded\r\n" KEY V13 "\r\n", 426 },
		{ GET UP KEY "\r\n", 426 },
		{ GET UP KEY "Sec-WebSocket-Version: 8\r\n\r\n", 426 },
		{ GET UP V13 "\r\n", 400 },
		{ GET UP V13 "Sec-WebSocket-Key: short\r\n\r\n", 400 },
		{ GET UP V13 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ!=\r\n\r\n", 400 },
		{ GET UP V13 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", 400 },
		{ "POST /ws HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n" UP KEY V13 "\r\nabc", 400 },
		{ "GET /ws HTTP/1.0\r\nHost: a\r\n" UP KEY V13 "\r\n", 400 },
		{ "GET /ws HTTP/1.1\r\n" UP KEY V13 "\r\n", -1 },
		{ "garbage\r\n\r\n", -1 },
		{ GET UP KEY V13, -1 },
	};
	struct evbuffer *out = evbuffer_new();

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		assert_int_equal(check_head(heads[i].text, NULL, NULL), heads[i].status);
	assert_int_equal(check_head(heads[0].text, NULL, out), 0);
	evbuffer_add(out, "", 1);	/* the example of section 1.3 */
	assert_non_null(strstr((char *)evbuffer_pullup(out, -1), "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"));
	evbuffer_free(out);
}

static void
test_origin(void **state)
{
	json_t *some = json_pack("[s, s]", "https://b.example", "null"), *any = json_pack("[s]", "*"), *none = json_array();
#define FROM(origin) GET UP KEY V13 "Origin: " origin "\r\n\r\n"

	assert_int_equal(check_head(GET UP KEY V13 "\r\n", none, NULL), 0);	/* no browser */
	assert_int_equal(check_head(FROM("http://a.example:8080"), none, NULL), 0);	/* its own page */
	assert_int_equal(check_head(FROM("http://a.example"), none, NULL), 403);
	assert_int_equal(check_head(FROM("https://b.example"), none, NULL), 403);
	assert_int_equal(check_head(FROM("https://b.example"), some, NULL), 0);
	assert_int_equal(check_head(FROM("https://B.example"), some, NULL), 0);
	assert_int_equal(check_head(FROM("http://b.example"), some, NULL), 403);
	assert_int_equal(check_head(FROM("https://b.example.evil"), some, NULL), 403);
	assert_int_equal(check_head(FROM("null"), some, NULL), 0);
	assert_int_equal(check_head(FROM("https://c.example"), any, NULL), 0);
	json_decref(some);
	json_decref(any);
	json_decref(none);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames), cmocka_unit_test(test_lengths), cmocka_unit_test(test_huge),
		cmocka_unit_test(test_out), cmocka_unit_test(test_held), cmocka_unit_test(test_head), cmocka_unit_test(test_origin),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
