/* raw_mkv.c: what is in a raw recording as ingest/matroska.c writes it, torn wherever. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ingest/matroska.h"
#include "lib/flv.h"
#include "workers/jobs/raw.h"

static int fd;
static off_t size;
static struct raw raw;

static void
put(const void *p, size_t n)
{
	assert_int_equal(pwrite(fd, p, n, size), n);
	size += (off_t)n;
}

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
setup(void **state)
{
	char path[] = "/tmp/test_raw_mkv.XXXXXX";

	fd = mkstemp(path);
	unlink(path);
	memset(&raw, 0, sizeof(raw));
	raw.matroska = true;
	size = 0;
	header();
	return fd < 0;
}

static int
teardown(void **state)
{
	return close(fd);
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
	static const uint8_t zeros[70000];
	off_t head = size, ends[6], whole;

	for (int i = 0; i < 6; i++) {
		if (i == 1 || i == 4)
			SOUND(ms[i]);
		else
			frame(MATROSKA_VIDEO, i == 0, ms[i], "\x1f\x43\xb6\x75\x10\0\0\x15\xe7\x88", 10);
		ends[i] = size;
	}
	whole = size;
	for (off_t n = whole; n >= head; n--) {
		int last = 5;

		while (last >= 0 && ends[last] > n)
			last--;
		assert_int_equal(ftruncate(fd, n), 0);
		has(last >= 0 ? ms[last] : -1, last >= 0, last >= 1);
		size = n;
		put(zeros, sizeof(zeros));	/* as a crash of the machine leaves it */
		assert_int_equal(raw_read(fd, &raw), 0);
		if (last >= 0 && n == ends[last])
			assert_int_equal(raw.duration_ms, ms[last]);
	}
	for (off_t n = head; n > 0; n--) {
		assert_int_equal(ftruncate(fd, n), 0);
		has(-1, false, false);
		assert_true(raw.empty);
	}
}

/* The head of the last whole one lies across two blocks of the search. */
static void
half_of_a_big_frame_does_not_count(void **state)
{
	static char half[65536 + 40];
	uint8_t head[MATROSKA_FRAME_HEAD_BYTES];
	off_t before;

	KEY(0);
	SOUND(77);
	matroska_write_frame_head(head, MATROSKA_VIDEO, 9999, false, 1 << 20);
	put(head, sizeof(head));
	before = size;
	for (size_t n = 65536 - 80; n < sizeof(half); n++) {
		assert_int_equal(ftruncate(fd, before + (off_t)n), 0);
		has(77, true, true);
	}
}

/* Only its ends are looked at, however long it is: a hole of 8 GiB. */
static void
a_ruined_end_takes_no_time(void **state)
{
	KEY(0);
	SOUND(77);
	assert_int_equal(ftruncate(fd, (off_t)8 << 30), 0);
	has(-1, true, true);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		T(the_last_frame_has_the_duration), T(pictures_that_are_shown_late_make_it_no_longer),
		T(what_ffmpeg_does_not_copy_is_no_track), T(torn_at_every_byte), T(half_of_a_big_frame_does_not_count),
		T(a_ruined_end_takes_no_time),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
