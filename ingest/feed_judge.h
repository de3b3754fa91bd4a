/*
 * feed_judge.h - may a stream's tracks go to browsers by WebRTC as they are? Headers and times in,
 * verdict and its reason out. Pure.
 *
 * Video: H.264 of 4:2:0 and 8 bits, shown in decoding order: Chromium is broken by B-frames, and
 * none of its codecs has more. That is what the SPS says; where it does not, the times of the
 * first frames. Sound: Opus of one or two channels (RFC 7587).
 */
#ifndef MILLRACE_FEED_JUDGE_H
#define MILLRACE_FEED_JUDGE_H

#include "ring.h"

enum feed_transcode { FEED_AUTO, FEED_ALWAYS, FEED_NEVER };	/* webrtc.transcode */

enum feed_way {
	FEED_NONE,		/* there is no such track */
	FEED_WAITS,		/* not known yet */
	FEED_COPY,		/* as it came */
	FEED_TRANSCODE,		/* by an ffmpeg */
	FEED_REFUSED,		/* not at all */
};

struct feed_verdict {
	enum feed_way way;
	char why[64];		/* for people: "B-frames", "HEVC"; "" for NONE and WAITS */
};

struct feed_judge {
	enum feed_transcode mode;
	struct feed_verdict video, audio;
	unsigned frames;	/* of video, looked at because the SPS does not say */
	int64_t pts_ms;		/* the newest of them */
};

enum feed_transcode feed_judge_mode(const char *word);
/* Tracks as of g, with nothing known of their frames. */
void feed_judge_gen(struct feed_judge *j, const struct ring_gen *g);
/* A frame of g's video, in order of decoding. true: the verdict has changed. */
bool feed_judge_frame(struct feed_judge *j, const struct tag *t);
#endif
