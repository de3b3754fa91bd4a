/* srtp.c: both suites there and back, the wrap of the sequence number, repeats, replays, every changed bit. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "be.h"
#include "rtc/srtp.h"

#define VIDEO 0x1234abcdu

struct pair { struct rtc_srtp *a, *b; };
struct packet { _Alignas(8) uint8_t p[1500]; size_t n; };

static const enum srtp_suite suites[] = { SRTP_CM_SHA1_80, SRTP_GCM_128 };

static struct pair
pair_new(enum srtp_suite suite)
{
	struct srtp_keys a = { .suite = suite }, b = { .suite = suite };
	struct pair pair;

	for (int i = 0; i < SRTP_KEY; i++) {
		a.ours[i] = b.theirs[i] = (uint8_t)(i * 7 + 1);
		a.theirs[i] = b.ours[i] = (uint8_t)(i * 13 + 5);
	}
	pair.a = rtc_srtp_new(&a);
	pair.b = rtc_srtp_new(&b);
	assert_non_null(pair.a);
	assert_non_null(pair.b);
	return pair;
}

static void
pair_free(struct pair *pair)
{
	rtc_srtp_free(&pair->a);
	rtc_srtp_free(&pair->b);
}

static struct packet
rtp(uint32_t ssrc, uint16_t seq, size_t n)
{
	struct packet k = { .n = n };

	k.p[0] = 0x80;
	k.p[1] = 96;
	be_put(k.p + 2, 2, seq);
	be_put(k.p + 4, 4, seq * 3000u);
	be_put(k.p + 8, 4, ssrc);
	for (size_t i = 12; i < n; i++)
		k.p[i] = (uint8_t)(i * seq);
	return k;
}

static struct packet
rtcp(uint32_t ssrc)
{
	struct packet k = { .p = { 0x80, 201, 0, 1 }, .n = 8 };

	be_put(k.p + 4, 4, ssrc);
	return k;
}

static struct packet
sealed(struct rtc_srtp *s, struct packet k, bool is_rtcp)
{
	size_t n = k.n;

	k.n = rtc_srtp_seal(s, k.p, n, is_rtcp);
	assert_true(k.n > n && k.n <= n + SRTP_ROOM);
	return k;
}

static bool
opens(struct rtc_srtp *s, struct packet k, bool is_rtcp, const struct packet *want)
{
	k.n = rtc_srtp_open(s, k.p, k.n, is_rtcp);
	if (k.n == 0)
		return false;
	assert_int_equal(k.n, want->n);
	assert_memory_equal(k.p, want->p, k.n);
	return true;
}

static void
packets_go_there_and_back(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		struct pair pair = pair_new(suites[i]);
		struct packet k, in;

		for (uint16_t seq = 0; seq < 50; seq++) {
			in = rtp(VIDEO, seq, 12 + seq * 25u);
			k = sealed(pair.a, in, false);
			if (k.n > 40)
				assert_memory_not_equal(k.p + 12, in.p + 12, in.n - 12);
			assert_memory_equal(k.p, in.p, 12);
			assert_true(opens(pair.b, k, false, &in));
			in = rtcp(seq % 4);
			assert_true(opens(pair.a, sealed(pair.b, in, true), true, &in));
		}
		pair_free(&pair);
	}
}

static void
the_sequence_number_wraps_and_old_ones_still_count(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		struct pair pair = pair_new(suites[i]);
		struct packet first, in;

		for (uint32_t n = 65000; n < 65536 + 65536 + 200; n++) {
			in = rtp(VIDEO, (uint16_t)n, 60);
			first = sealed(pair.a, in, false);
			if (n % 1000 == 0 || n % 65536 < 3 || n % 65536 > 65533)
				assert_true(opens(pair.b, first, false, &in));
		}
		/* Asked for again across the wrap: with the roll-over counter of its time, so it opens there. */
		in = rtp(VIDEO, 65500, 60);
		assert_true(opens(pair.b, sealed(pair.a, in, false), false, &in));
		pair_free(&pair);
	}
}

static void
a_repeat_is_the_same_bytes(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		struct pair pair = pair_new(suites[i]);
		struct packet first, again;

		first = sealed(pair.a, rtp(VIDEO, 100, 700), false);
		for (uint16_t n = 101; n < 100 + 4000; n++)
			sealed(pair.a, rtp(VIDEO, n, 60), false);
		again = sealed(pair.a, rtp(VIDEO, 100, 700), false);
		assert_int_equal(first.n, again.n);
		assert_memory_equal(first.p, again.p, first.n);
		pair_free(&pair);
	}
}

static void
a_replay_is_refused(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		struct pair pair = pair_new(suites[i]);
		struct packet in = rtp(VIDEO, 9, 100), k = sealed(pair.a, in, false), c = rtcp(1), ck;

		assert_true(opens(pair.b, k, false, &in));
		assert_false(opens(pair.b, k, false, &in));
		ck = sealed(pair.a, c, true);
		assert_true(opens(pair.b, ck, true, &c));
		assert_false(opens(pair.b, ck, true, &c));
		pair_free(&pair);
	}
}

static void
no_changed_bit_and_no_part_opens(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		struct pair pair = pair_new(suites[i]);
		struct packet in = rtp(VIDEO, 9, 60), k = sealed(pair.a, in, false), c = rtcp(1), bad;
		struct packet ck = sealed(pair.a, c, true);

		for (size_t at = 0; at < 8 * k.n; at++) {
			bad = k;
			bad.p[at / 8] ^= (uint8_t)(1 << at % 8);
			assert_false(opens(pair.b, bad, false, &in));
		}
		for (size_t at = 0; at < 8 * ck.n; at++) {
			bad = ck;
			bad.p[at / 8] ^= (uint8_t)(1 << at % 8);
			assert_false(opens(pair.b, bad, true, &c));
		}
		for (bad = k; bad.n-- > 0;)
			assert_false(opens(pair.b, bad, false, &in));
		for (bad = ck; bad.n-- > 0;)
			assert_false(opens(pair.b, bad, true, &c));
		assert_true(opens(pair.b, k, false, &in));
		assert_true(opens(pair.b, ck, true, &c));
		pair_free(&pair);
	}
}

/* What is sent under one's own keys, sent back. */
static void
a_reflection_is_refused(void **state)
{
	struct pair pair = pair_new(SRTP_GCM_128);
	struct packet in = rtp(VIDEO, 9, 60), k = sealed(pair.a, in, false);

	assert_false(opens(pair.a, k, false, &in));
	pair_free(&pair);
}

static void
sources_are_bounded(void **state)
{
	struct pair pair = pair_new(SRTP_GCM_128);
	struct packet in;

	for (uint32_t ssrc = 1; ssrc <= SRTP_SSRC_MAX + 10; ssrc++) {
		in = rtp(ssrc, 1, 60);
		assert_int_equal(opens(pair.b, sealed(pair.a, in, false), false, &in), ssrc <= SRTP_SSRC_MAX);
	}
	in = rtp(1, 2, 60);
	assert_true(opens(pair.b, sealed(pair.a, in, false), false, &in));
	pair_free(&pair);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_go_there_and_back),
		cmocka_unit_test(the_sequence_number_wraps_and_old_ones_still_count),
		cmocka_unit_test(a_repeat_is_the_same_bytes),
		cmocka_unit_test(a_replay_is_refused),
		cmocka_unit_test(no_changed_bit_and_no_part_opens),
		cmocka_unit_test(a_reflection_is_refused),
		cmocka_unit_test(sources_are_bounded),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
