/* frames_jpeg.c: whole pictures are taken with their size, every torn one is refused with a reason. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "ingest/frames_jpeg.h"

#define MAX_PIXELS (4096 * 2160)

/* Markers of a 640 x 361 picture; the coded data is of no account. */
static const uint8_t good[] = {
	0xff, 0xd8,
	0xff, 0xe0, 0, 6, 'J', 'F', 0xff, 0xd9,			/* an end marker in a comment is none */
	0xff, 0xdb, 0, 4, 0, 1,
	0xff, 0xc0, 0, 17, 8, 361 >> 8, 361 & 255, 640 >> 8, 640 & 255, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1,
	0xff, 0xff, 0xc4, 0, 3, 0,				/* a fill byte */
	0xff, 0xda, 0, 3, 1, 0x12, 0xff, 0x00, 0x34, 0xff, 0xd0, 0x56, 0xff, 0xff, 0xd7, 0x78,
	0xff, 0xda, 0, 3, 1, 0x9a,
	0xff, 0xd9,
};
#define FRAME_HEAD 16		/* of good[] */

static const char *why;
static struct frames_jpeg j;

static int
take(const uint8_t *p, size_t len)
{
	return frames_jpeg_read(p, len, MAX_PIXELS, &j, &why);
}

static void
a_whole_one_is_taken(void **state)
{
	uint8_t more[sizeof(good) + 3] = { 0 };

	assert_int_equal(take(good, sizeof(good)), 0);
	assert_int_equal(j.width, 640);
	assert_int_equal(j.height, 361);
	assert_int_equal(j.len, sizeof(good));
	memcpy(more, good, sizeof(good));
	assert_int_equal(take(more, sizeof(more)), 0);
	assert_int_equal(j.len, sizeof(good));
}

static void
cut_off_anywhere_it_is_refused(void **state)
{
	for (size_t n = 0; n < sizeof(good); n++) {
		uint8_t exact[sizeof(good)];

		memcpy(exact + sizeof(exact) - n, good, n);	/* nothing behind it */
		assert_int_equal(take(exact + sizeof(exact) - n, n), -1);
		assert_non_null(why);
	}
	take(good, sizeof(good) - 2);
	assert_string_equal(why, "the JPEG is cut off");
	take((const uint8_t *)"\x89PNG\r\n\x1a\n", 8);
	assert_string_equal(why, "it is no JPEG");
}

static void
changed(size_t at, uint8_t v, const char *want)
{
	uint8_t bad[sizeof(good)];

	memcpy(bad, good, sizeof(good));
	bad[at] = v;
	assert_int_equal(take(bad, sizeof(bad)), -1);
	assert_non_null(strstr(why, want));
}

static void
a_damaged_one_is_refused(void **state)
{
	assert_int_equal(good[FRAME_HEAD + 1], 0xc0);
	changed(FRAME_HEAD, 0x12, "damaged");
	changed(FRAME_HEAD + 1, 0xc9, "arithmetic");
	changed(FRAME_HEAD + 1, 0xfe, "no frame header");
	changed(FRAME_HEAD + 4, 12, "8 bits");
	changed(FRAME_HEAD + 5, 0xff, "frames.max_pixels");
	changed(FRAME_HEAD + 9, 200, "torn");
	changed(sizeof(good) - 7, 0xc1, "damaged");	/* where its second scan begins */
}

static void
limits_hold(void **state)
{
	assert_int_equal(frames_jpeg_read(good, sizeof(good), 640 * 361, &j, &why), 0);
	assert_int_equal(frames_jpeg_read(good, sizeof(good), 640 * 361 - 1, &j, &why), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_one_is_taken), cmocka_unit_test(cut_off_anywhere_it_is_refused),
		cmocka_unit_test(a_damaged_one_is_refused), cmocka_unit_test(limits_hold),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
