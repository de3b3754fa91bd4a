/*
 * frames_clock.h - times of frames in their file: from the client's own clock if it gives one, else from
 * when they came. One for both tracks, so that they stay together. Pure.
 */
#ifndef MILLRACE_FRAMES_CLOCK_H
#define MILLRACE_FRAMES_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct frames_clock {
	bool started, timed;	/* timed: the client's clock was heard of */
	int64_t start_ms;	/* of ours at the first chunk */
	double last_ms;		/* of the client's */
	double offset_ms;	/* from it to the file's */
};

/* The time in the file of what came at `now`; timed: the client says time_ms. Never negative. */
int64_t frames_clock_map(struct frames_clock *c, bool timed, double time_ms, int64_t now);
#endif
