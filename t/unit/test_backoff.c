/* backoff.c: every row of the table, its edges, and the jitter's bounds. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "supervisor/supervisor.h"

static void
workers_double_up_to_the_limit(void **state)
{
	static const int64_t want[] = { 500, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000 };
	static const enum child_kind kinds[] = { KIND_REGISTRY, KIND_REDIS, KIND_FINISH, KIND_JOBS, KIND_WATCH, KIND_HOOKS };
	size_t k;
	unsigned i;

	/* A random number in the middle of the swing gives the bare delay. */
	for (k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		for (i = 0; i < 9; i++)
			assert_int_equal(backoff_delay_ms(kinds[k], i, (uint32_t)(want[i] / 5)), want[i]);
	assert_int_equal(backoff_delay_ms(KIND_REDIS, 1000000, 6000), 30000);
}

static void
viewers_wait_two_seconds_at_most(void **state)
{
	static const int64_t want[] = { 250, 250, 500, 1000, 2000, 2000, 2000 };
	unsigned i;

	for (i = 0; i < 7; i++)
		assert_int_equal(backoff_delay_ms(KIND_HTTP, i, (uint32_t)(want[i] / 5)), want[i]);
}

static void
jitter_stays_within_a_fifth(void **state)
{
	int64_t delay, least = INT64_MAX, most = 0;
	uint32_t r;

	for (r = 0; r < 5000; r++) {
		delay = backoff_delay_ms(KIND_REGISTRY, 2, r * 2654435761u);
		assert_in_range(delay, 800, 1200);
		if (delay < least)
			least = delay;
		if (delay > most)
			most = delay;
	}
	assert_true(least < 820 && most > 1180);
	assert_int_equal(backoff_delay_ms(KIND_REGISTRY, 2, 0), 800);
	assert_int_equal(backoff_delay_ms(KIND_REGISTRY, 2, 400), 1200);
}

static void
ffmpeg_gives_up_after_five(void **state)
{
	static const int64_t want[] = { 500, 500, 1000, 2000, 4000, 8000, -1, -1 };
	unsigned i;

	for (i = 0; i < 8; i++)
		assert_int_equal(backoff_delay_ms(KIND_FFMPEG, i, 12345), want[i]);
}

static void
an_ingest_is_never_started_again(void **state)
{
	unsigned i;

	for (i = 0; i < 4; i++)
		assert_int_equal(backoff_delay_ms(KIND_INGEST, i, 7), -1);
}

static void
what_counts_as_a_failure(void **state)
{
	assert_true(backoff_counts(KIND_HTTP, false, 3600000));
	assert_true(backoff_counts(KIND_HTTP, true, 9999));
	assert_false(backoff_counts(KIND_HTTP, true, 10000));
	assert_true(backoff_counts(KIND_FFMPEG, true, 29999));
	assert_false(backoff_counts(KIND_FFMPEG, true, 30000));
	assert_int_equal(backoff_reset_ms(KIND_REDIS), 60000);
	assert_int_equal(backoff_reset_ms(KIND_FFMPEG), 30000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(workers_double_up_to_the_limit),
		cmocka_unit_test(viewers_wait_two_seconds_at_most),
		cmocka_unit_test(jitter_stays_within_a_fifth),
		cmocka_unit_test(ffmpeg_gives_up_after_five),
		cmocka_unit_test(an_ingest_is_never_started_again),
		cmocka_unit_test(what_counts_as_a_failure),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
