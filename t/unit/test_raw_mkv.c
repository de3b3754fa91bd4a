/* raw_mkv.c: what is in a raw recording as ingest/matroska.c writes it, torn wherever. */
#include <event2/buffer.h>

#include "ingest/matroska.h"
#include "raw_file.h"

static void
header(void)
{
	static const struct matroska_track video = { .codec = FLV_FOURCC('h', 'v', 'c', '1'), .config = (const uint8_t *)"hvcC",
	    .config_len = 4, .frame_ms = 40, .width = 320, .height = 180 };
	static const struct matroska_track audio = { .codec = FLV_FOURCC('O', 'p', 'u', 's'), .rate = 48000, .channels = 2 };
	struct evbuffer *b = evbuffer_new();

	matroska_write_header(b, &video, &audio);
	put(evbuffer_pullup(b, -1), evbuffer_get_length(b));
	evbuffer_free(b);
}

static int
setup_mkv(void **state)
{
	int rc = setup(state);

	raw.matroska = true;
	header();
	return rc;
}

static void
frame(unsigned track, bool key, int64_t ms, const char *data, size_t len)
{
	uint8_t head[MATROSKA_FRAME_HEAD_BYTES];

	matroska_write_frame_head(head, track, ms, key, (uint32_t)len);
	put(head, sizeof(head));
	put(data, len);
}

#define KEY(ms) frame(MATROSKA_VIDEO, true, ms, "key frame", 9)
#define INTER(ms) frame(MATROSKA_VIDEO, false, ms, "inter", 5)
#define SOUND(ms) frame(MATROSKA_AUDIO, true, ms, "sound", 5)

static void
has(int64_t ms, bool video, bool audio)
{
	assert_int_equal(raw_read(fd, &raw), 0);
	assert_int_equal(raw.duration_ms, ms);
	assert_int_equal(raw.video, video);
	assert_int_equal(raw.audio, audio);
}

static void
the_last_frame_has_the_duration(void **state)
{
	has(-1, false, false);
	assert_true(raw.empty);
	KEY(0);
	has(0, true, false);
	assert_false(raw.empty);
	SOUND(21);
	INTER(86400000);
	has(86400000, true, true);
	assert_true(raw.hvc1);
}

static void
pictures_that_are_shown_late_make_it_no_longer(void **state)
{
	KEY(3000);
	INTER(7000);
	has(4000, true, false);
}

static void
what_ffmpeg_does_not_copy_is_no_track(void **state)
{
	INTER(0);
	frame(MATROSKA_AUDIO, true, 0, "", 0);
	INTER(40);
	has(40, false, false);
	SOUND(42);
	KEY(80);
	has(80, true, true);
}

static void
torn_at_every_byte(void **state)
{
	static const int64_t ms[] = { 0, 21, 80, 40, 43, 120 };
	off_t head = size, ends[6];

	for (int i = 0; i < 6; i++) {
		if (i == 1 || i == 4)
			SOUND(ms[i]);
		else
			frame(MATROSKA_VIDEO, i == 0, ms[i], "\x1f\x43\xb6\x75\x10\0\0\x15\xe7\x88", 10);
		ends[i] = size;
	}
	for (off_t n = size; n >= head; n--) {
		int last = 5;

		while (last >= 0 && ends[last] > n)
			last--;
		cut(n);
		has(last >= 0 ? ms[last] : -1, last >= 0, last >= 1);
		zeros(70000);		/* as a crash of the machine leaves it */
		has(last >= 0 ? ms[last] : -1, last >= 0, last >= 1);
		assert_int_equal(raw.empty, last < 0);
		if (last >= 0)
			ends_whole_at(ends[last]);
	}
	for (off_t n = head; n > 0; n--) {
		cut(n);
		has(-1, false, false);
		assert_true(raw.empty);
		assert_false(raw.more_behind);
	}
}

/* A frame that ends in a zero before a hole may have begun in it, not one before a frame or the end. */
static void
what_ends_in_zeros_is_not_trusted(void **state)
{
	off_t whole;

	KEY(0);
	whole = size;
	frame(MATROSKA_AUDIO, true, 21, "sound\0", 6);
	ends_whole_at(size);
	zeros(1);
	ends_whole_at(whole);
	cut(size - 1);
	SOUND(42);
	ends_whole_at(size);
	assert_int_equal(raw.duration_ms, 42);
}

/* The length is right to the byte, the last block is not there; or what is there has zeros of its own. */
static void
zeros_of_the_last_frame_are_of_a_block(void **state)
{
	static char big[2000];
	off_t whole, all;

	KEY(0);
	whole = size;
	memset(big, 'x', 1000);
	frame(MATROSKA_VIDEO, false, 40, big, sizeof(big));
	all = size;
	ends_whole_at(whole);
	size = (all - 1) / 512 * 512;
	put("x", 1);
	size = all;
	ends_whole_at(all);
	assert_int_equal(raw.duration_ms, 40);
}

/* Of whole frames, or of what has half a head left. */
static void
what_is_behind_a_hole_is_seen(void **state)
{
	off_t whole;

	KEY(0);
	whole = size;
	INTER(40);
	cut(size - 3);
	zeros(5000);
	SOUND(8000);
	has(0, true, false);
	assert_int_equal(raw.whole, whole);
	assert_true(raw.more_behind);
	cut(size - 10);
	zeros(100000);
	has(0, true, false);
	assert_true(raw.more_behind);
}

/* In the head itself: it is empty only if nothing follows. */
static void
what_is_behind_a_head_of_zeros_is_seen(void **state)
{
	off_t head = size;

	zeros(5000);
	has(-1, false, false);
	assert_true(raw.empty && !raw.more_behind);
	KEY(0);
	SOUND(20);
	has(-1, false, false);
	assert_true(raw.more_behind);
	for (; head >= 4; head--) {
		cut(head);
		has(-1, false, false);
		assert_true(raw.empty && !raw.more_behind);
	}
}

static void
half_of_a_big_frame_does_not_count(void **state)
{
	static char half[65536];
	uint8_t head[MATROSKA_FRAME_HEAD_BYTES];
	off_t whole;

	KEY(0);
	SOUND(77);
	whole = size;
	matroska_write_frame_head(head, MATROSKA_VIDEO, 9999, false, 1 << 20);
	put(head, sizeof(head));
	memset(half, 'x', sizeof(half));
	put(half, sizeof(half));
	has(77, true, true);
	ends_whole_at(whole);
}

/* However long they are: 8 GiB. */
static void
zeros_take_no_time(void **state)
{
	off_t whole;

	KEY(0);
	SOUND(77);
	whole = size;
	zeros((off_t)8 << 30);
	has(77, true, true);
	ends_whole_at(whole);
}

#define M(f) cmocka_unit_test_setup_teardown(f, setup_mkv, teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		M(the_last_frame_has_the_duration), M(pictures_that_are_shown_late_make_it_no_longer),
		M(what_ffmpeg_does_not_copy_is_no_track), M(torn_at_every_byte), M(what_ends_in_zeros_is_not_trusted),
		M(zeros_of_the_last_frame_are_of_a_block),
		M(what_is_behind_a_hole_is_seen), M(what_is_behind_a_head_of_zeros_is_seen),
		M(half_of_a_big_frame_does_not_count), M(zeros_take_no_time),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
