/* flv_picture.c: headers as x265, libaom and libvpx write them for 320x180, and everything that is cut short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "flv.h"

typedef int (*size_fn)(const uint8_t *, size_t, int *, int *);

static const uint8_t hvcc[] = {
	0x01, 0x01, 0x60, 0x00, 0x00, 0x00, 0x90, 0x00, 0x00, 0x00, 0x00, 0x00, 0x3c, 0xf0, 0x00, 0xfc, 0xfd, 0xf8, 0xf8,
	0x00, 0x00, 0x0f, 0x02, 0xa0, 0x00, 0x01, 0x00, 0x02, 0x40, 0x01, 0xa1, 0x00, 0x01, 0x00, 0x1c,
	0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03, 0x00, 0x3c, 0xa0,
	0x0a, 0x08, 0x0c, 0x1f, 0x3e, 0x59, 0x59, 0x12, 0x93,
};
static const uint8_t av1c[] = { 0x81, 0x00, 0x0c, 0x00, 0x0a, 0x0b, 0x00, 0x00, 0x00, 0x04, 0x3c, 0xfe, 0xcc, 0xda,
	0xf9, 0x00, 0x40 };
static const uint8_t vp9[] = { 0x82, 0x49, 0x83, 0x42, 0x00, 0x13, 0xf0, 0x0b, 0x36, 0x06 };

static void
is_320x180(size_fn size, const uint8_t *p, size_t len, size_t least)
{
	int w = 0, h = 0;

	assert_int_equal(size(p, len, &w, &h), 0);
	assert_int_equal(w, 320);
	assert_int_equal(h, 180);
	for (size_t n = 0; n < least; n++)
		assert_int_equal(size(p, n, &w, &h), -1);
}

static void
hevc(void **state)
{
	is_320x180(flv_hevc_size, hvcc, sizeof(hvcc), sizeof(hvcc) - 1);
}

static void
av1(void **state)
{
	is_320x180(flv_av1_size, av1c, sizeof(av1c), sizeof(av1c));
}

static void
a_vp9_key_frame(void **state)
{
	uint8_t inter[sizeof(vp9)];
	int w, h;

	is_320x180(flv_vp9_size, vp9, sizeof(vp9), sizeof(vp9) - 1);
	memcpy(inter, vp9, sizeof(vp9));
	inter[0] |= 4;
	assert_int_equal(flv_vp9_size(inter, sizeof(inter), &w, &h), -1);
}

static void
any_bytes_do_no_harm(void **state)
{
	uint8_t junk[128];
	int w, h;

	for (unsigned seed = 0; seed < 20000; seed++) {
		uint32_t x = seed * 2654435761u + 1;

		for (size_t i = 0; i < sizeof(junk); i++) {
			x = x * 1664525u + 1013904223u;
			junk[i] = (uint8_t)(x >> 24);
		}
		memcpy(junk, hvcc, seed % 40);
		flv_hevc_size(junk, sizeof(junk), &w, &h);
		memcpy(junk, av1c, seed % 12);
		flv_av1_size(junk, sizeof(junk), &w, &h);
		flv_vp9_size(junk, sizeof(junk), &w, &h);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hevc), cmocka_unit_test(av1), cmocka_unit_test(a_vp9_key_frame),
		cmocka_unit_test(any_bytes_do_no_harm),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
