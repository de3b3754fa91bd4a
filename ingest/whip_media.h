/*
 * whip_media.h - a WHIP publisher's RTP and RTCP: packets are put in order, asked for again (NACK),
 * key frames asked for (PLI), receiver reports written, and what is whole becomes FLV tag bodies
 * with times, as any other publisher's. Knows of no HTTP and no socket: packets in, packets and tags out.
 */
#ifndef MILLRACE_WHIP_MEDIA_H
#define MILLRACE_WHIP_MEDIA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flv.h"

struct whip_media;

struct whip_media_ops {
	void (*tag)(void *ctx, enum flv_type type, uint32_t ts, const uint8_t *body, size_t len);
	void (*rtcp)(void *ctx, const uint8_t *p, size_t n);	/* to be sent */
};

struct whip_media_conf {
	int video_pt, rtx_pt, audio_pt;	/* payload types of the SDP; -1: none */
	bool nack, pli;			/* what may be asked for, of video */
	int64_t remb_bps;		/* told every second; 0: not */
	const char *sprop;		/* see whip_video.h; may be NULL */
	const char *cname;		/* ours */
	int64_t window_ms;		/* webrtc.jitter */
	int64_t key_ms;			/* webrtc.key_frame_interval: a newer key frame is asked for; 0: never */
	size_t max_picture;		/* bytes */
};

struct whip_media_stats {
	uint64_t packets, lost, late;	/* of both tracks; lost: for good */
	uint64_t nacks, plis, dropped;	/* asked for; pictures that could not be given */
	uint64_t backwards;		/* B-frames, see whip_video.h */
	int shift_ms;			/* by which the picture is moved to its sound */
};

struct whip_media *whip_media_new(const struct whip_media_conf *conf, const struct whip_media_ops *ops, void *ctx);
void whip_media_free(struct whip_media **m);
/* true: something is due before the time that the last tick named. */
bool whip_media_rtp(struct whip_media *m, const uint8_t *p, size_t n, int64_t now);
void whip_media_rtcp(struct whip_media *m, const uint8_t *p, size_t n, int64_t now);
/* What is due; milliseconds until it is to be called again. */
int whip_media_tick(struct whip_media *m, int64_t now);
void whip_media_flush(struct whip_media *m);	/* nothing more will come */
void whip_media_stats(const struct whip_media *m, struct whip_media_stats *out);
#endif
