/* flv_walk.h - an FLV file of ours from tag to tag: how long it is, and where one can begin in it. */
#ifndef MILLRACE_FLV_WALK_H
#define MILLRACE_FLV_WALK_H

#include <stdbool.h>
#include <stdint.h>

struct flv_walk {
	bool video, audio;		/* a frame of it was there */
	int64_t duration_ms;		/* of the last tag */
	int64_t key_gap_ms;		/* the longest stretch of video without a key frame */
	int64_t begin_ms;		/* the last key frame that is not behind want_ms; without video: want_ms */
};

/* Reads heads only. 0, or -1 + errno: EBADMSG: it is no FLV, or torn. May take its time. */
int flv_walk(int fd, int64_t want_ms, struct flv_walk *out);
#endif
