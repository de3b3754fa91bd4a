/*
 * hls_cut.h - where segments begin, and which tags belong to which: questions about the ring
 * that the HLS sink asks, before ffmpeg cuts and again after it died. Pure.
 *
 * A segment has the video from its cut on, in order of arrival, and the audio by decode
 * time: ffmpeg's interleaver sorts by it. ffmpeg smooths audio times by up to half a
 * millisecond, so audio of just the cut's time could fall on either side: there is none,
 * one of the two is moved by 1 ms.
 */
#ifndef MILLRACE_HLS_CUT_H
#define MILLRACE_HLS_CUT_H

#include "ring.h"

#define HLS_CUT_AUDIO 64	/* newest audio times that are compared with a cut */
#define HLS_CUT_EARLY_MS 1000	/* audio this much before a generation's first key frame goes in */

struct hls_cut {
	int64_t segment_ms;
	struct ring_gen *gen;		/* of the last cut */
	int64_t pts_ms, dts_ms;		/* of the last cut */
	int64_t audio[HLS_CUT_AUDIO];
	unsigned naudio;		/* ever */
	int64_t last_dts[2];
};

void hls_cut_init(struct hls_cut *c, int64_t segment_ms);
void hls_cut_free(struct hls_cut *c);
/* As a tag arrives: sets t->cut, moves its time off a tie. */
void hls_cut_tag(struct hls_cut *c, struct tag *t);
/* The first tag from t on at which a segment can begin, in a generation other than `not`. */
struct tag *hls_cut_start(struct tag *t, const struct ring_gen *not);
/* The cut after start in its generation, NULL if it has not come. */
struct tag *hls_cut_next(const struct tag *start);
/*
 * ffmpeg has finished the segment that begins at start, calls it csv_us long and ended at
 * csv_end_ms: where the next one begins, NULL if nothing cut it or that has not come; *us:
 * how long it really is.
 */
struct tag *hls_cut_end(const struct tag *start, int64_t csv_us, int64_t csv_end_ms, int64_t *us);
/* From start to the next frame of its video that is later, 0 if that has not come. */
int64_t hls_cut_frame_ms(const struct tag *start);
/* A replay from start takes audio from this time on. */
int64_t hls_cut_audio_from(const struct tag *start);
/* The oldest tag of a replay from start; *base_ms: the least time of its tags. */
struct tag *hls_cut_need(const struct ring *r, struct tag *start, int64_t *base_ms);
/*
 * Is its sound made AAC? What FLV knew before FourCCs goes nowhere else. Opus beside H.264, or alone: what plays
 * H.264 in HLS need not play Opus. Beside AV1 or VP9 it stays: who plays those plays it.
 */
bool hls_cut_makes_aac(const struct ring_gen *g);
#endif
