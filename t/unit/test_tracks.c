/* tracks.c: which frames pass, when headers take effect, late and ending tracks, what is not taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "ingest/tracks.h"

/* One message, parsed as session.c does it. */
static enum tracks_verdict
take(struct tracks *t, bool audio, const char *body, size_t len, int64_t now)
{
	struct flv_info info;
	const uint8_t *p = (const uint8_t *)body;

	assert_int_equal(audio ? flv_parse_audio(p, len, &info) : flv_parse_video(p, len, &info), 0);
	return tracks_take(t, &info, p, len, now);
}
#define V(body, now) take(t, false, body, sizeof(body) - 1, now)
#define A(body, now) take(t, true, body, sizeof(body) - 1, now)

#define AVC1 "\x17\0\0\0\0\1first"
#define AVC2 "\x17\0\0\0\0\1other"
#define KEY "\x17\1\0\0\0k"
#define INTER "\x27\1\0\0\0i"
#define AAC1 "\xaf\0\x12\x10"
#define AAC2 "\xaf\0\x11\x90"
#define SOUND "\xaf\1s"

static struct tracks tracks, *t = &tracks;

static int
setup(void **state)
{
	tracks_init(t);
	return 0;
}

static int
teardown(void **state)
{
	tracks_free(t);
	return t->gen != NULL || t->pending != NULL;
}

static void
begin_both(int64_t now)
{
	assert_int_equal(V(AVC1, now), TRACKS_HEADER);
	assert_int_equal(A(AAC1, now), TRACKS_HEADER);
	assert_int_equal(V(KEY, now), TRACKS_FRAME);
	assert_int_equal(A(SOUND, now), TRACKS_FRAME);
	assert_true(t->gen->settled && t->gen->video && t->gen->audio);
}

static void
video_begins_with_header_and_key_frame(void **state)
{
	assert_int_equal(V(KEY, 1000), TRACKS_DROP);
	assert_int_equal(V(AVC1, 1000), TRACKS_HEADER);
	assert_int_equal(V(INTER, 1000), TRACKS_DROP);
	assert_int_equal(V(KEY, 1000), TRACKS_FRAME);
	assert_int_equal(V(INTER, 1010), TRACKS_FRAME);
	assert_int_equal(t->gen->video_len, sizeof(AVC1) - 1);
	assert_memory_equal(t->gen->video_header, AVC1, sizeof(AVC1) - 1);
	assert_int_equal(A(SOUND, 1010), TRACKS_DROP);	/* AAC without its header */
}

static void
a_changed_header_waits_for_the_key_frame(void **state)
{
	struct ring_gen *first;

	begin_both(1000);
	first = t->gen;
	V(AVC2, 1100);
	A(AAC2, 1100);
	assert_ptr_equal(t->gen, first);
	assert_int_equal(V(INTER, 1100), TRACKS_FRAME);
	assert_ptr_equal(t->gen, first);
	assert_int_equal(V(KEY, 1200), TRACKS_FRAME);
	assert_ptr_not_equal(t->gen, first);
	assert_memory_equal(t->gen->video_header, AVC2, sizeof(AVC2) - 1);
	assert_memory_equal(t->gen->audio_header, AAC2, sizeof(AAC2) - 1);
}

static void
a_repeated_header_changes_nothing(void **state)
{
	struct ring_gen *first;

	begin_both(1000);
	first = t->gen;
	assert_int_equal(V(AVC1, 1100), TRACKS_HEADER);
	assert_int_equal(A(AAC1, 1100), TRACKS_HEADER);
	V(KEY, 1200);
	assert_ptr_equal(t->gen, first);
	assert_null(t->pending);
}

static void
video_that_ends_leaves_audio_and_may_come_back(void **state)
{
	begin_both(1000);
	A(SOUND, 2900);
	assert_false(tracks_tick(t, 2999));
	assert_true(tracks_tick(t, 3000));
	assert_false(t->gen->video);
	assert_true(t->gen->audio);
	assert_false(tracks_tick(t, 3100));
	assert_int_equal(V(INTER, 3200), TRACKS_DROP);
	assert_int_equal(V(KEY, 3300), TRACKS_FRAME);
	assert_true(t->gen->video && t->gen->audio);
	assert_memory_equal(t->gen->video_header, AVC1, sizeof(AVC1) - 1);
}

static void
silence_of_both_is_no_end_of_video(void **state)
{
	begin_both(1000);
	assert_false(tracks_tick(t, 60000));
	assert_true(t->gen->video);
}

static void
audio_alone_is_settled_after_a_wait(void **state)
{
	A(AAC1, 1000);
	assert_int_equal(A(SOUND, 1000), TRACKS_FRAME);
	assert_false(t->gen->settled);
	tracks_tick(t, 1499);
	assert_false(t->gen->settled);
	tracks_tick(t, 1500);
	assert_true(t->gen->settled);
}

static void
metadata_spares_the_wait(void **state)
{
	t->told = t->expect_audio = true;
	A(AAC1, 1000);
	A(SOUND, 1000);
	assert_true(t->gen->settled);
}

static void
audio_waits_three_seconds_for_a_video_that_has_a_header(void **state)
{
	V(AVC1, 1000);
	A(AAC1, 1000);
	assert_int_equal(A(SOUND, 1000), TRACKS_FRAME);
	A(SOUND, 3999);
	assert_false(t->begun);
	A(SOUND, 4000);
	assert_true(t->begun);
	assert_false(t->gen->video);
}

static void
mp3_needs_no_header(void **state)
{
	assert_int_equal(A("\x2fxyz", 1000), TRACKS_FRAME);
	assert_true(t->gen->audio);
	assert_int_equal(t->gen->audio_codec, FLV_FOURCC('.', 'm', 'p', '3'));
	assert_string_equal(t->unsupported, "");
}

static void
what_is_not_taken_is_named(void **state)
{
	assert_int_equal(V("\x90hvc1\1", 1000), TRACKS_DROP);
	assert_non_null(strstr(t->unsupported, "video hevc (Enhanced RTMP)"));
	t->unsupported[0] = '\0';
	assert_int_equal(A("\x90Opus\1", 1000), TRACKS_DROP);
	assert_non_null(strstr(t->unsupported, "audio opus"));
	t->unsupported[0] = '\0';
	assert_int_equal(V("\x17\2\0\0\0", 1000), TRACKS_DROP);	/* end of sequence */
	assert_int_equal(V("\x57\1", 1000), TRACKS_DROP);		/* a command frame */
	assert_string_equal(t->unsupported, "");
}

static void
an_empty_frame_is_none(void **state)
{
	begin_both(1000);
	assert_int_equal(V("\x17\1\0\0\0", 1000), TRACKS_DROP);
	assert_int_equal(A("\xaf\1", 1000), TRACKS_DROP);
}

static void
the_board_shows_it(void **state)
{
	struct board_media m = { 0 };

	tracks_board(t, &m);
	assert_true(m.video_codec == BOARD_CODEC_NONE && m.audio_codec == BOARD_CODEC_NONE);
	begin_both(1000);
	tracks_board(t, &m);
	assert_true(m.video_codec == BOARD_H264 && m.audio_codec == BOARD_AAC);
	assert_int_equal(m.audio_rate, 44100);
	assert_int_equal(m.audio_channels, 2);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(video_begins_with_header_and_key_frame),
		T(a_changed_header_waits_for_the_key_frame),
		T(a_repeated_header_changes_nothing),
		T(video_that_ends_leaves_audio_and_may_come_back),
		T(silence_of_both_is_no_end_of_video),
		T(audio_alone_is_settled_after_a_wait),
		T(metadata_spares_the_wait),
		T(audio_waits_three_seconds_for_a_video_that_has_a_header),
		T(mp3_needs_no_header),
		T(what_is_not_taken_is_named),
		T(an_empty_frame_is_none),
		T(the_board_shows_it),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
