/* viewer_int.h - a viewer's inside, for viewer*.c and the room's list. */
#ifndef MILLRACE_WEBRTC_VIEWER_INT_H
#define MILLRACE_WEBRTC_VIEWER_INT_H

#include <sys/queue.h>

#include "net.h"
#include "track.h"
#include "viewer.h"

struct viewer_sent { uint32_t packets, octets; int32_t lost; };	/* of one SSRC; octets: payloads (SR) */

struct viewer {
	TAILQ_ENTRY(viewer) link;	/* of its room */
	TAILQ_ENTRY(viewer) later;	/* who is given more by and by (viewer.c) */
	bool is_later;
	struct room *room;
	struct net_addr from;		/* who asked for it, */
	bool counted;			/* if that is known: in the table of addresses */
	struct rtc_peer *peer;
	struct viewer_codecs codecs;
	const struct viewer_ops *ops;
	void *ctx;
	bool connected;
	int64_t made_ms, since_ms;	/* since_ms: connected */
	int64_t report_ms;		/* its next sender reports are due */
	/* video */
	uint64_t at;			/* number of the packet that is next; TRACK_NONE: waits for a key frame */
	uint64_t gop;			/* the last GOP that it was begun to be sent */
	bool behind;			/* it is paced: */
	uint32_t pace_ts;		/* RTP time of the first packet of that, */
	int64_t pace_ms;		/* and when that went out */
	uint64_t audio_at;
	/* what it lost (viewer_again.c) */
	uint64_t again_at, again_end;	/* of a GOP that is sent again */
	int64_t again_ms;		/* when that was begun */
	int64_t budget, budget_ms;	/* bytes that may be sent again, at that time */
	uint16_t rtx_seq;
	struct viewer_sent video, audio;
	struct viewer_stats stats;
	uint64_t number;		/* of those that webhooks were told of; 0: they were not */
	char address[NET_TEXT];
};

/* --- viewer.c --- */
void viewer_send(struct viewer *v, struct track *t, struct packet *p);	/* the first time, or the same once more */
void viewer_give_later(struct viewer *v);	/* the pacer shall come round */
/* --- plays.c: for webhooks --- */
void plays_came(struct viewer *v);	/* counted in webrtc.viewers_total already */
void plays_gone(const struct viewer *v);
/* --- viewer_again.c --- */
void viewer_lost(struct viewer *v, struct track *t, uint16_t seq, int64_t now);	/* a NACK of it */
void viewer_want_key(struct viewer *v, int64_t now);	/* PLI, FIR */
void viewer_again_pump(struct viewer *v, int64_t now);
bool viewer_again_pending(const struct viewer *v);
/* --- viewer_rtcp.c --- */
void viewer_take_rtcp(struct viewer *v, const uint8_t *p, size_t n);
void viewer_send_reports(struct viewer *v, int64_t now);
#endif
