/* rtmp_chunk.c: every header format, stream id and timestamp form, at every split; and its bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/rtmp_chunk.h"

#define MIB (1024 * 1024)

static const struct rtmp_chunk_limits usual = { 10 * MIB, 16 * MIB, 64, "rtmp.max_message", "rtmp.max_buffered" };

/* What came out, as text: "type csid stream time length first-last;" for each message. */
struct log { char text[4096]; size_t n; struct rtmp_chunk *r; };

struct bytes { uint8_t b[8192]; size_t n; };

static int
take(void *ctx, const struct rtmp_message *m)
{
	struct log *l = ctx;
	uint32_t v = m->len >= 4 ? (uint32_t)m->body[0] << 24 | (uint32_t)m->body[1] << 16 |
	    (uint32_t)m->body[2] << 8 | m->body[3] : 0;

	l->n += (size_t)snprintf(l->text + l->n, sizeof(l->text) - l->n, "%u %u %u %u %zu %02x-%02x;", m->type,
	    m->csid, m->stream_id, m->timestamp, m->len, m->len > 0 ? m->body[0] : 0,
	    m->len > 0 ? m->body[m->len - 1] : 0);
	if (m->type == 1)
		rtmp_chunk_set_size(l->r, v);
	else if (m->type == 2)
		rtmp_chunk_abort(l->r, v);
	return m->type == 99 ? -1 : 0;
}

static void
put(struct bytes *o, uint32_t v, unsigned n)
{
	while (n-- > 0)
		o->b[o->n++] = (uint8_t)(v >> 8 * n);
}

/* n bytes of payload that count up from first. */
static void
fill(struct bytes *o, uint8_t first, size_t n)
{
	for (size_t i = 0; i < n; i++)
		o->b[o->n++] = (uint8_t)(first + i);
}

static void
basic(struct bytes *o, unsigned fmt, uint32_t csid)
{
	if (csid < 64)
		put(o, fmt << 6 | csid, 1);
	else if (csid < 320)
		put(o, (fmt << 6) << 8 | (csid - 64), 2);
	else {
		put(o, fmt << 6 | 1, 1);
		put(o, (csid - 64) & 255, 1);
		put(o, (csid - 64) >> 8, 1);
	}
}

static void
head(struct bytes *o, unsigned fmt, uint32_t csid, uint32_t time, uint32_t len, uint8_t type, uint32_t sid)
{
	basic(o, fmt, csid);
	if (fmt < 3)
		put(o, time < 0xffffff ? time : 0xffffff, 3);
	if (fmt < 2) {
		put(o, len, 3);
		put(o, type, 1);
	}
	if (fmt == 0)
		put(o, __builtin_bswap32(sid), 4);
	if (fmt < 3 && time >= 0xffffff)
		put(o, time, 4);
}

/* cut = 0: in single bytes; else in two pieces, the first of `cut` bytes. */
static int
run(const struct bytes *in, size_t cut, struct log *l)
{
	size_t n, at = 0;
	uint8_t *piece;
	int rc = 0;

	memset(l, 0, sizeof(*l));
	l->r = rtmp_chunk_new(&usual, take, l);
	for (; at < in->n && rc == 0; at += n) {
		n = cut == 0 ? 1 : at == 0 ? cut : in->n - at;
		piece = malloc(n);		/* of its own, so that ASan sees a read past it */
		memcpy(piece, in->b + at, n);
		rc = rtmp_chunk_input(l->r, piece, n);
		free(piece);
	}
	if (rc == 0)
		assert_int_equal(rtmp_chunk_buffered(l->r), 0);
	else
		assert_true(strstr(l->text, "99 ") != NULL || rtmp_chunk_error(l->r)[0] != '\0');
	rtmp_chunk_free(&l->r);
	assert_null(l->r);
	return rc;
}

static void
expect_rc(const struct bytes *in, const char *want, int rc)
{
	struct log l;

	for (size_t cut = 0; cut <= in->n; cut++) {
		assert_int_equal(run(in, cut, &l), rc);
		assert_string_equal(l.text, want);
	}
}

static void
expect(const struct bytes *in, const char *want)
{
	expect_rc(in, want, 0);
}

static void
four_formats(void **state)
{
	struct bytes b = { .n = 0 };

	head(&b, 0, 4, 100000, 3, 8, 1);
	fill(&b, 1, 3);
	head(&b, 1, 4, 20, 2, 9, 0);
	fill(&b, 5, 2);
	head(&b, 2, 4, 30, 0, 0, 0);
	fill(&b, 7, 2);
	head(&b, 3, 4, 0, 0, 0, 0);
	fill(&b, 9, 2);
	expect(&b, "8 4 1 100000 3 01-03;9 4 1 100020 2 05-06;9 4 1 100050 2 07-08;9 4 1 100080 2 09-0a;");
}

static void
every_form_of_stream_id(void **state)
{
	static const uint32_t ids[] = { 2, 3, 63, 64, 65, 319, 320, 65598, 65599 };
	struct bytes b = { .n = 0 };
	char want[1024] = "";

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		head(&b, 0, ids[i], 1, 1, 8, 0x01020304);
		fill(&b, 7, 1);
		snprintf(want + strlen(want), sizeof(want) - strlen(want), "8 %u 16909060 1 1 07-07;", ids[i]);
	}
	/* 64 in the three byte form is the same stream as in the two byte form */
	put(&b, 0xc1, 1);
	put(&b, 0, 2);
	fill(&b, 8, 1);
	strcat(want, "8 64 16909060 2 1 08-08;");
	expect(&b, want);
}

static void
extended_time(void **state)
{
	struct bytes b = { .n = 0 };

	head(&b, 0, 4, 0xffffff, 1, 8, 1);
	fill(&b, 1, 1);
	head(&b, 0, 4, 0xfffffffe, 1, 8, 1);
	fill(&b, 2, 1);
	head(&b, 2, 4, 3, 0, 0, 0);		/* and the wrap */
	fill(&b, 3, 1);
	expect(&b, "8 4 1 16777215 1 01-01;8 4 1 4294967294 1 02-02;8 4 1 1 1 03-03;");
}

static void
extended_time_in_type_3(void **state)
{
	for (int repeated = 0; repeated < 2; repeated++) {
		struct bytes b = { .n = 0 };

		head(&b, 0, 4, 0x01020304, 300, 9, 1);
		fill(&b, 0x20, 128);
		for (int i = 0; i < 2; i++) {
			basic(&b, 3, 4);
			if (repeated)
				put(&b, 0x01020304, 4);
			fill(&b, (uint8_t)(0xa0 + i), i == 0 ? 128 : 44);
		}
		head(&b, 0, 5, 7, 1, 8, 1);
		fill(&b, 0x77, 1);
		expect(&b, "9 4 1 16909060 300 20-cc;8 5 1 7 1 77-77;");
	}
}

static void
extended_delta(void **state)
{
	for (int repeated = 0; repeated < 2; repeated++) {
		struct bytes b = { .n = 0 };

		head(&b, 0, 4, 5, 1, 9, 1);
		fill(&b, 0x40, 1);
		head(&b, 1, 4, 0x01000000, 130, 9, 1);
		fill(&b, 0x40, 128);
		basic(&b, 3, 4);
		if (repeated)
			put(&b, 0x01000000, 4);
		fill(&b, 0x50, 2);
		head(&b, 2, 4, 0x01000001, 0, 0, 0);
		fill(&b, 0x40, 128);
		basic(&b, 3, 4);
		if (repeated)
			put(&b, 0x01000001, 4);
		fill(&b, 0x60, 2);
		basic(&b, 3, 4);		/* a new message by type 3 */
		if (repeated)
			put(&b, 0x01000001, 4);
		fill(&b, 0x40, 128);
		basic(&b, 3, 4);
		if (repeated)
			put(&b, 0x01000001, 4);
		fill(&b, 0x70, 2);
		head(&b, 2, 4, 1, 0, 0, 0);	/* small again: type 3 carries none from here */
		fill(&b, 0x40, 128);
		basic(&b, 3, 4);
		fill(&b, 0x80, 2);
		expect(&b, "9 4 1 5 1 40-40;9 4 1 16777221 130 40-51;9 4 1 33554438 130 40-61;"
		    "9 4 1 50331655 130 40-71;9 4 1 50331656 130 40-81;");
	}
}

/* Three payload bytes that can't be the timestamp need not wait for a fourth. */
static void
short_tail_without_extended_time_is_not_held_back(void **state)
{
	struct bytes b = { .n = 0 };
	struct log l;

	head(&b, 0, 4, 0x01020304, 131, 9, 1);
	fill(&b, 0x20, 128);
	basic(&b, 3, 4);
	fill(&b, 0xa0, 3);
	expect(&b, "9 4 1 16909060 131 20-a2;");
	b.n -= 1;
	memset(&l, 0, sizeof(l));
	l.r = rtmp_chunk_new(&usual, take, &l);
	assert_int_equal(rtmp_chunk_input(l.r, b.b, b.n), 0);
	assert_string_equal(l.text, "");
	rtmp_chunk_free(&l.r);
}

static void
type_3_after_type_0(void **state)
{
	struct bytes b = { .n = 0 };

	head(&b, 0, 4, 40, 1, 8, 1);		/* Adobe: the timestamp is the delta */
	fill(&b, 1, 1);
	basic(&b, 3, 4);
	fill(&b, 2, 1);
	head(&b, 0, 4, 10000, 1, 8, 1);
	fill(&b, 3, 1);
	basic(&b, 3, 4);
	fill(&b, 4, 1);
	head(&b, 0, 4, 10001, 1, 8, 1);	/* too large for one: the same time */
	fill(&b, 5, 1);
	basic(&b, 3, 4);
	fill(&b, 6, 1);
	expect(&b, "8 4 1 40 1 01-01;8 4 1 80 1 02-02;8 4 1 10000 1 03-03;8 4 1 20000 1 04-04;"
	    "8 4 1 10001 1 05-05;8 4 1 10001 1 06-06;");
}

static void
chunk_sizes(void **state)
{
	static const uint32_t sizes[] = { 1, 2, 127, 200, 65536, 0x7fffffff };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct bytes b = { .n = 0 };
		size_t left = 200, n;

		head(&b, 0, 2, 0, 4, 1, 0);
		put(&b, sizes[i], 4);
		head(&b, 0, 4, 9, 200, 8, 1);
		for (; left > 0; left -= n) {
			n = left < sizes[i] ? left : sizes[i];
			fill(&b, (uint8_t)(200 - left), n);
			if (left > n)
				basic(&b, 3, 4);
		}
		char want[80];
		snprintf(want, sizeof(want), "1 2 0 0 4 %02x-%02x;8 4 1 9 200 00-c7;", sizes[i] >> 24, sizes[i] & 255);
		expect(&b, want);
	}
}

static void
chunk_size_changes_within_a_message(void **state)
{
	struct bytes b = { .n = 0 };

	head(&b, 0, 4, 9, 300, 8, 1);
	fill(&b, 0, 128);
	head(&b, 0, 2, 0, 4, 1, 0);
	put(&b, 50, 4);
	basic(&b, 3, 4);
	fill(&b, 128, 50);
	head(&b, 3, 2, 0, 0, 0, 0);
	put(&b, 1000, 4);
	basic(&b, 3, 4);
	fill(&b, 178, 122);
	expect(&b, "1 2 0 0 4 00-32;1 2 0 0 4 00-e8;8 4 1 9 300 00-2b;");
}

static void
interleaved(void **state)
{
	struct bytes b = { .n = 0 };

	head(&b, 0, 4, 10, 200, 8, 1);
	fill(&b, 1, 128);
	head(&b, 0, 70, 20, 300, 9, 1);
	fill(&b, 2, 128);
	basic(&b, 3, 70);
	fill(&b, 3, 128);
	basic(&b, 3, 4);
	fill(&b, 4, 72);
	basic(&b, 3, 70);
	fill(&b, 5, 44);
	expect(&b, "8 4 1 10 200 01-4b;9 70 1 20 300 02-30;");
}

static void
abort_forgets(void **state)
{
	struct bytes b = { .n = 0 };

	head(&b, 0, 4, 20000, 200, 8, 1);
	fill(&b, 1, 128);
	head(&b, 0, 2, 0, 4, 2, 0);
	put(&b, 4, 4);
	head(&b, 3, 2, 0, 0, 0, 0);		/* of a stream that is not there: nothing */
	put(&b, 4711, 4);
	head(&b, 2, 4, 5, 0, 0, 0);
	fill(&b, 9, 128);
	basic(&b, 3, 4);
	fill(&b, 1, 72);
	expect(&b, "2 2 0 0 4 00-04;2 2 0 0 4 00-67;8 4 1 20005 200 09-48;");
}

static void
new_header_within_a_message_starts_over(void **state)
{
	struct bytes b = { .n = 0 };

	head(&b, 0, 4, 10, 200, 8, 1);
	fill(&b, 1, 128);
	head(&b, 0, 4, 11, 2, 9, 1);
	fill(&b, 3, 2);
	expect(&b, "9 4 1 11 2 03-04;");
}

static void
empty_messages(void **state)
{
	struct bytes b = { .n = 0 };

	head(&b, 0, 4, 20000, 0, 8, 1);
	head(&b, 2, 4, 5, 0, 0, 0);
	basic(&b, 3, 4);
	head(&b, 1, 4, 5, 1, 9, 0);
	fill(&b, 1, 1);
	expect(&b, "8 4 1 20000 0 00-00;8 4 1 20005 0 00-00;8 4 1 20010 0 00-00;9 4 1 20015 1 01-01;");
}

static void
first_header_of_a_stream(void **state)
{
	struct bytes b = { .n = 0 };

	head(&b, 1, 4, 5, 1, 9, 0);		/* some clients: taken, message stream 0 */
	fill(&b, 1, 1);
	expect(&b, "9 4 0 5 1 01-01;");
	for (unsigned fmt = 2; fmt < 4; fmt++) {
		b.n = 0;
		head(&b, fmt, 4, 5, 0, 0, 0);
		fill(&b, 1, 1);
		expect_rc(&b, "", -1);
	}
}

static void
too_long_messages_are_refused(void **state)
{
	static const uint32_t lens[] = { 10 * MIB + 1, 0xfffffe, 0xffffff };

	for (size_t i = 0; i < 3; i++) {
		struct bytes b = { .n = 0 };

		head(&b, 0, 2, 0, 4, 1, 0);
		put(&b, 0x7fffffff, 4);
		head(&b, 0, 4, 5, lens[i], 9, 1);
		expect_rc(&b, "1 2 0 0 4 7f-ff;", -1);
	}
}

static void
announced_length_allocates_nothing(void **state)
{
	struct bytes b = { .n = 0 };
	struct log l = { .n = 0 };
	uint8_t *block = calloc(1, MIB);

	l.r = rtmp_chunk_new(&usual, take, &l);
	head(&b, 0, 2, 0, 4, 1, 0);
	put(&b, 0x7fffffff, 4);
	head(&b, 0, 4, 5, 10 * MIB, 9, 1);
	assert_int_equal(rtmp_chunk_input(l.r, b.b, b.n), 0);
	assert_int_equal(rtmp_chunk_buffered(l.r), 0);
	assert_int_equal(rtmp_chunk_input(l.r, block, 1), 0);
	assert_true(rtmp_chunk_buffered(l.r) <= 64 * 1024);
	for (int i = 0; i < 9; i++)
		assert_int_equal(rtmp_chunk_input(l.r, block, MIB), 0);
	assert_true(rtmp_chunk_buffered(l.r) <= 10 * MIB);
	assert_int_equal(rtmp_chunk_input(l.r, block, MIB - 1), 0);
	assert_string_equal(l.text, "1 2 0 0 4 7f-ff;9 4 1 5 10485760 00-00;");
	assert_int_equal(rtmp_chunk_buffered(l.r), 0);
	rtmp_chunk_free(&l.r);
	free(block);
}

static void
chunk_streams_are_bounded(void **state)
{
	struct bytes b = { .n = 0 };
	char want[4096] = "";

	for (uint32_t i = 0; i < 64; i++) {
		head(&b, 0, 3 + i, 1, 1, 8, 0);
		fill(&b, 1, 1);
		snprintf(want + strlen(want), sizeof(want) - strlen(want), "8 %u 0 1 1 01-01;", 3 + i);
	}
	expect(&b, want);
	head(&b, 0, 67, 1, 1, 8, 0);
	fill(&b, 1, 1);
	expect_rc(&b, want, -1);
}

/* Unfinished messages of many streams: each within its bound, together too much. */
static void
sum_of_unfinished_messages_is_bounded(void **state)
{
	const struct rtmp_chunk_limits l = { 1000, 1600, 64, "rtmp.max_message", "rtmp.max_buffered" };
	struct log log = { .n = 0 };
	struct bytes b = { .n = 0 };

	log.r = rtmp_chunk_new(&l, take, &log);
	for (uint32_t csid = 4; csid < 6; csid++) {
		b.n = 0;
		head(&b, 0, csid, 5, csid == 4 ? 1000 : 600, 9, 1);
		fill(&b, 0, 128);
		assert_int_equal(rtmp_chunk_input(log.r, b.b, b.n), 0);
	}
	assert_in_range(rtmp_chunk_buffered(log.r), 256, 1600);
	rtmp_chunk_abort(log.r, 5);
	assert_in_range(rtmp_chunk_buffered(log.r), 128, 1000);
	b.n = 0;
	head(&b, 0, 6, 5, 601, 9, 1);
	fill(&b, 0, 128);
	assert_int_equal(rtmp_chunk_input(log.r, b.b, b.n), -1);
	assert_non_null(strstr(rtmp_chunk_error(log.r), "rtmp.max_buffered"));
	rtmp_chunk_free(&log.r);
}

/* A message that needs no buffer is refused like one that comes in pieces. */
static void
the_bound_does_not_depend_on_pieces(void **state)
{
	const struct rtmp_chunk_limits l = { 1000, 1600, 64, "rtmp.max_message", "rtmp.max_buffered" };

	for (size_t piece = 1; piece < 1000; piece += 998) {
		struct log log = { .n = 0 };
		struct bytes b = { .n = 0 };
		int rc = 0;

		log.r = rtmp_chunk_new(&l, take, &log);
		head(&b, 0, 4, 5, 1000, 9, 1);
		fill(&b, 0, 128);
		assert_int_equal(rtmp_chunk_input(log.r, b.b, b.n), 0);
		rtmp_chunk_set_size(log.r, 1000);
		b.n = 0;
		head(&b, 0, 6, 5, 601, 9, 1);
		fill(&b, 0, 601);
		for (size_t at = 0; at < b.n && rc == 0; at += piece)
			rc = rtmp_chunk_input(log.r, b.b + at, b.n - at < piece ? b.n - at : piece);
		assert_int_equal(rc, -1);
		assert_non_null(strstr(rtmp_chunk_error(log.r), "rtmp.max_buffered"));
		rtmp_chunk_free(&log.r);
	}
}

static void
callback_stops_it(void **state)
{
	struct bytes b = { .n = 0 };

	head(&b, 0, 4, 1, 1, 99, 0);
	fill(&b, 1, 1);
	head(&b, 0, 4, 1, 1, 8, 0);
	fill(&b, 1, 1);
	expect_rc(&b, "99 4 0 1 1 01-01;", -1);
}

static void
what_we_write_can_be_read(void **state)
{
	uint8_t body[1000];
	struct bytes b = { .n = 0 };
	struct evbuffer *out = evbuffer_new();

	memset(body, 7, sizeof(body));
	rtmp_chunk_write(out, 128, 3, 20, 1, 0x123456, body, 0);
	rtmp_chunk_write(out, 128, 3, 20, 1, 0, body, 128);
	rtmp_chunk_write(out, 128, 63, 20, 0x01020304, 0, body, 1000);
	b.n = (size_t)evbuffer_remove(out, b.b, sizeof(b.b));
	evbuffer_free(out);
	expect(&b, "20 3 1 1193046 0 00-00;20 3 1 0 128 07-07;20 63 16909060 0 1000 07-07;");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(four_formats),
		cmocka_unit_test(every_form_of_stream_id),
		cmocka_unit_test(extended_time),
		cmocka_unit_test(extended_time_in_type_3),
		cmocka_unit_test(extended_delta),
		cmocka_unit_test(short_tail_without_extended_time_is_not_held_back),
		cmocka_unit_test(type_3_after_type_0),
		cmocka_unit_test(chunk_sizes),
		cmocka_unit_test(chunk_size_changes_within_a_message),
		cmocka_unit_test(interleaved),
		cmocka_unit_test(abort_forgets),
		cmocka_unit_test(new_header_within_a_message_starts_over),
		cmocka_unit_test(empty_messages),
		cmocka_unit_test(first_header_of_a_stream),
		cmocka_unit_test(too_long_messages_are_refused),
		cmocka_unit_test(announced_length_allocates_nothing),
		cmocka_unit_test(chunk_streams_are_bounded),
		cmocka_unit_test(sum_of_unfinished_messages_is_bounded), cmocka_unit_test(the_bound_does_not_depend_on_pieces),
		cmocka_unit_test(callback_stops_it),
		cmocka_unit_test(what_we_write_can_be_read),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
