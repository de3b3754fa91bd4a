/* matroska.c: the bytes of a head and of a frame, element by element; ffmpeg itself reads them in t/210. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <event2/buffer.h>
#include <string.h>

#include "flv.h"
#include "ingest/matroska.h"

static uint8_t bytes[1024];
static size_t len;

static void
write_header(const struct matroska_track *video, const struct matroska_track *audio)
{
	struct evbuffer *b = evbuffer_new();

	matroska_write_header(b, video, audio);
	len = evbuffer_get_length(b);
	assert_true(len < sizeof(bytes));
	evbuffer_remove(b, bytes, len);
	evbuffer_free(b);
}

/* How often the element, its id and four bytes of size first, is in there. */
static int
count(const char *element, size_t n)
{
	int found = 0;

	for (size_t i = 0; i + n <= len; i++)
		found += memcmp(bytes + i, element, n) == 0;
	return found;
}
#define COUNT(element) count(element, sizeof(element) - 1)

static void
a_head_names_its_tracks(void **state)
{
	static const uint8_t hvcc[] = "hvcC";
	const struct matroska_track video = { FLV_FOURCC('h', 'v', 'c', '1'), hvcc, 4, 40, 320, 180, 0, 0, 0 };
	const struct matroska_track audio = { FLV_FOURCC('.', 'm', 'p', '3'), NULL, 0, 0, 0, 0, 48000, 2, 0 };

	write_header(&video, &audio);
	assert_memory_equal(bytes, "\x1a\x45\xdf\xa3", 4);
	assert_int_equal(COUNT("\x42\x82\x10\0\0\x08matroska"), 1);
	assert_int_equal(COUNT("\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff"), 1);
	assert_int_equal(COUNT("\x86\x10\0\0\x10V_MPEGH/ISO/HEVC"), 1);
	assert_int_equal(COUNT("\x63\xa2\x10\0\0\x04hvcC"), 1);
	assert_int_equal(COUNT("\x23\xe3\x83\x10\0\0\x08\0\0\0\0\x02\x62\x5a\0"), 1);	/* 40,000,000 ns */
	assert_int_equal(COUNT("\x86\x10\0\0\x09" "A_MPEG/L3"), 1);
	assert_int_equal(COUNT("\xb0\x10\0\0\x08\0\0\0\0\0\0\x01\x40"), 1);	/* 320 */
	assert_int_equal(COUNT("\xb5\x10\0\0\x08\x40\xe7\x70\0\0\0\0\0"), 1);	/* 48000.0 */
	assert_int_equal(COUNT("\xae\x10\0\0"), 2);
}

static void
a_track_that_is_not_there_is_not_named(void **state)
{
	static const uint8_t vpcc[] = "vpcC";
	const struct matroska_track video = { .codec = FLV_FOURCC('v', 'p', '0', '9'), .config = vpcc, .config_len = 4 };

	write_header(&video, NULL);
	assert_int_equal(COUNT("\xae\x10\0\0"), 1);
	assert_int_equal(COUNT("vpcC"), 0);	/* not what Matroska has for VP9 */
	assert_int_equal(COUNT("\x23\xe3\x83"), 0);
	/* a size it must have */
	assert_int_equal(COUNT("\xb0\x10\0\0\x08\0\0\0\0\0\0\0\x01"), 1);
	assert_int_equal(COUNT("\xba\x10\0\0\x08\0\0\0\0\0\0\0\x01"), 1);
}

static void
a_frame_is_a_cluster(void **state)
{
	static const uint8_t want[MATROSKA_FRAME_HEAD_BYTES] = { 0x1f, 0x43, 0xb6, 0x75, 0x10, 0, 0x01, 0x13,
		0xe7, 0x88, 0, 0, 0, 0x01, 0x02, 0x03, 0x04, 0x05, 0xa3, 0x10, 0, 0x01, 0x04, 0x82, 0, 0, 0x80 };
	uint8_t head[MATROSKA_FRAME_HEAD_BYTES];

	matroska_write_frame_head(head, MATROSKA_AUDIO, 0x102030405, true, 256);
	assert_memory_equal(head, want, sizeof(want));
	matroska_write_frame_head(head, MATROSKA_VIDEO, 0, false, 256);
	assert_int_equal(head[23], 0x81);
	assert_int_equal(head[26], 0);
}

static void
what_it_takes(void **state)
{
	assert_true(matroska_takes(FLV_FOURCC('O', 'p', 'u', 's')));
	assert_true(matroska_takes(FLV_FOURCC('a', 'v', '0', '1')));
	assert_false(matroska_takes(FLV_FOURCC('v', 'v', 'c', '1')));
	assert_false(matroska_takes(7));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_head_names_its_tracks),
		cmocka_unit_test(a_track_that_is_not_there_is_not_named),
		cmocka_unit_test(a_frame_is_a_cluster),
		cmocka_unit_test(what_it_takes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
