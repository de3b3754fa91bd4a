/* keep_plan: which recordings go, by age, count, bytes and free space; those that may not go stay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "workers/jobs/keep_plan.h"

#define DAY (INT64_C(86400) * 1000000000)
#define NOW (1000 * DAY)

static unsigned asked;
static const char *kept;		/* names that may not go */

static bool
may(struct keep_file *f, void *ctx)
{
	asked++;
	return strchr(kept, f->file[0]) == NULL;
}

/* Files a to e: a and c of stream x, the rest of y; a is the oldest, 5 days, e one day. 100 bytes each. */
static const char *
go(struct keep_limits l, const char *may_not, struct keep_sum *sum)
{
	static const char *const names[] = { "d", "b", "a", "e", "c" };
	static const char *const streams[] = { "y", "y", "x", "y", "x" };
	static char out[16];
	struct keep_file files[5];
	struct keep_sum s;
	size_t n = 0;

	memset(files, 0, sizeof(files));
	for (size_t i = 0; i < 5; i++) {
		files[i].file = (char *)names[i];
		strcpy(files[i].stream, streams[i]);
		files[i].size = 100;
		files[i].mtime_ns = NOW - (5 - (names[i][0] - 'a')) * DAY;
	}
	asked = 0;
	kept = may_not;
	l.now_ns = NOW;
	s = keep_plan(files, 5, &l, may, NULL);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(files[i].file[0], 'a' + (int)i);	/* oldest first */
		assert_false(files[i].blocked && files[i].why != KEEP_STAYS);
		if (files[i].why != KEEP_STAYS)
			out[n++] = files[i].file[0];
	}
	out[n] = '\0';
	assert_int_equal(s.deleted, n);
	assert_int_equal(s.deleted_bytes, 100 * n);
	if (sum != NULL)
		*sum = s;
	return out;
}

static void
no_limit_no_deletion(void **state)
{
	assert_string_equal(go((struct keep_limits){ .free_now = 0 }, "", NULL), "");
	assert_int_equal(asked, 0);
	assert_string_equal(go((struct keep_limits){ .days = 9, .count = 3, .bytes = 500, .free_space = 7,
	    .free_now = 7 }, "", NULL), "");
	assert_int_equal(asked, 0);
}

static void
days(void **state)
{
	struct keep_sum s;

	assert_string_equal(go((struct keep_limits){ .days = 3 }, "", NULL), "ab");	/* c is just 3 days old */
	assert_string_equal(go((struct keep_limits){ .days = 3 }, "a", &s), "b");
	assert_int_equal(s.blocked, 1);
	assert_int_equal(s.blocked_bytes, 100);
	assert_int_equal(asked, 2);
}

static void
count_is_per_stream(void **state)
{
	assert_string_equal(go((struct keep_limits){ .count = 1 }, "", NULL), "abd");
	assert_string_equal(go((struct keep_limits){ .count = 2 }, "", NULL), "b");
	assert_string_equal(go((struct keep_limits){ .count = 2 }, "b", NULL), "");	/* d does not go for it */
}

static void
bytes_of_all(void **state)
{
	struct keep_sum s;

	assert_string_equal(go((struct keep_limits){ .bytes = 300 }, "", NULL), "ab");
	assert_string_equal(go((struct keep_limits){ .bytes = 299 }, "", NULL), "abc");
	assert_string_equal(go((struct keep_limits){ .bytes = 300 }, "a", NULL), "bc");	/* the next ones go instead */
	assert_string_equal(go((struct keep_limits){ .bytes = 100 }, "abcde", &s), "");
	assert_int_equal(s.blocked, 5);
}

static void
free_space(void **state)
{
	assert_string_equal(go((struct keep_limits){ .free_space = 1000, .free_now = 850 }, "", NULL), "ab");
	assert_string_equal(go((struct keep_limits){ .free_space = 1000, .free_now = 900 }, "", NULL), "a");
	assert_string_equal(go((struct keep_limits){ .free_space = 1000, .free_now = 850 }, "b", NULL), "ac");
	assert_string_equal(go((struct keep_limits){ .free_space = 1000, .free_now = 0 }, "", NULL), "abcde");
	assert_string_equal(go((struct keep_limits){ .free_space = 1000, .free_now = -1 }, "", NULL), "");
}

static void
limits_add_up(void **state)
{
	/* d goes by count (of y: b, d), a by days: then 200 are gone, so bytes want one more, space none. */
	assert_string_equal(go((struct keep_limits){ .count = 2, .days = 4, .bytes = 200, .free_space = 300,
	    .free_now = 0 }, "", NULL), "abc");
	assert_string_equal(go((struct keep_limits){ .days = 4, .free_space = 100, .free_now = 0 }, "", NULL), "a");
	assert_int_equal(asked, 1);
}

static void
stream_names(void **state)
{
	static const struct { const char *pattern, *file, *want; } cases[] = {
		{ "recordings/{stream}/{start}.mp4", "recordings/alice/20261121T135800.123Z.mp4", "alice" },
		{ "recordings/{date}/{stream}-{start}.mp4", "recordings/2026-11-21/a-b-20261121T135800.123Z.mp4", "a-b" },
		{ "recordings/{stream}/{stream}_{start}.mp4", "recordings/bob/bob_20261121T135800.123Z.mp4", "bob" },
		/* named by an older pattern */
		{ "recordings/{date}/{stream}/{start}.mp4", "recordings/alice/20261121T135800.123Z.mp4", "alice" },
		{ "recordings/{stream}/{stream}_{start}.mp4", "recordings/bob/bab_20261121T135800.123Z.mp4", "bob" },
		{ "recordings/{start}.mp4", "recordings/20261121T135800.123Z.mp4", "" },
		{ "recordings/{stream}{start}.mp4", "recordings/x.mp4", "" },
		{ "", "recordings/alice/x.mp4", "alice" },
	};
	char out[65];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		keep_stream(cases[i].pattern, cases[i].file, out, sizeof(out));
		assert_string_equal(out, cases[i].want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_limit_no_deletion), cmocka_unit_test(days), cmocka_unit_test(count_is_per_stream),
		cmocka_unit_test(bytes_of_all), cmocka_unit_test(free_space), cmocka_unit_test(limits_add_up),
		cmocka_unit_test(stream_names),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
