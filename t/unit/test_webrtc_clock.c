/* Room time across publishers, and the ring of packets: what is kept, found, and where a GOP begins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "be.h"
#include "workers/webrtc/clock.h"
#include "workers/webrtc/track.h"

/* --- clock --- */

#define S CLOCK_START_MS

static void
a_gop_at_once_is_old(void **state)
{
	struct clock c = { 0 };

	clock_switch(&c, 5000, 100000);
	assert_int_equal(clock_room_ms(&c, 5000), S);
	for (int64_t ms = 0; ms <= 2000; ms += 40)
		clock_seen(&c, S + ms, 100000 + ms / 100);
	/* the newest was made just now */
	assert_int_equal(clock_at(&c, 100020), S + 2000);
}

static void
what_comes_late_is_not_believed(void **state)
{
	struct clock c = { 0 };
	int64_t now = 0;

	clock_switch(&c, 0, 1000);
	for (int64_t ms = 0; ms < 20000; ms += 20) {
		now = 1000 + ms + (ms % 100 == 0 ? 0 : 60);
		clock_seen(&c, S + ms, now);
	}
	assert_in_range(clock_at(&c, now) - S - (now - 1000), 0, 1);
	/* a publisher whose clock is slow by 0.05 %: followed */
	for (int64_t ms = 20000; ms < 320000; ms += 20) {
		now = 1000 + ms + (ms - 20000) / 2000;
		clock_seen(&c, S + ms, now);
	}
	assert_in_range(clock_at(&c, now) - S, 319980 - 2, 319980 + 2);
	/* one that stood still for 9 s: at once, as soon as a window is over */
	for (int64_t ms = 320000; ms < 324000; ms += 20)
		clock_seen(&c, S + ms, now = 1000 + ms + 9150);
	assert_in_range(clock_at(&c, now) - S, 323980 - 2, 323980 + 2);
}

static void
the_next_publisher_goes_on(void **state)
{
	struct clock c = { 0 };

	clock_switch(&c, 0, 1000);
	for (int64_t ms = 0; ms <= 10000; ms += 20)
		clock_seen(&c, S + ms, 1000 + ms);
	/* 5 s later, its times begin at 77 */
	clock_switch(&c, 77, 16000);
	assert_int_equal(clock_room_ms(&c, 77), S + 15000);
	assert_int_equal(clock_room_ms(&c, 177), S + 15100);
	/* at once, while the one before was ahead: never back */
	clock_seen(&c, S + 15500, 16400);
	clock_switch(&c, 0, 16401);
	assert_int_equal(clock_room_ms(&c, 0), S + 15540);
}

static void
times_are_unrolled(void **state)
{
	struct clock c = { 0 };

	assert_int_equal(clock_unroll(&c, 0xfffffff0), 0xfffffff0);
	clock_switch(&c, 0xfffffff0, 1000);
	assert_int_equal(clock_unroll(&c, 16), INT64_C(0x100000010));
	clock_seen(&c, clock_room_ms(&c, INT64_C(0x100000010)), 1032);
	assert_int_equal(clock_unroll(&c, 0xfffffff8), 0xfffffff8);
}

/* --- track --- */

static void
add(struct track *t, unsigned n, bool key, int64_t now)
{
	static const uint8_t body[1000];

	for (unsigned i = 0; i < n; i++)
		track_add(t, track_time(t, now), i == n - 1, key && i == 0, body, 2, body, 900, now);
}

static void
packets_are_found(void **state)
{
	struct track t;
	struct packet *p;
	uint64_t first;

	track_init(&t, 90000, 64, 1 << 20, 1000);
	first = t.next;
	assert_true(first < 1 << 15);
	assert_null(track_get(&t, first));
	assert_int_equal(track_find(&t, (uint16_t)first), TRACK_NONE);
	t.first = t.next = first = 65530;	/* over the wrap */
	add(&t, 20, true, 5);
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(track_find(&t, (uint16_t)(first + i)), first + i);
		p = track_get(&t, first + i);
		assert_int_equal(p->len, 12 + 902);
		assert_int_equal(be_get(p->rtp + 2, 2), (first + i) & 0xffff);
		assert_int_equal(be_get(p->rtp + 4, 4), t.base + 450);
		assert_int_equal(be_get(p->rtp + 8, 4), t.ssrc);
		assert_int_equal(p->rtp[0], 0x80);
		assert_int_equal(p->rtp[1], i == 19 ? 0x80 : 0);
	}
	assert_int_equal(track_find(&t, (uint16_t)(first + 20)), TRACK_NONE);
	assert_int_equal(track_find(&t, (uint16_t)(first - 1)), TRACK_NONE);
	assert_int_equal(t.gop, first);
	/* more than slots: the oldest go, and so does the key frame */
	add(&t, 50, false, 6);
	assert_int_equal(t.next - t.first, 64);
	assert_null(track_get(&t, first));
	assert_int_equal(t.gop, TRACK_NONE);
	track_free(&t);
}

static void
the_newest_gop_is_kept(void **state)
{
	struct track t;
	uint64_t first, second;

	track_init(&t, 90000, 4096, 1 << 20, 1000);
	first = t.next;
	add(&t, 3, true, 0);
	for (int64_t ms = 40; ms < 8000; ms += 40)
		add(&t, 1, false, ms);
	assert_int_equal(t.gop, first);		/* however old */
	assert_non_null(track_get(&t, first));
	second = t.next;
	add(&t, 3, true, 8000);
	for (int64_t ms = 8040; ms <= 12000; ms += 40)
		add(&t, 1, false, ms);
	assert_int_equal(t.gop, second);
	assert_non_null(track_get(&t, first));	/* somebody may still be there */
	for (int64_t ms = 12040; ms < 13000; ms += 40)
		add(&t, 1, false, ms);
	assert_null(track_get(&t, second - 1));
	assert_non_null(track_get(&t, second));
	/* never more than limit bytes */
	for (unsigned i = 0; i < 2000; i++)
		add(&t, 1, false, 13000);
	assert_true(t.bytes <= 1 << 20);
	assert_int_equal(t.gop, TRACK_NONE);
	track_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_gop_at_once_is_old), cmocka_unit_test(what_comes_late_is_not_believed),
		cmocka_unit_test(the_next_publisher_goes_on), cmocka_unit_test(times_are_unrolled),
		cmocka_unit_test(packets_are_found), cmocka_unit_test(the_newest_gop_is_kept),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
