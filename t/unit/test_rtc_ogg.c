/* Ogg with Opus to packets with their times, split at every byte; and what Opus' first bytes say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rtc/ogg.h"
#include "rtc/opus.h"

static uint8_t file[200000];
static size_t file_len;

/* As the Ogg specification has it: bit by bit. */
static uint32_t
slow_crc(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++)
		for (int bit = 7; bit >= 0; bit--)
			sum = sum << 1 ^ ((sum >> 31 ^ (p[i] >> bit & 1)) ? 0x04c11db7 : 0);
	return sum;
}

static void
put_little(uint8_t *p, unsigned n, uint64_t v)
{
	for (; n > 0; n--, v >>= 8)
		*p++ = (uint8_t)v;
}

/* lacing: sizes of packets, each ended but a last one that is a multiple of 255 and `open`. */
static void
put_page(unsigned flags, int64_t granule, uint32_t serial, const uint8_t *body, const size_t *sizes, unsigned n, bool open)
{
	uint8_t *page = file + file_len, *lacing = page + 27;
	size_t total = 0;

	memset(page, 0, 27);
	memcpy(page, "OggS", 4);
	page[5] = (uint8_t)flags;
	put_little(page + 6, 8, (uint64_t)granule);
	put_little(page + 14, 4, serial);
	for (unsigned i = 0; i < n; i++) {
		size_t left = sizes[i];

		total += left;
		for (; left >= 255; left -= 255)
			*lacing++ = 255;
		if (i < n - 1 || !open)
			*lacing++ = (uint8_t)left;
	}
	page[26] = (uint8_t)(lacing - page - 27);
	memcpy(lacing, body, total);
	file_len += 27U + page[26] + total;
	put_little(page + 22, 4, slow_crc(page, 27U + page[26] + total));
}

static void
put_one(unsigned flags, int64_t granule, const char *body, size_t n)
{
	put_page(flags, granule, 7, (const uint8_t *)body, &n, 1, false);
}

static void
put_heads(void)
{
	file_len = 0;
	put_one(2, 0, "OpusHead\1\2\x38\1\x80\xbb\0\0\0\0\0", 19);
	put_one(0, 0, "OpusTags\0\0\0\0\0\0\0\0", 16);
}

static void
on_head(void *ctx, int channels, int pre_skip)
{
	char *log = ctx;

	snprintf(log + strlen(log), 40, "head %d %d ", channels, pre_skip);
}

static void
on_packet(void *ctx, const uint8_t *p, size_t n, int64_t granule, int samples)
{
	char *log = ctx;

	snprintf(log + strlen(log), 60, "%zu:%02x@%lld+%d ", n, p[n - 1], (long long)granule, samples);
}

static void
expect(const char *want)
{
	static const struct ogg_ops ops = { on_head, on_packet };

	for (size_t step = 1; step <= file_len; step += step < 400 ? 1 : 97) {
		char log[1000] = "";
		struct ogg o;

		ogg_init(&o, &ops, log);
		for (size_t at = 0; at < file_len; at += step)
			ogg_feed(&o, file + at, file_len - at < step ? file_len - at : step);
		assert_string_equal(log, want);
		ogg_free(&o);
	}
}

static void
a_packet_has_its_page_s_time(void **state)
{
	static const size_t sizes[] = { 3, 300, 4 };
	uint8_t body[400] = { 0 };

	put_heads();
	put_one(0, 480000 + 960 + 312, "\x78\xaa", 2);		/* 20 ms, at 10 s */
	body[0] = body[3] = body[303] = 0x78;
	body[2] = 1;
	body[302] = 2;
	body[306] = 3;
	put_page(0, 480000 + 4 * 960 + 312, 7, body, sizes, 3, false);
	expect("head 2 312 2:aa@480000+960 3:01@480960+960 300:02@481920+960 4:03@482880+960 ");
	/* no time: on from there; the end is cut: the same; another stream's pages: no matter */
	put_page(2, 0, 8, body, sizes, 1, false);
	put_one(0, -1, "\x78\xbb", 2);
	put_one(4, 480000 + 6 * 960, "\x78\xcc", 2);
	expect("head 2 312 2:aa@480000+960 3:01@480960+960 300:02@481920+960 4:03@482880+960 "
	    "2:bb@483840+960 2:cc@484800+960 ");
}

static void
a_packet_may_go_on_in_the_next_page(void **state)
{
	static const size_t first = 510, rest[] = { 10, 2 };
	uint8_t body[510] = { 0x78 };

	put_heads();
	put_page(0, -1, 7, body, &first, 1, true);
	body[9] = 0x55;
	body[10] = 0x78;
	body[11] = 0x66;
	put_page(1, 1000 * 960 + 312, 7, body, rest, 2, false);
	expect("head 2 312 520:55@958080+960 2:66@959040+960 ");
	/* its beginning is missing: it is left out, the other has its time */
	put_heads();
	put_page(1, 1000 * 960 + 312, 7, body, rest, 2, false);
	expect("head 2 312 2:66@959040+960 ");
}

static void
what_is_no_page_is_stepped_over(void **state)
{
	size_t at;

	put_heads();
	memcpy(file + file_len, "OggOOgg", 7);
	file_len += 7;
	at = file_len;
	put_one(0, 960 + 312, "\x78\xaa", 2);
	put_one(0, 2 * 960 + 312, "\x78\xbb", 2);
	expect("head 2 312 2:aa@0+960 2:bb@960+960 ");
	file[at + 28] ^= 1;		/* the first one's checksum is wrong now */
	expect("head 2 312 2:bb@960+960 ");
	/* no Opus at all */
	file_len = 0;
	put_one(2, 0, "\x80theora\3\2", 9);
	put_one(0, 960, "\x78\xaa", 2);
	put_one(0, 1920, "\x78\xaa", 2);
	expect("");
	/* comments that are longer than anybody reads, over pages */
	file_len = 0;
	put_one(2, 0, "OpusHead\1\1\0\0\x80\xbb\0\0\0\0\0", 19);
	for (int i = 0; i < 3; i++) {
		static const uint8_t zeros[255 * 200];
		size_t n = sizeof(zeros);

		put_page(i > 0, i < 2 ? -1 : 0, 7, zeros, &n, 1, i < 2);
	}
	put_one(0, 960, "\x78\xaa", 2);
	expect("head 1 0 2:aa@0+960 ");
}

static void
durations(void **state)
{
	static const struct { uint8_t p[2]; size_t n; int samples; } t[] = {
		{ { 0x78 }, 1, 960 }, { { 0x79 }, 1, 1920 }, { { 0x7a }, 1, 1920 }, { { 0x7b, 0x83 }, 2, 2880 },
		{ { 0x80 }, 1, 120 }, { { 0x88 }, 1, 240 }, { { 0xf8 }, 1, 960 }, { { 0xe3, 48 }, 2, 5760 },
		{ { 0xe3, 49 }, 2, -1 },
		{ { 0x00 }, 1, 480 }, { { 0x18 }, 1, 2880 }, { { 0x1b, 3 }, 2, -1 }, { { 0x60 }, 1, 480 },
		{ { 0x68 }, 1, 960 }, { { 0x7b }, 1, -1 }, { { 0x7b, 0 }, 2, -1 }, { { 0 }, 0, -1 },
	};

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		assert_int_equal(opus_samples(t[i].p, t[i].n), t[i].samples);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_packet_has_its_page_s_time), cmocka_unit_test(a_packet_may_go_on_in_the_next_page),
		cmocka_unit_test(what_is_no_page_is_stepped_over), cmocka_unit_test(durations),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
