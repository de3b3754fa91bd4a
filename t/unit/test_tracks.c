/* tracks.c: when a stream may start, late and ended tracks, new headers, what is not taken. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "ingest/tracks.h"

#define CHANGES 20

static struct tracks t;

static int
setup(void **state)
{
	tracks_init(&t, CHANGES);
	return 0;
}

static int
teardown(void **state)
{
	tracks_free(&t);
	return 0;
}

static enum tracks_verdict
take(enum flv_type type, const char *body, size_t len, int64_t now)
{
	struct flv_info info;

	assert_int_equal((type == FLV_AUDIO ? flv_parse_audio : flv_parse_video)((const uint8_t *)body, len, &info), 0);
	return tracks_take(&t, &info, (const uint8_t *)body, len, now);
}

#define VIDEO_HEADER(now) take(FLV_VIDEO, "\x17\0\0\0\0avcC", 9, now)
#define OTHER_HEADER(now) take(FLV_VIDEO, "\x17\0\0\0\0AVCC", 9, now)
#define AUDIO_HEADER(now) take(FLV_AUDIO, "\xaf\0\x11\x90", 4, now)
#define KEY(now) take(FLV_VIDEO, "\x17\1\0\0\0x", 6, now)
#define INTER(now) take(FLV_VIDEO, "\x27\1\0\0\0x", 6, now)
#define AUDIO(now) take(FLV_AUDIO, "\xaf\1xx", 4, now)

static void
begin(void)
{
	VIDEO_HEADER(1);
	AUDIO_HEADER(1);
	assert_int_equal(KEY(2), TRACKS_FRAME);
	assert_true(t.gen->settled);
}

static void
a_profile_that_browsers_cannot_play_is_told(void **state)
{
	char text[160];

	tracks_warning(&t, text, sizeof(text));
	assert_string_equal(text, "");
	take(FLV_VIDEO, "\x17\0\0\0\0\1\x64\0\x28\xff\xe1", 11, 1);
	KEY(1);
	tracks_warning(&t, text, sizeof(text));
	assert_string_equal(text, "");
	take(FLV_VIDEO, "\x17\0\0\0\0\1\xf4\0\x28\xff\xe1", 11, 600);
	KEY(600);
	tracks_warning(&t, text, sizeof(text));
	assert_non_null(strstr(text, "H.264 profile High 4:4:4: set Profile to high (or main)"));
	assert_true(strlen(text) < sizeof(((struct board_media *)0)->warning) - 1);
}

static void
with_both_headers_it_may_start_at_once(void **state)
{
	assert_int_equal(VIDEO_HEADER(1), TRACKS_HEADER);
	assert_int_equal(KEY(1), TRACKS_FRAME);
	assert_false(t.gen->settled);
	assert_int_equal(AUDIO_HEADER(2), TRACKS_HEADER);
	assert_int_equal(AUDIO(2), TRACKS_FRAME);
	assert_true(t.gen->settled && t.gen->video && t.gen->audio);
	assert_null(t.pending);
}

static void
one_track_alone_waits_for_the_other_unless_it_was_told(void **state)
{
	VIDEO_HEADER(1);
	KEY(1);
	tracks_tick(&t, 2000, 499);
	assert_false(t.gen->settled);
	tracks_tick(&t, 2000, 501);
	assert_true(t.gen->settled);
	tracks_free(&t);
	tracks_init(&t, CHANGES);
	t.told = t.expect_video = true;
	VIDEO_HEADER(1);
	KEY(1);
	assert_true(t.gen->settled);
}

static void
video_starts_with_a_header_and_a_key_frame(void **state)
{
	assert_int_equal(KEY(1), TRACKS_DROP);
	VIDEO_HEADER(1);
	assert_int_equal(INTER(1), TRACKS_DROP);
	assert_int_equal(KEY(2), TRACKS_FRAME);
	assert_int_equal(INTER(3), TRACKS_FRAME);
	assert_int_equal(AUDIO(3), TRACKS_DROP);	/* no header */
}

static void
audio_before_the_first_key_frame_is_kept(void **state)
{
	struct ring_gen *gen;

	AUDIO_HEADER(1);
	VIDEO_HEADER(1);
	gen = t.gen;
	assert_int_equal(AUDIO(2), TRACKS_FRAME);
	assert_false(t.begun);
	assert_int_equal(KEY(3), TRACKS_FRAME);
	assert_ptr_equal(t.gen, gen);
}

static void
a_video_without_key_frames_does_not_hold_the_audio_back_for_ever(void **state)
{
	AUDIO_HEADER(1);
	VIDEO_HEADER(1);
	AUDIO(1);
	AUDIO(2900);
	assert_true(t.gen->video);
	AUDIO(3100);
	assert_false(t.gen->video);
	assert_true(t.begun);
	/* and it may still come */
	assert_int_equal(KEY(5000), TRACKS_FRAME);
	assert_true(t.gen->video && t.gen->audio);
}

static void
late_audio_joins_at_the_next_key_frame(void **state)
{
	VIDEO_HEADER(1);
	KEY(1);
	tracks_tick(&t, 2000, 600);
	AUDIO_HEADER(700);
	assert_int_equal(AUDIO(700), TRACKS_DROP);
	assert_int_equal(INTER(710), TRACKS_FRAME);
	assert_false(t.gen->audio);
	assert_int_equal(KEY(1000), TRACKS_FRAME);
	assert_true(t.gen->audio && t.gen->settled);
}

static void
the_same_header_again_changes_nothing_and_another_does(void **state)
{
	struct ring_gen *gen;

	begin();
	gen = t.gen;
	VIDEO_HEADER(100);
	AUDIO_HEADER(100);
	assert_null(t.pending);
	OTHER_HEADER(200);
	assert_int_equal(INTER(200), TRACKS_FRAME);
	assert_ptr_equal(t.gen, gen);
	KEY(300);
	assert_ptr_not_equal(t.gen, gen);
	assert_memory_equal(t.gen->video_header + 5, "AVCC", 4);
	assert_true(t.gen->audio);
}

/* As many as are allowed, whenever they come; one more within the time ends the stream. */
static void
headers_change_only_so_often(void **state)
{
	int64_t now = 1000;

	begin();
	for (int i = 0; i < 3 * CHANGES; i++) {
		i % 2 ? VIDEO_HEADER(now) : OTHER_HEADER(now);
		assert_int_equal(KEY(now), TRACKS_FRAME);
		assert_int_equal(KEY(now), TRACKS_FRAME);
		now += i % CHANGES == CHANGES - 1 ? 10001 : 10;
	}
	assert_string_equal(t.unsupported, "");
	for (int i = 0; i <= CHANGES; i++) {
		assert_string_equal(t.unsupported, "");
		i % 2 ? VIDEO_HEADER(now) : OTHER_HEADER(now);
		assert_int_equal(KEY(now), i < CHANGES ? TRACKS_FRAME : TRACKS_DROP);
	}
	assert_string_equal(t.unsupported, "headers change too often: more than streams.header_changes (20) in 10 s");
	assert_int_equal(INTER(now), TRACKS_DROP);
	assert_int_equal(AUDIO(now), TRACKS_DROP);
}

static void
a_blank_header_is_none(void **state)
{
	struct ring_gen *gen;

	assert_int_equal(take(FLV_VIDEO, "\x17\0\0\0\0", 5, 1), TRACKS_DROP);
	assert_false(t.gen->video);
	VIDEO_HEADER(1);
	assert_int_equal(take(FLV_AUDIO, "\xaf\0", 2, 1), TRACKS_DROP);
	tracks_tick(&t, 2000, 2);	/* between it and the real one */
	assert_false(t.gen->settled || t.gen->audio);
	gen = t.gen;
	AUDIO_HEADER(3);
	assert_int_equal(AUDIO(3), TRACKS_FRAME);
	assert_int_equal(KEY(3), TRACKS_FRAME);
	assert_ptr_equal(t.gen, gen);
	assert_int_equal(take(FLV_AUDIO, "\xaf\0", 2, 4), TRACKS_DROP);
	assert_null(t.pending);
}

static void
an_ended_video_leaves_audio_alone_until_its_next_key_frame(void **state)
{
	begin();
	INTER(1000);
	AUDIO(2900);
	assert_false(tracks_tick(&t, 2000, 2950));
	AUDIO(3050);
	assert_false(tracks_tick(&t, 500, 3060));	/* late, but so is the audio */
	assert_true(tracks_tick(&t, 2000, 3060));
	assert_false(t.gen->video);
	assert_false(tracks_tick(&t, 2000, 3100));
	assert_int_equal(INTER(4000), TRACKS_DROP);
	assert_int_equal(KEY(4100), TRACKS_FRAME);
	assert_true(t.gen->video && t.gen->audio);
}

static void
a_silent_publisher_has_not_ended_its_video(void **state)
{
	begin();
	AUDIO(100);
	assert_false(tracks_tick(&t, 2000, 9000));
}

static void
what_is_not_taken_is_named(void **state)
{
	assert_int_equal(take(FLV_VIDEO, "\x12xx", 3, 1), TRACKS_DROP);	/* H.263 */
	assert_non_null(strstr(t.unsupported, "video"));
}

static void
enhanced_codecs_are_taken_but_not_with_old_audio(void **state)
{
	take(FLV_VIDEO, "\x90hvc1hvcC", 9, 1);
	assert_int_equal(take(FLV_VIDEO, "\x93hvc1x", 6, 1), TRACKS_FRAME);
	take(FLV_AUDIO, "\x90OpusOpusHead", 13, 2);
	assert_int_equal(take(FLV_AUDIO, "\x91Opusx", 6, 2), TRACKS_FRAME);
	assert_true(t.gen->settled && ring_gen_enhanced(t.gen));
	assert_string_equal(t.unsupported, "");
	tracks_free(&t);
	tracks_init(&t, CHANGES);
	take(FLV_VIDEO, "\x90hvc1hvcC", 9, 1);
	take(FLV_AUDIO, "\x72xxxx", 5, 2);
	assert_string_equal(t.unsupported, "audio g711a is not taken with video hevc: send AAC");
}

static void
a_new_video_needs_its_header(void **state)
{
	assert_int_equal(take(FLV_VIDEO, "\x93" "av01x", 6, 1), TRACKS_DROP);
	take(FLV_VIDEO, "\x90" "av01av1C", 9, 1);
	assert_int_equal(take(FLV_VIDEO, "\x93" "av01x", 6, 1), TRACKS_FRAME);
}

static void
a_vp9_has_the_size_of_its_key_frame(void **state)
{
	take(FLV_VIDEO, "\x90" "vp09vpcC", 9, 1);
	assert_int_equal(t.gen->width, 0);
	take(FLV_VIDEO, "\x91" "vp09\x82\x49\x83\x42\x00\x13\xf0\x0b\x36\x06", 15, 2);
	assert_int_equal(t.gen->width, 320);
	assert_int_equal(t.gen->height, 180);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		T(a_profile_that_browsers_cannot_play_is_told),
		T(with_both_headers_it_may_start_at_once),
		T(one_track_alone_waits_for_the_other_unless_it_was_told),
		T(video_starts_with_a_header_and_a_key_frame),
		T(audio_before_the_first_key_frame_is_kept),
		T(a_video_without_key_frames_does_not_hold_the_audio_back_for_ever),
		T(late_audio_joins_at_the_next_key_frame),
		T(the_same_header_again_changes_nothing_and_another_does),
		T(headers_change_only_so_often), T(a_blank_header_is_none),
		T(an_ended_video_leaves_audio_alone_until_its_next_key_frame),
		T(a_silent_publisher_has_not_ended_its_video),
		T(what_is_not_taken_is_named), T(enhanced_codecs_are_taken_but_not_with_old_audio),
		T(a_new_video_needs_its_header), T(a_vp9_has_the_size_of_its_key_frame),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
