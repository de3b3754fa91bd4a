/*
 * whip_video.h - RTP payloads of H.264, in order, to FLV tags as RTMP would bring them: a sequence
 * header whenever SPS or PPS are others, then one tag for each picture (NAL units with four bytes of
 * length). After a loss nothing is given until the next key frame: what is built on a picture that is
 * missing would be seen broken. Pure.
 */
#ifndef MILLRACE_WHIP_VIDEO_H
#define MILLRACE_WHIP_VIDEO_H

#include "rtc/h264.h"
#include "whip_jitter.h"

struct whip_video_ops {
	/* A tag's body. ts: the RTP timestamp of its picture; came_ms: when the first of it came. */
	void (*tag)(void *ctx, uint32_t ts, int64_t came_ms, const uint8_t *body, size_t len);
};

struct whip_video {
	const struct whip_video_ops *ops;
	void *ctx;
	struct h264_unpack unit;
	bool in_unit, gap;		/* packets of a picture are there; something was lost before the next */
	uint32_t ts;			/* of that picture */
	int64_t came_ms;
	bool begun;			/* a key frame has been given */
	bool want_key;			/* nothing can be given before one */
	int64_t key_ms;			/* came_ms of the last */
	struct h264_set sps, pps;	/* the last ones */
	uint8_t record[2 * H264_SET_BYTES + 32];	/* that was given, 0: none yet */
	size_t record_len;
	uint8_t *body;
	size_t body_cap;
	uint64_t dropped;		/* pictures that were not given */
	uint64_t backwards;		/* pictures that are shown before the one that came before them (B-frames) */
};

/* max_bytes: of one picture. */
void whip_video_init(struct whip_video *v, size_t max_bytes, const struct whip_video_ops *ops, void *ctx);
void whip_video_free(struct whip_video *v);
/* sprop-parameter-sets of the SDP (RFC 6184 8.1): for senders that put them nowhere else. May be NULL. */
void whip_video_sprop(struct whip_video *v, const char *text);
void whip_video_packet(struct whip_video *v, const struct jitter_packet *p);
void whip_video_lost(struct whip_video *v);
#endif
