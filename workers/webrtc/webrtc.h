/*
 * webrtc.h - what the files of millrace-webrtc share: one process, one loop, one UDP port.
 *
 *   main.c     start, config, messages by type, the tick
 *   feed.c     what the supervisor brokered from an ingest: FLV and Ogg in, frames out; newest.c
 *   track.c    RTP packets of a track, once for all viewers; clock.c media time and wall clock
 *   room.c     a stream's NAME: who waits for it, who watches it; room_media.c its two tracks
 *   viewer.c   one peer: where it is in the ring; viewer_again.c what it lost; viewer_rtcp.c reports
 *   calls.c    verbs of CALL (offer, patch, delete, stats); signal*.c the rooms protocol; describe.c SDPs
 *   show.c     the board; plays.c webhooks
 */
#ifndef MILLRACE_WEBRTC_H
#define MILLRACE_WEBRTC_H

#include <stdint.h>

#include "rtc/peer.h"
#include "svc.h"

#define WEBRTC_PACE_MS 10	/* how often those who are behind are given more */
#define WEBRTC_TICK_MS 200	/* reports that are due, rooms that nobody is in any more */

struct webrtc_limits {		/* of the config, live */
	int64_t max_viewers, max_per_address, max_sdp, linger_ms, ring_bytes;
};

struct webrtc {
	struct svc *svc;
	struct rtc_net *net;
	struct webrtc_limits limits;
	struct rtc_limits rtc_limits;
	unsigned port;			/* of UDP, and of TCP if that is there */
	bool tcp;
	unsigned viewers, rooms;	/* now */
	/* Since the start: */
	uint64_t viewers_total, failed_ice, failed_dtls, refused;
	uint64_t sent_bytes, sent_packets, lost, nacks, retransmitted, plis;
	int64_t failed_ice_ms;		/* the last one; 0 = none */
};
extern struct webrtc webrtc;

/* Microseconds since 1970, for NTP: runs on evenly, whatever is done to the clock. */
int64_t webrtc_wall_us(void);

/* --- show.c --- */
void show_page(void);
#endif
