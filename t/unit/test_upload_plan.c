/* upload_plan.c: parts cover every file from 0 bytes to 1 TiB, none too small, never too many. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>

#include "workers/jobs/upload_plan.h"

#define MIB ((int64_t)1 << 20)
#define TIB ((int64_t)1 << 40)

static void
known_sizes(void **state)
{
	static const struct { int64_t size, configured, part; int max, parts; } t[] = {
		{ 0, 16 * MIB, 16 * MIB, 1000, 1 },
		{ 1, 16 * MIB, 16 * MIB, 1000, 1 },
		{ 16 * MIB, 16 * MIB, 16 * MIB, 1000, 1 },
		{ 16 * MIB + 1, 16 * MIB, 16 * MIB, 1000, 2 },
		{ 40 * MIB, 1, 5 * MIB, 1000, 8 },
		{ 16000 * MIB, 16 * MIB, 16 * MIB, 1000, 1000 },
		{ 16000 * MIB + 1, 16 * MIB, 17 * MIB, 1000, 942 },
		{ 16000 * MIB + 1, 16 * MIB, 16 * MIB, 10000, 1001 },
		{ TIB, 16 * MIB, 1049 * MIB, 1000, 1000 },
		{ TIB, 16 * MIB, 105 * MIB, 10000, 9987 },
		{ 20 * MIB, 16 * MIB, 20 * MIB, 1, 1 },
	};
	struct upload_plan p;

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		assert_int_equal(upload_plan(t[i].size, t[i].configured, t[i].max, &p), 0);
		assert_int_equal(p.part_size, t[i].part);
		assert_int_equal(p.parts, t[i].parts);
	}
}

static void
parts_cover_the_file(void **state)
{
	struct upload_plan p;

	for (int64_t size = 0; size <= TIB; size = size * 3 + 1) {
		int64_t sum = 0;

		assert_int_equal(upload_plan(size, 16 * MIB, 1000, &p), 0);
		assert_true(p.parts >= 1 && p.parts <= 1000);
		for (int n = 1; n <= p.parts; n++) {
			int64_t len = upload_plan_size(&p, size, n);

			assert_int_equal(upload_plan_offset(&p, n), sum);
			assert_true(len > 0 || size == 0);
			assert_true(len >= UPLOAD_PART_MIN || n == p.parts);
			sum += len;
		}
		assert_int_equal(sum, size);
	}
}

static void
too_great_is_said(void **state)
{
	struct upload_plan p;

	errno = 0;
	assert_int_equal(upload_plan(6 * TIB, MIB, 1000, &p), -1);
	assert_int_equal(errno, EFBIG);
	assert_int_equal(upload_plan(-1, MIB, 1000, &p), -1);
}

/* Whatever becomes of it, what was sent while it grew stays where it was. */
static void
steps_hold_what_grows(void **state)
{
	static const struct { int64_t part; int max; int64_t holds; } t[] = {
		{ 16 * MIB, 1000, TIB }, { 5 * MIB, 1000, 500 * 1024 * MIB }, { 16 * MIB, 10000, 5 * TIB },
		{ 5 * MIB, 1, 5 * MIB }, { 5 * MIB, 3, 30 * MIB }, { 5 * MIB, 10, 5000 * MIB },
	};
	struct upload_plan grows, ended;

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		assert_int_equal(upload_plan_steps(0, false, t[i].part, t[i].max, &grows), 0);
		assert_int_equal(grows.parts, t[i].max);
		for (int64_t size = 1; size <= t[i].holds; size = size * 5 / 2 + 7) {
			int64_t sum = 0;

			assert_int_equal(upload_plan_steps(size, true, t[i].part, t[i].max, &ended), 0);
			assert_true(ended.parts >= 1 && ended.parts <= t[i].max);
			for (int n = 1; n <= ended.parts; n++) {
				int64_t len = upload_plan_size(&ended, size, n);

				assert_int_equal(upload_plan_offset(&ended, n), sum);
				assert_int_equal(upload_plan_offset(&grows, n), sum);
				assert_true(len > 0 && len <= UPLOAD_PART_MAX);
				assert_true(n == ended.parts || (len >= UPLOAD_PART_MIN && len == upload_plan_size(&grows, 0, n)));
				sum += len;
			}
			assert_int_equal(sum, size);
		}
	}
	assert_int_equal(upload_plan_steps(0, false, 5 * MIB, 1000, &grows), 0);
	assert_int_equal(upload_plan_size(&grows, 0, 100), 5 * MIB);
	assert_int_equal(upload_plan_size(&grows, 0, 101), 10 * MIB);
	assert_int_equal(upload_plan_size(&grows, 0, 999), 2560 * MIB);
	assert_int_equal(upload_plan_steps(5 * MIB * 100, true, 5 * MIB, 1000, &ended), 0);
	assert_int_equal(ended.parts, 100);
	assert_int_equal(upload_plan_steps(5 * MIB * 100 + 1, true, 5 * MIB, 1000, &ended), 0);
	assert_int_equal(ended.parts, 101);
	errno = 0;
	assert_int_equal(upload_plan_steps(6 * 1024 * MIB, true, 5 * MIB, 2, &ended), -1);
	assert_int_equal(errno, EFBIG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_sizes),
		cmocka_unit_test(parts_cover_the_file),
		cmocka_unit_test(too_great_is_said),
		cmocka_unit_test(steps_hold_what_grows),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
