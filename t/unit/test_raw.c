/* raw.c: names of raw recordings, what is in them, and what their MP4s are called. */
#include <errno.h>

#include "raw_file.h"

static void
header(void)
{
	uint8_t h[FLV_HEADER_BYTES];

	flv_write_header(h, true, true);
	put(h, sizeof(h));
}

static void
tag(enum flv_type type, uint32_t ms, const char *body, size_t len)
{
	uint8_t head[FLV_TAG_HEAD_BYTES], tail[FLV_TAG_TAIL_BYTES];

	flv_write_tag_head(head, type, ms, (uint32_t)len);
	flv_write_tag_tail(tail, (uint32_t)len);
	put(head, sizeof(head));
	put(body, len);
	put(tail, sizeof(tail));
}

#define VIDEO_HEADER tag(FLV_VIDEO, 0, "\x17\0\0\0\0avcC", 9)
#define KEY(ms) tag(FLV_VIDEO, ms, "\x17\1\0\0\0x", 6)
#define AAC(ms) tag(FLV_AUDIO, ms, "\xaf\1xx", 4)

static void
names_are_taken_apart(void **state)
{
	assert_int_equal(raw_parse_path("rec/alice/20261121T135800.123Z.flv", &raw), 0);
	assert_string_equal(raw.stream, "alice");
	assert_string_equal(raw.start, "20261121T135800.123Z");
	assert_false(raw.matroska);
	assert_int_equal(raw_parse_path("rec/alice/20261121T135800.123Z.mkv", &raw), 0);
	assert_true(raw.matroska);
}

static void
other_names_are_none(void **state)
{
	static const char *const bad[] = { "rec/alice/20261121T135800.123Z.mp4", "rec/alice/x.flv", "rec/alice",
		"rec/../20261121T135800.123Z.flv", "rec/a/b/20261121T135800.123Z.flv", "hls/alice/20261121T135800.123Z.flv",
		"rec/alice/20261121T135800.123Z.flv.flv", "rec//20261121T135800.123Z.flv", "" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(raw_parse_path(bad[i], &raw), -1);
}

static void
the_last_tag_has_the_duration(void **state)
{
	header();
	VIDEO_HEADER;
	KEY(0);
	AAC(40);
	KEY(16777217 + 1000);		/* more than 24 bits */
	assert_int_equal(raw_read(fd, &raw), 0);
	assert_int_equal(raw.duration_ms, 16777217 + 1000);
	assert_false(raw.empty || raw.transcode_audio || raw.hvc1);
}

static void
half_a_tag_at_the_end_does_not_count(void **state)
{
	static const char junk[] = "\x09\0\0\x50\0\xff\xff\0\0\0\0\x27\1half of it";

	header();
	VIDEO_HEADER;
	KEY(0);
	AAC(4000);
	for (size_t n = 1; n <= sizeof(junk); n++) {
		put(&junk[n - 1], 1);
		assert_int_equal(raw_read(fd, &raw), 0);
		assert_int_equal(raw.duration_ms, 4000);
	}
}

/* A big one, whose payload looks like a tail and like a whole tag; and what a crash of the machine leaves. */
static void
half_of_a_big_tag_does_not_count(void **state)
{
	static uint8_t half[300000];
	off_t whole;

	header();
	VIDEO_HEADER;
	for (uint32_t ms = 0; ms < 4000; ms += 40)
		AAC(ms);
	whole = size;
	flv_write_tag_head(half, FLV_VIDEO, 9999, sizeof(half));
	flv_write_tag_head(half + 200000, FLV_AUDIO, 8888, 4);
	flv_write_tag_tail(half + 200000 + FLV_TAG_HEAD_BYTES + 4, 4);
	put(half, sizeof(half));
	ends_whole_at(whole);
	assert_int_equal(raw.duration_ms, 3960);
	zeros(sizeof(half));
	ends_whole_at(whole);
	assert_int_equal(raw.duration_ms, 3960);
}

/* From any byte on, if the length is right: what is before is whole, what was half there is not. */
static void
zeros_at_the_end_do_not_count(void **state)
{
	off_t ends[4], all;

	header();
	VIDEO_HEADER;
	KEY(0);
	ends[0] = size;
	for (int i = 1; i < 4; i++) {
		AAC(i * 20);
		ends[i] = size;
	}
	all = size;
	for (off_t n = all; n >= ends[0]; n--) {
		int last = 3;

		while (ends[last] > n)
			last--;
		cut(n);
		zeros(all - n);
		ends_whole_at(ends[last]);
		assert_int_equal(raw.duration_ms, last * 20);
		zeros(70000);
		ends_whole_at(ends[last]);
	}
}

/* A hole in between, and one that has half a tag behind it: that much is not thrown away. */
static void
what_is_behind_a_hole_is_seen(void **state)
{
	off_t whole;

	header();
	VIDEO_HEADER;
	KEY(0);
	whole = size;
	zeros(5000);
	AAC(8000);
	assert_int_equal(raw_read(fd, &raw), 0);
	assert_int_equal(raw.whole, whole);
	assert_int_equal(raw.duration_ms, 0);
	assert_true(raw.more_behind);
	put("half", 4);
	zeros(100000);
	assert_int_equal(raw_read(fd, &raw), 0);
	assert_int_equal(raw.whole, whole);
	assert_true(raw.more_behind);
}

/* A head that lies about its length: the file's last tag says that there is more. */
static void
a_damaged_length_hides_nothing(void **state)
{
	header();
	VIDEO_HEADER;
	KEY(0);
	put("\x09\xff\xff\xff\0\0\0\0\0\0\0\x27\1", 13);
	AAC(20);
	assert_int_equal(raw_read(fd, &raw), 0);
	assert_true(raw.more_behind);
}

/* However long they are: 8 GiB, and of a file of which nothing came to the disk. */
static void
zeros_take_no_time(void **state)
{
	header();
	VIDEO_HEADER;
	KEY(40);
	zeros((off_t)8 << 30);
	ends_whole_at(size - ((off_t)8 << 30));
	assert_int_equal(raw.duration_ms, 40);
	assert_false(raw.empty);
	cut(0);
	zeros((off_t)8 << 30);
	ends_whole_at(0);
	assert_true(raw.empty);
}

static void
headers_alone_are_empty(void **state)
{
	header();
	assert_int_equal(raw_read(fd, &raw), 0);
	assert_true(raw.empty);
	VIDEO_HEADER;
	assert_int_equal(raw_read(fd, &raw), 0);
	assert_true(raw.empty);
	KEY(0);
	assert_int_equal(raw_read(fd, &raw), 0);
	assert_false(raw.empty);
}

static void
a_video_that_never_came_is_none(void **state)
{
	header();
	VIDEO_HEADER;
	tag(FLV_AUDIO, 0, "\xaf\0\x11\x90", 4);
	for (int i = 0; i < 300; i++)
		AAC(i * 20);
	assert_int_equal(raw_read(fd, &raw), 0);
	assert_true(raw.sound_only);
	put("\x09\0\0\x6\0\0\0\0\0\0\0\x17\1\0\0\0", 16);	/* torn */
	assert_int_equal(raw_read(fd, &raw), 0);
	assert_true(raw.sound_only);
	put("x\0\0\0\x11", 5);
	assert_int_equal(raw_read(fd, &raw), 0);
	assert_false(raw.sound_only);
}

static void
what_ffmpeg_does_not_copy_is_no_track(void **state)
{
	header();
	VIDEO_HEADER;
	tag(FLV_AUDIO, 0, "\xaf\0\x11\x90", 4);
	tag(FLV_AUDIO, 0, "\xaf\1", 2);
	tag(FLV_VIDEO, 0, "\x27\1\0\0\0x", 6);
	assert_int_equal(raw_read(fd, &raw), 0);
	assert_false(raw.video || raw.audio || raw.sound_only);
	AAC(20);
	assert_int_equal(raw_read(fd, &raw), 0);
	assert_true(raw.audio && !raw.video);
	KEY(40);
	assert_int_equal(raw_read(fd, &raw), 0);
	assert_true(raw.audio && raw.video);
}

static void
what_is_no_recording_is_an_error(void **state)
{
	put("this is not a video at all", 26);
	errno = 0;
	assert_int_equal(raw_read(fd, &raw), -1);
	assert_int_equal(errno, EBADMSG);
}

static void
audio_that_an_mp4_cannot_hold_is_transcoded(void **state)
{
	header();
	tag(FLV_AUDIO, 0, "\x72xxxx", 5);	/* G.711 */
	assert_int_equal(raw_read(fd, &raw), 0);
	assert_true(raw.transcode_audio);
}

static void
mp4s_are_called_by_the_pattern(void **state)
{
	char path[64];

	raw_parse_path("rec/alice/20261121T135800.123Z.flv", &raw);
	assert_int_equal(raw_mp4_path(&raw, "recordings/{stream}/{date}/{start}.mp4", path, sizeof(path)), 0);
	assert_string_equal(path, "recordings/alice/2026-11-21/20261121T135800.123Z.mp4");
	assert_int_equal(raw_mp4_path(&raw, "recordings/{stream}/{stream}/{stream}/{start}{start}.mp4", path,
	    sizeof(path)), -1);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		T(names_are_taken_apart), T(other_names_are_none), T(the_last_tag_has_the_duration),
		T(half_a_tag_at_the_end_does_not_count), T(half_of_a_big_tag_does_not_count),
		T(zeros_at_the_end_do_not_count), T(what_is_behind_a_hole_is_seen), T(a_damaged_length_hides_nothing),
		T(zeros_take_no_time), T(headers_alone_are_empty), T(a_video_that_never_came_is_none),
		T(what_ffmpeg_does_not_copy_is_no_track), T(what_is_no_recording_is_an_error),
		T(audio_that_an_mp4_cannot_hold_is_transcoded), T(mp4s_are_called_by_the_pattern),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
