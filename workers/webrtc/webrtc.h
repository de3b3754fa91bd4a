/*
 * webrtc.h - what the files of millrace-webrtc share: one process, one loop, one UDP port.
 *
 *   main.c     start, config, messages by type, the tick
 *   feed.c     what the supervisor brokered from an ingest: FLV and Ogg in, frames out
 *   track.c    RTP packets of a track, once for all viewers; clock.c media time and wall clock
 *   room.c     a stream's NAME: its tracks, who waits for it, who watches it
 *   viewer.c   one peer: where it is in the ring, what it lost (viewer_rtcp.c)
 *   calls.c    verbs of CALL (offer, patch, delete, stats); signal.c the rooms protocol
 *   show.c     the board
 */
#ifndef MILLRACE_WEBRTC_H
#define MILLRACE_WEBRTC_H

#include <stdint.h>

#include "rtc/peer.h"
#include "svc.h"

#define WEBRTC_TICK_MS 10	/* how often those who are behind are given more */

struct webrtc_limits {		/* of the config, live */
	int64_t max_viewers, max_sdp, linger_ms, ring_bytes;
};

struct webrtc {
	struct svc *svc;
	struct rtc_net *net;
	struct webrtc_limits limits;
	unsigned viewers, rooms;	/* now */
	/* Since the start: */
	uint64_t viewers_total, failed_ice, sent_bytes, sent_packets, lost, nacks, retransmitted, plis, refused;
};
extern struct webrtc webrtc;

/* What was queued for viewers in this turn of the loop goes out at its end. */
void webrtc_flush_soon(void);

/* --- show.c --- */
void show_page(void);
#endif
