/*
 * timeline.h - RTMP timestamps of any kind to one media time: starts where it is told,
 * never steps back within a track, no jumps; audio and video stay in relation, also where both
 * jump, unless they are so far apart that no player could show them so. Pure.
 */
#ifndef MILLRACE_TIMELINE_H
#define MILLRACE_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

#define TIMELINE_FORWARD_MS 1000	/* more than this beyond the clock is a jump */
#define TIMELINE_BACK_MS 100		/* less is jitter and is levelled */
#define TIMELINE_LEAD_MS 500		/* the other track may begin this much before the first tag */

struct timeline_track {
	bool started;
	uint32_t raw;			/* last one, to unroll the 32-bit wrap */
	int64_t unrolled, offset;	/* media time = unrolled + offset */
	int64_t owed;			/* the other track was moved by it, which is not judged here yet; or 0 */
	int64_t last;			/* media time */
	int64_t clock_ms;		/* when its last tag came */
};

struct timeline {
	struct timeline_track track[2];	/* 0 video, 1 audio */
	int64_t clock_ms;		/* when the last tag came */
	uint32_t jumps;
};

void timeline_init(struct timeline *t, int64_t start_ms);
/* Media time in ms of a tag with timestamp ts that came at now_ms. */
int64_t timeline_map(struct timeline *t, bool audio, uint32_t ts, int64_t now_ms);
int64_t timeline_last(const struct timeline *t);	/* the latest of both tracks */
int64_t timeline_ahead(const struct timeline *t);	/* ms of audio beyond the video */
#endif
