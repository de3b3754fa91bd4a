/*
 * H.264: access units to RTP payloads and back. What was packed and unpacked is what it was, but for
 * the parameter sets in front and what browsers do not want; whatever is lost or torn on the way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "be.h"
#include "rtc/h264.h"

static const uint8_t record[] = { 1, 66, 0xc0, 31, 0xff, 0xe1, 0, 5, 0x67, 66, 0xc0, 31, 0xaa,
	1, 0, 4, 0x68, 0xce, 0x3c, 0x80 };

struct payload { uint8_t p[H264_PAYLOAD_MAX]; size_t n; bool last; };
static struct payload got[300];
static unsigned ngot;
static uint8_t unit[300000];
static size_t unit_len;

static void
keep(void *ctx, const uint8_t *head, size_t head_len, const uint8_t *body, size_t body_len, bool last)
{
	struct payload *p = &got[ngot++];

	assert_true(ngot <= sizeof(got) / sizeof(got[0]) && head_len + body_len <= H264_PAYLOAD_MAX && body_len > 0);
	if (head_len > 0)
		memcpy(p->p, head, head_len);
	memcpy(p->p + head_len, body, body_len);
	p->n = head_len + body_len;
	p->last = last;
}

/* A NAL unit of that type and size, counting bytes. */
static void
put_nal(uint8_t head, size_t len)
{
	be_put(unit + unit_len, 4, len);
	unit_len += 4;
	for (size_t i = 0; i < len; i++)
		unit[unit_len++] = i == 0 ? head : (uint8_t)(i * 7 + head);
}

static struct h264_pack
known(void)
{
	struct h264_pack p = { 0 };

	assert_int_equal(h264_pack_record(&p, record, sizeof(record)), 0);
	ngot = 0;
	unit_len = 0;
	return p;
}

static void
records(void **state)
{
	struct h264_pack p = known();
	uint8_t profile[3], bytes[sizeof(record)];

	assert_int_equal(p.length_bytes, 4);
	assert_int_equal(p.nsets, 2);
	assert_true(h264_pack_profile(&p, profile));
	assert_memory_equal(profile, "\x42\xc0\x1f", 3);
	/* torn anywhere: refused, and what was known stays */
	for (size_t n = 0; n < sizeof(record); n++) {
		uint8_t *exact = malloc(n + 1);

		memcpy(exact, record, n);
		assert_int_equal(h264_pack_record(&p, exact, n), -1);
		free(exact);
		assert_int_equal(p.nsets, 2);
	}
	memcpy(bytes, record, sizeof(bytes));
	bytes[4] = 0xfe;	/* lengths of 3 bytes: there are none */
	assert_int_equal(h264_pack_record(&p, bytes, sizeof(bytes)), -1);
	assert_int_equal(h264_record_write(bytes, sizeof(bytes), record + 8, 5, record + 16, 4), sizeof(record));
	assert_memory_equal(bytes, record, sizeof(record));
	assert_int_equal(h264_record_write(bytes, sizeof(bytes) - 1, record + 8, 5, record + 16, 4), 0);
}

static void
an_idr_has_its_parameter_sets_in_front(void **state)
{
	struct h264_pack p = known();
	bool idr = false;

	put_nal(H264_AUD | 0x10, 2);
	put_nal(H264_SEI, 20);
	put_nal(H264_IDR | 0x60, 100);
	put_nal(H264_FILLER, 30);
	assert_int_equal(h264_pack_unit(&p, unit, unit_len, &idr, keep, NULL), 14 + 20 + 100);
	assert_true(idr);
	assert_int_equal(ngot, 3);
	assert_int_equal(got[0].n, 14);
	assert_memory_equal(got[0].p, "\x78\0\x05\x67\x42\xc0\x1f\xaa\0\x04\x68\xce\x3c\x80", 14);
	assert_int_equal(got[1].p[0], H264_SEI);
	assert_int_equal(got[2].p[0], H264_IDR | 0x60);
	assert_true(!got[0].last && !got[1].last && got[2].last);
}

static void
sets_in_the_stream_replace_those_of_the_record(void **state)
{
	struct h264_pack p = known();
	bool idr;

	put_nal(H264_SPS | 0x60, 9);
	put_nal(H264_IDR | 0x60, 50);
	assert_true(h264_pack_unit(&p, unit, unit_len, &idr, keep, NULL) > 0);
	assert_int_equal(ngot, 2);
	assert_int_equal(be_get(got[0].p + 1, 2), 9);
	assert_int_equal(got[0].p[3], H264_SPS | 0x60);
	assert_int_equal(be_get(got[0].p + 12, 2), 4);	/* the old PPS */
	/* and are kept for the next one, which has none */
	ngot = 0;
	assert_true(h264_pack_unit(&p, unit + 13, unit_len - 13, &idr, keep, NULL) > 0);
	assert_int_equal(be_get(got[0].p + 1, 2), 9);
}

static void
other_pictures_go_as_they_are(void **state)
{
	struct h264_pack p = known(), none = { 0 };
	bool idr = true;

	put_nal(H264_SLICE | 0x40, 1186);
	put_nal(H264_SLICE | 0x40, 3);
	assert_int_equal(h264_pack_unit(&p, unit, unit_len, &idr, keep, NULL), 1189);
	assert_false(idr);
	assert_int_equal(ngot, 2);
	assert_int_equal(got[0].n, 1186);
	assert_true(!got[0].last && got[1].last);
	assert_int_equal(h264_pack_unit(&none, unit, unit_len, &idr, keep, NULL), -1);
	/* only what nobody wants, or nothing */
	unit_len = 0;
	put_nal(H264_AUD, 2);
	assert_int_equal(h264_pack_unit(&p, unit, unit_len, &idr, keep, NULL), -1);
	assert_int_equal(h264_pack_unit(&p, unit, 0, &idr, keep, NULL), -1);
}

/* What comes out of got[], without the payloads of which drop says so. */
static size_t
unpack(struct h264_unpack *u, bool (*drop)(unsigned))
{
	h264_unpack_next(u);
	for (unsigned i = 0; i < ngot; i++) {
		uint8_t *exact = malloc(got[i].n);

		memcpy(exact, got[i].p, got[i].n);
		if (drop != NULL && drop(i))
			h264_unpack_lost(u);
		else
			assert_int_equal(h264_unpack_add(u, exact, got[i].n), 0);
		free(exact);
	}
	h264_unpack_end(u);
	return u->len;
}

static void
round_trips(void **state)
{
	static const size_t sizes[] = { 1, 2, 1185, 1186, 1187, 1188, 2368, 2369, 2370, 5000, 200000 };
	struct h264_unpack u;
	bool idr;

	h264_unpack_init(&u, 1 << 20);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct h264_pack p = known();

		put_nal(H264_SLICE | 0x60, sizes[i]);
		put_nal(H264_SLICE | 0x20, 10);
		assert_int_not_equal(h264_pack_unit(&p, unit, unit_len, &idr, keep, NULL), -1);
		assert_int_equal(unpack(&u, NULL), unit_len);
		assert_memory_equal(u.buf, unit, unit_len);
		assert_true(!u.lost && !u.idr && !u.sps);
		for (unsigned k = 0; k < ngot; k++)
			assert_int_equal(got[k].last, k == ngot - 1);
	}
	h264_unpack_free(&u);
}

static bool
first(unsigned i)
{
	return i == 1;		/* 0 are the parameter sets */
}

static bool
middle(unsigned i)
{
	return i == 2;
}

static bool
last(unsigned i)
{
	return i == ngot - 1;
}

static void
a_nal_unit_with_a_hole_is_left_out(void **state)
{
	bool (*const drops[])(unsigned) = { first, middle, last };
	struct h264_pack p = known();
	struct h264_unpack u;
	const uint8_t *nal;
	size_t at = 0, n;
	bool idr;

	put_nal(H264_IDR | 0x60, 6000);
	assert_true(h264_pack_unit(&p, unit, unit_len, &idr, keep, NULL) > 0);
	assert_true(ngot > 5);
	h264_unpack_init(&u, 1 << 20);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(unpack(&u, drops[i]), 4 + 5 + 4 + 4);
		assert_true(u.lost && !u.idr && u.sps && u.pps);
	}
	assert_int_equal(unpack(&u, NULL), 17 + unit_len);
	assert_true(!u.lost && u.idr && u.sps && u.pps);
	nal = h264_nal_next(u.buf, u.len, &at, &n);
	assert_true(nal != NULL && n == 5 && (nal[0] & 31) == H264_SPS);
	assert_non_null(h264_nal_next(u.buf, u.len, &at, &n));
	nal = h264_nal_next(u.buf, u.len, &at, &n);
	assert_true(nal != NULL && n == 6000);
	assert_null(h264_nal_next(u.buf, u.len, &at, &n));
	h264_unpack_free(&u);
}

static void
add_bad(const char *bytes, size_t n)
{
	struct h264_unpack u;
	uint8_t *exact = malloc(n + 1);

	memcpy(exact, bytes, n);
	h264_unpack_init(&u, 100);
	assert_int_equal(h264_unpack_add(&u, exact, n), -1);
	assert_true(u.lost);
	free(exact);
	h264_unpack_free(&u);
}

static void
malformed_payloads_are_lost(void **state)
{
	char big[200] = "\x41";
	struct h264_unpack u;

	add_bad("", 0);
	add_bad("\0\1", 2);
	add_bad("\x78", 1);				/* STAP-A of nothing */
	add_bad("\x78\0\5\x67", 4);			/* torn */
	add_bad("\x78\0\0", 3);
	add_bad("\x78\0\2\x78\1", 5);			/* of a STAP-A */
	add_bad("\x7c\x85", 2);				/* FU-A of nothing */
	add_bad("\x7c\xc5\1", 3);			/* begins and ends */
	add_bad("\x7c\x9c\1", 3);			/* of a FU-A */
	add_bad("\x7d\1\1", 3);				/* FU-B */
	add_bad(big, sizeof(big));
	/* too long by and by */
	h264_unpack_init(&u, 100);
	big[0] = '\x7c';
	big[1] = '\x85';
	assert_int_equal(h264_unpack_add(&u, (uint8_t *)big, 60), 0);
	big[1] = 5;
	assert_int_equal(h264_unpack_add(&u, (uint8_t *)big, 60), -1);
	assert_int_equal(u.len, 0);
	h264_unpack_free(&u);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records), cmocka_unit_test(an_idr_has_its_parameter_sets_in_front),
		cmocka_unit_test(sets_in_the_stream_replace_those_of_the_record),
		cmocka_unit_test(other_pictures_go_as_they_are), cmocka_unit_test(round_trips),
		cmocka_unit_test(a_nal_unit_with_a_hole_is_left_out), cmocka_unit_test(malformed_payloads_are_lost),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
