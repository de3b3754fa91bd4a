/*
 * clock.h - the time of a room: the publisher's times, made one line across publishers, and where
 * on our wall clock that line lies. Pure: the caller brings the time.
 *
 * Room time is in milliseconds and runs as the media does. It is the same for sound and picture,
 * from whatever process they come, as long as their times are one publisher's; so a sender
 * report of one track fits that of the other exactly. Where on our clock it lies is an estimate:
 * what comes soonest after it was made says best, so the smallest delay of the last seconds
 * counts, and the estimate follows it slowly.
 */
#ifndef MILLRACE_WEBRTC_CLOCK_H
#define MILLRACE_WEBRTC_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_START_MS 3600000	/* room time of the first publisher's newest, so that none before it is negative */

struct clock {
	bool begun;
	int64_t shift_ms;		/* room time = publisher's + shift */
	int64_t newest_ms;		/* highest room time given */
	int64_t base_ms;		/* monotonic time of room time 0 */
	int64_t began_ms;		/* this publisher's first media came */
	int64_t window_ms, window_min;	/* since when the smallest is looked for; it */
};

/*
 * Another publisher, whose source_ms is now, as far as is known: goes on at the room time of now,
 * but behind what was.
 */
void clock_switch(struct clock *c, int64_t source_ms, int64_t now);
int64_t clock_room_ms(const struct clock *c, int64_t source_ms);
/* 32 bits of a publisher's milliseconds to the whole, by what was last seen. */
int64_t clock_unroll(const struct clock *c, uint32_t source_ms);
void clock_seen(struct clock *c, int64_t room_ms, int64_t now);
int64_t clock_at(const struct clock *c, int64_t now);	/* room time of now */
#endif
