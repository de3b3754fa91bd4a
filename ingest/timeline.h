/*
 * timeline.h - RTMP timestamps of any kind to one media time: starts where it is told,
 * never steps back within a track, no jumps; audio and video stay in relation. Pure.
 */
#ifndef MILLRACE_TIMELINE_H
#define MILLRACE_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

#define TIMELINE_FORWARD_MS 1000	/* more than this beyond the clock is a jump */
#define TIMELINE_BACK_MS 100		/* less is jitter and is levelled */
#define TIMELINE_LEAD_MS 500		/* the other track may begin this much before the first tag */

struct timeline {
	bool started;
	uint32_t raw;			/* last one, to unroll the 32-bit wrap */
	int64_t unrolled, offset;	/* media time = unrolled + offset */
	int64_t last[2];		/* media time by track: 0 video, 1 audio */
	int64_t clock_ms;		/* when the last tag came */
	uint32_t jumps;
};

void timeline_init(struct timeline *t, int64_t start_ms);
/* Media time in ms of a tag with timestamp ts that came at now_ms. */
int64_t timeline_map(struct timeline *t, bool audio, uint32_t ts, int64_t now_ms);
int64_t timeline_last(const struct timeline *t);	/* the latest of both tracks */
#endif
