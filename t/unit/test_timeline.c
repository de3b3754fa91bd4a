/* timeline.c: any start, jumps both ways, the 32-bit wrap, audio and video in relation, pauses. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ingest/timeline.h"

static struct timeline t;

static int
setup(void **state)
{
	timeline_init(&t, 0);
	return 0;
}

static void
starts_near_its_start_wherever_the_clock_is(void **state)
{
	static const uint32_t starts[] = { 0, 1, 3600000, 0x7fffffff, 0x80000000, 0xffffffff };

	for (unsigned i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		timeline_init(&t, 7000);
		assert_int_equal(timeline_map(&t, false, starts[i], 50), 7000 + TIMELINE_LEAD_MS);
		assert_int_equal(timeline_map(&t, false, starts[i] + 40, 90), 7040 + TIMELINE_LEAD_MS);
		assert_int_equal(t.jumps, 0);
	}
}

static void
the_other_track_may_begin_earlier(void **state)
{
	assert_int_equal(timeline_map(&t, false, 1000, 0), 500);
	assert_int_equal(timeline_map(&t, true, 800, 0), 300);
	assert_int_equal(timeline_map(&t, true, 821, 0), 321);
	assert_int_equal(t.jumps, 0);
}

static void
the_wrap_is_unrolled(void **state)
{
	int64_t first = timeline_map(&t, false, 0xffffffd8, 0);

	assert_int_equal(timeline_map(&t, true, 0xfffffff0, 10), first + 24);
	assert_int_equal(timeline_map(&t, false, 0, 40), first + 40);
	assert_int_equal(timeline_map(&t, true, 5, 45), first + 45);
	assert_int_equal(t.jumps, 0);
}

static void
a_jump_forward_is_taken_out_for_both_tracks(void **state)
{
	int64_t a = timeline_map(&t, false, 0, 0), v;

	v = timeline_map(&t, false, 3600000, 40);
	assert_int_equal(v, a + 1);
	assert_int_equal(t.jumps, 1);
	assert_int_equal(timeline_map(&t, true, 3600010, 50), v + 10);
	assert_int_equal(timeline_map(&t, false, 3600040, 80), v + 40);
	assert_int_equal(t.jumps, 1);
}

static void
a_jump_back_is_taken_out(void **state)
{
	int64_t last = 0;

	for (uint32_t i = 0; i < 100; i++)
		last = timeline_map(&t, false, 60000 + i * 40, i * 40);
	assert_int_equal(timeline_map(&t, false, 0, 4000), last + 1);
	assert_int_equal(timeline_map(&t, false, 40, 4040), last + 41);
	assert_int_equal(t.jumps, 1);
}

static void
jitter_is_levelled_not_a_jump(void **state)
{
	int64_t v = timeline_map(&t, false, 1000, 0);

	assert_int_equal(timeline_map(&t, false, 950, 10), v);
	assert_int_equal(timeline_map(&t, false, 1040, 40), v + 40);
	assert_int_equal(t.jumps, 0);
}

static void
a_pause_of_the_publisher_is_no_jump(void **state)
{
	int64_t v = timeline_map(&t, false, 1000, 0);

	assert_int_equal(timeline_map(&t, false, 9000, 8000), v + 8000);
	assert_int_equal(t.jumps, 0);
}

/* Video by a clock 3 s off the audio's, both ways: the picture comes at the time of its arrival, and no tag jumps again. */
static void
tracks_far_apart_run_side_by_side(void **state)
{
	for (int skew = -3000; skew <= 3000; skew += 6000) {
		int64_t last[2] = { 0, 0 };

		timeline_init(&t, 0);
		for (int i = 0; i < 100; i++) {
			last[1] = timeline_map(&t, true, (uint32_t)(10000 + i * 40), i * 40);
			last[0] = timeline_map(&t, false, (uint32_t)(10000 + i * 40 + skew), i * 40 + 5);
			assert_in_range(last[0] - last[1] + 50, 0, 100);
		}
		assert_int_equal(last[1], TIMELINE_LEAD_MS + 99 * 40);
		assert_int_equal(t.jumps, 1);
	}
}

static void
a_jump_of_one_track_leaves_the_other_alone(void **state)
{
	int64_t v = timeline_map(&t, false, 1000, 0), a = timeline_map(&t, true, 1000, 0);

	assert_int_equal(timeline_map(&t, true, 6000, 40), v + 1);
	assert_int_equal(timeline_map(&t, false, 1040, 40), v + 40);
	assert_int_equal(timeline_map(&t, true, 6040, 80), a + 41);
	assert_int_equal(timeline_map(&t, false, 1080, 80), v + 80);
	assert_int_equal(t.jumps, 1);
}

/* The encoder starts its clock again: sound and picture stay as far apart as they were. */
static void
a_jump_of_both_keeps_their_relation(void **state)
{
	int64_t v = 0, a = 0;

	for (int i = 0; i < 50; i++) {
		v = timeline_map(&t, false, (uint32_t)(90000 + i * 40), i * 40);
		a = timeline_map(&t, true, (uint32_t)(90300 + i * 40), i * 40 + 3);
	}
	assert_int_equal(a - v, 300);
	v = timeline_map(&t, false, 0, 2000);
	a = timeline_map(&t, true, 300, 2003);
	assert_int_equal(a - v, 300);
	assert_int_equal(timeline_map(&t, false, 40, 2040), v + 40);
	assert_int_equal(t.jumps, 1);
}

static void
a_track_never_steps_back(void **state)
{
	static const uint32_t wild[] = { 5, 4000000000U, 0, 77, 77, 76, 2147483648U, 1, 100000, 99950, 0xffffffff };
	int64_t last[2] = { INT64_MIN, INT64_MIN };

	for (unsigned i = 0; i < 200; i++) {
		bool audio = i % 3 == 0;
		int64_t out = timeline_map(&t, audio, wild[i * 7 % 11], i * 20);

		assert_true(out >= last[audio]);
		assert_true(out <= timeline_last(&t));
		last[audio] = out;
	}
	assert_true(timeline_last(&t) < 60000);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(starts_near_its_start_wherever_the_clock_is, setup),
		cmocka_unit_test_setup(the_other_track_may_begin_earlier, setup),
		cmocka_unit_test_setup(the_wrap_is_unrolled, setup),
		cmocka_unit_test_setup(a_jump_forward_is_taken_out_for_both_tracks, setup),
		cmocka_unit_test_setup(a_jump_back_is_taken_out, setup),
		cmocka_unit_test_setup(jitter_is_levelled_not_a_jump, setup),
		cmocka_unit_test_setup(a_pause_of_the_publisher_is_no_jump, setup),
		cmocka_unit_test_setup(tracks_far_apart_run_side_by_side, setup),
		cmocka_unit_test_setup(a_jump_of_one_track_leaves_the_other_alone, setup),
		cmocka_unit_test_setup(a_jump_of_both_keeps_their_relation, setup),
		cmocka_unit_test_setup(a_track_never_steps_back, setup),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
