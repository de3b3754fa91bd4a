/* streams_judge.c: when a second publisher waits, takes over or is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "supervisor/streams.h"

/* Claim at 10,000; granted at 1,000; silence 2,000; times of now and of the last media byte. */
static enum judge_verdict
at(int64_t now, int64_t last_media, bool same)
{
	struct judge_input in = { false, same, now, 10000, 2000, 1000, last_media };

	return judge_duplicate(&in);
}

static void
test_alive(void **state)
{
	/* Bytes of the moment of the claim may be the old line's last. */
	assert_int_equal(at(10000, 9990, true), JUDGE_WAIT);
	assert_int_equal(at(10300, 10200, true), JUDGE_WAIT);
	assert_int_equal(at(10400, 10300, true), JUDGE_REFUSE);
	assert_int_equal(at(10400, 10300, false), JUDGE_REFUSE);
}

static void
test_silent(void **state)
{
	assert_int_equal(at(10000, 8000, true), JUDGE_TAKE_OVER);
	assert_int_equal(at(10000, 8001, true), JUDGE_WAIT);
	assert_int_equal(at(11999, 10000, true), JUDGE_WAIT);
	assert_int_equal(at(12000, 10000, true), JUDGE_TAKE_OVER);
	assert_int_equal(at(12000, 10000, false), JUDGE_REFUSE);
}

static void
test_granted_counts_as_life(void **state)
{
	struct judge_input in = { false, true, 10000, 10000, 2000, 9000, 0 };

	assert_int_equal(judge_duplicate(&in), JUDGE_WAIT);
	in.now_ms = 11000;
	assert_int_equal(judge_duplicate(&in), JUDGE_TAKE_OVER);
}

static void
test_never_waits_for_ever(void **state)
{
	/* A trickle that never counts as fresh nor as silence. */
	struct judge_input in = { false, true, 12251, 10000, 2000, 12000, 10200 };

	assert_int_equal(judge_duplicate(&in), JUDGE_REFUSE);
}

static void
test_takeover(void **state)
{
	struct judge_input in = { true, false, 10000, 10000, 2000, 9999, 10000 };

	assert_int_equal(judge_duplicate(&in), JUDGE_TAKE_OVER);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alive),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_granted_counts_as_life),
		cmocka_unit_test(test_never_waits_for_ever),
		cmocka_unit_test(test_takeover),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
