/* request.c: requests whole, pipelined and split at every byte; what is refused, and how. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "request.h"

#define MAX_HEADER 1024
#define MAX_BODY 64

/* Feeds all of text in pieces of at most `piece`; returns bytes taken when it stopped. */
static size_t
feed(struct request *r, const char *text, size_t len, size_t piece)
{
	size_t at = 0;

	while (at < len && r->state == REQUEST_MORE) {
		size_t n = len - at < piece ? len - at : piece;

		at += request_feed(r, text + at, n);
	}
	return at;
}

static const char whole[] = "GET /stream/a%20b/live.m3u8?x=1&key=a%2Fb#frag HTTP/1.1\r\n"
    "hOST: example.org:8080 \t\r\nX-Unknown: ignored\r\nUser-Agent: VLC/3\r\n"
    "Cookie: a=1\r\nRange: bytes=0-9\r\nCookie: mr_viewer=ff\r\n"
    "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\n\r\n";

static void
check_whole(struct request *r)
{
	char value[16];

	assert_int_equal(r->state, REQUEST_DONE);
	assert_int_equal(request_method(r), HTTP_GET);
	assert_string_equal(request_path(r), "/stream/a%20b/live.m3u8");
	assert_string_equal(request_query(r), "x=1&key=a%2Fb");
	assert_string_equal(request_field(r, FIELD_HOST), "example.org:8080");
	assert_string_equal(request_field(r, FIELD_USER_AGENT), "VLC/3");
	assert_string_equal(request_field(r, FIELD_COOKIE), "a=1; mr_viewer=ff");
	assert_string_equal(request_field(r, FIELD_RANGE), "bytes=0-9");
	assert_string_equal(request_field(r, FIELD_X_FORWARDED_FOR), "1.1.1.1, 2.2.2.2");
	assert_null(request_field(r, FIELD_ORIGIN));
	assert_int_equal(request_param(r, "key", value, sizeof(value)), 0);
	assert_string_equal(value, "a/b");
	assert_int_equal(request_param(r, "ke", value, sizeof(value)), -1);
	assert_int_equal(request_param(r, "key", value, 3), -1);
	assert_true(r->keep_alive);
	assert_false(request_http10(r));
}

static void
a_request_is_the_same_in_any_pieces(void **state)
{
	struct request r;

	request_init(&r, MAX_HEADER, MAX_BODY);
	for (size_t piece = 1; piece <= sizeof(whole) - 1; piece++) {
		assert_int_equal(feed(&r, whole, sizeof(whole) - 1, piece), sizeof(whole) - 1);
		check_whole(&r);
		request_reset(&r);
	}
	request_free(&r);
}

static void
two_pieces_split_anywhere(void **state)
{
	struct request r;

	request_init(&r, MAX_HEADER, MAX_BODY);
	for (size_t cut = 1; cut < sizeof(whole) - 1; cut++) {
		assert_int_equal(request_feed(&r, whole, cut), cut);
		assert_int_equal(r.state, REQUEST_MORE);
		assert_int_equal(request_feed(&r, whole + cut, sizeof(whole) - 1 - cut),
		    sizeof(whole) - 1 - cut);
		check_whole(&r);
		request_reset(&r);
	}
	request_free(&r);
}

static void
pipelined_requests_are_left_to_the_caller(void **state)
{
	static const char text[] = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
	    "\r\nHEAD /b HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
	    "OPTIONS * HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
	    "GET http://h:1/c?q HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	static const char *const paths[] = { "/a", "/b", "*", "/c" };
	struct request r;

	for (size_t piece = 1; piece < sizeof(text); piece++) {
		size_t at = 0;

		request_init(&r, MAX_HEADER, MAX_BODY);
		for (int i = 0; i < 4; i++) {
			at += feed(&r, text + at, sizeof(text) - 1 - at, piece);
			assert_int_equal(r.state, REQUEST_DONE);
			assert_string_equal(request_path(&r), paths[i]);
			assert_int_equal(request_http10(&r), i == 1);
			assert_int_equal(r.keep_alive, i != 3);
			if (i < 3)
				request_reset(&r);
		}
		assert_string_equal(request_query(&r), "q");
		assert_int_equal(at, sizeof(text) - 1);
		request_free(&r);
	}
}

/* Of a POST and a PATCH; what else comes with one is counted only. */
static void
bodies_are_kept(void **state)
{
	static const struct { const char *method, *body; } rows[] = { { "POST", "hello" }, { "PATCH", "hello" }, { "PUT", "" } };
	char text[200];
	struct request r;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int n = snprintf(text, sizeof(text), "%s /a HTTP/1.1\r\nHost: x\r\nIf-Match: *\r\nContent-Length: 5\r\n\r\nhello",
		    rows[i].method);

		request_init(&r, MAX_HEADER, MAX_BODY);
		assert_int_equal(feed(&r, text, (size_t)n, 3), n);
		assert_int_equal(r.state, REQUEST_DONE);
		assert_int_equal(r.body_bytes, 5);
		assert_memory_equal(request_body(&r), rows[i].body, strlen(rows[i].body));
		assert_string_equal(request_field(&r, FIELD_IF_MATCH), "*");
		request_free(&r);
	}
}

static void
what_is_refused(void **state)
{
	static const struct { const char *text; int status; } bad[] = {
		{ "nonsense\r\n\r\n", 400 },
		{ "BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400 },
		{ "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505 },
		{ "GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505 },
		{ "GET / HTTP/1.1\r\nHost: a\r\nCookie: \001b\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nHost: a\r\nX: a\001\r\n\r\n", 400 },
		{ "GET /\001 HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400 },
		{ "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 405 },
		{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 65\r\n\r\n", 413 },
		{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
		    "Transfer-Encoding: chunked\r\n\r\n", 400 },
		{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400 },
		{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400 },
	};
	struct request r;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		for (size_t piece = 1; piece <= strlen(bad[i].text); piece++) {
			request_init(&r, MAX_HEADER, MAX_BODY);
			feed(&r, bad[i].text, strlen(bad[i].text), piece);
			if (r.state != REQUEST_BAD || r.status != bad[i].status)
				print_error("request %zu in pieces of %zu: %d\n", i, piece, r.status);
			assert_int_equal(r.state, REQUEST_BAD);
			assert_int_equal(r.status, bad[i].status);
			assert_true(r.why[0] != '\0');
			request_free(&r);
		}
}

/* The limit is exact: a head of max_header bytes passes, one more byte does not. */
static void
heads_are_bounded(void **state)
{
	for (size_t fill = MAX_HEADER - 60; fill < MAX_HEADER; fill++) {
		char text[2 * MAX_HEADER];
		struct request r;
		size_t n;

		n = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: x\r\nCookie: %0*d\r\n\r\n",
		    (int)fill, 0);
		request_init(&r, MAX_HEADER, MAX_BODY);
		feed(&r, text, n, 100);
		assert_int_equal(r.state, n <= MAX_HEADER ? REQUEST_DONE : REQUEST_BAD);
		assert_int_equal(r.status, n <= MAX_HEADER ? 0 : 431);
		request_free(&r);
	}
}

static void
endless_targets_and_bodies_are_bounded(void **state)
{
	static const char head[] = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
	struct request r;

	request_init(&r, MAX_HEADER, MAX_BODY);
	feed(&r, "GET /", 5, 5);
	for (int i = 0; i < 2 * MAX_HEADER && r.state == REQUEST_MORE; i++)
		request_feed(&r, "a", 1);
	assert_int_equal(r.state, REQUEST_BAD);
	assert_int_equal(r.status, 414);
	assert_true(r.cap <= 4 * MAX_HEADER);
	request_reset(&r);
	feed(&r, head, sizeof(head) - 1, 9);
	for (int i = 0; i < MAX_BODY + 10 && r.state == REQUEST_MORE; i++)
		feed(&r, "1\r\na\r\n", 6, 2);
	assert_int_equal(r.status, 413);
	request_free(&r);
}

/* Many small repeats of one field grow its list only as far as the head's bound. */
static void
repeated_fields_are_bounded(void **state)
{
	struct request r;

	request_init(&r, MAX_HEADER, MAX_BODY);
	feed(&r, "GET / HTTP/1.1\r\nHost: x\r\n", 25, 25);
	for (int i = 0; i < 200 && r.state == REQUEST_MORE; i++)
		feed(&r, "Via:1\r\nCookie:2\r\n", 17, 17);
	assert_int_equal(r.status, 431);
	assert_true(r.cap <= 4 * MAX_HEADER);
	request_free(&r);
}

/* Behind a body a field is nothing that was said in the head, and is bounded like one. */
static void
trailers_are_dropped(void **state)
{
	static const char text[] = "POST /a HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 1.1.1.1\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Forwarded-For: 127.0.0.1\r\n"
	    "Host: evil\r\nAuthorization: Bearer x\r\nCookie: a=1\r\n\r\n";
	struct request r;

	for (size_t piece = 1; piece <= sizeof(text) - 1; piece++) {
		request_init(&r, MAX_HEADER, MAX_BODY);
		assert_int_equal(feed(&r, text, sizeof(text) - 1, piece), sizeof(text) - 1);
		assert_int_equal(r.state, REQUEST_DONE);
		assert_string_equal(request_field(&r, FIELD_X_FORWARDED_FOR), "1.1.1.1");
		assert_string_equal(request_field(&r, FIELD_HOST), "x");
		assert_null(request_field(&r, FIELD_AUTHORIZATION));
		assert_null(request_field(&r, FIELD_COOKIE));
		assert_memory_equal(request_body(&r), "abc", 3);
		request_free(&r);
	}
	request_init(&r, MAX_HEADER, MAX_BODY);
	feed(&r, text, (size_t)(strstr(text, "0\r\nX") + 3 - text), 9);
	for (int i = 0; i < MAX_HEADER && r.state == REQUEST_MORE; i++)
		feed(&r, "Via: 1\r\n", 8, 3);
	assert_int_equal(r.status, 431);
	request_free(&r);
}

static void
expect_is_told_once(void **state)
{
	static const char text[] = "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 3\r\n\r\n";
	struct request r;

	request_init(&r, MAX_HEADER, MAX_BODY);
	feed(&r, text, sizeof(text) - 1, sizeof(text));
	assert_int_equal(r.state, REQUEST_MORE);
	assert_true(r.want_continue);
	feed(&r, "abc", 3, 3);
	assert_int_equal(r.state, REQUEST_DONE);
	assert_false(r.want_continue);
	request_free(&r);
}

static void
escapes(void **state)
{
	static const char *const bad[] = { "%", "%4", "%4g", "%g4", "a%00b", "%%41" };
	char out[4];

	assert_int_equal(request_decode("%41b%2e", 7, out, sizeof(out)), 0);
	assert_string_equal(out, "Ab.");
	assert_int_equal(request_decode("abcd", 4, out, sizeof(out)), -1);
	assert_int_equal(request_decode("ab%41", 4, out, sizeof(out)), -1);	/* the 1 is not ours */
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(request_decode(bad[i], strlen(bad[i]), out, sizeof(out)), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_the_same_in_any_pieces),
		cmocka_unit_test(two_pieces_split_anywhere),
		cmocka_unit_test(pipelined_requests_are_left_to_the_caller),
		cmocka_unit_test(bodies_are_kept),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(heads_are_bounded),
		cmocka_unit_test(endless_targets_and_bodies_are_bounded),
		cmocka_unit_test(repeated_fields_are_bounded),
		cmocka_unit_test(trailers_are_dropped),
		cmocka_unit_test(expect_is_told_once),
		cmocka_unit_test(escapes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
