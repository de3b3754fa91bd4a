/*
 * track.h - the RTP packets of one track of a room, kept in one ring for all viewers: new ones,
 * those who join, and those who lost some are all served from it. The same SSRC, sequence
 * numbers and times for everybody; what differs is the payload type, which is set when a packet
 * is sent.
 *
 * Packets have numbers that never wrap; a sequence number is the lowest 16 bits of one. Kept is
 * what is younger than keep_ms, and from the newest key frame on; the GOP before it while somebody
 * who began with it can still be behind; never more than limit bytes.
 */
#ifndef MILLRACE_WEBRTC_TRACK_H
#define MILLRACE_WEBRTC_TRACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rtc/peer.h"

#define TRACK_RTP_HEAD 12
#define TRACK_RTP_MAX RTC_PACKET_MAX	/* a frame of Opus has up to 1275 bytes; video keeps to RTC_MTU */
#define TRACK_NONE UINT64_MAX

struct packet {
	int64_t came_ms;
	uint32_t ts;
	uint16_t len;			/* of rtp */
	bool key;			/* first packet of a GOP */
	uint8_t rtp[];			/* head and payload; payload type 0 */
};

struct track {
	uint32_t ssrc, base;		/* base: RTP time of room time 0 */
	unsigned hz;
	struct packet **ring;		/* slots, made when the first packet comes; by number */
	unsigned slots;			/* a power of two */
	uint64_t first, next;		/* oldest kept, the next to come */
	uint64_t gop, gop_before;	/* first packets of the newest GOP and the one before it, or TRACK_NONE */
	int64_t gop_ms, gop_before_ms;	/* when these came */
	size_t bytes, limit, gop_bytes;	/* gop_bytes: of the newest GOP so far or the one before, the larger */
	size_t gop_now;
	int64_t keep_ms;
	uint64_t sent_bytes;		/* of all packets ever; for a rate */
	int64_t rate_ms, byte_rate;	/* bytes a second, of the last second or so */
	uint64_t rate_bytes;
};

void track_init(struct track *t, unsigned hz, unsigned slots, size_t limit, int64_t keep_ms);
void track_free(struct track *t);
uint32_t track_time(const struct track *t, int64_t room_ms);	/* RTP's of room time */
/* A packet of head and body, together at most TRACK_RTP_MAX - TRACK_RTP_HEAD bytes. key: it begins a GOP. */
void track_add(struct track *t, uint32_t ts, bool marker, bool key, const uint8_t *head, size_t head_len,
    const uint8_t *body, size_t body_len, int64_t now);
/* By number; NULL: not kept any more, or not there yet. */
struct packet *track_get(const struct track *t, uint64_t number);
/* The number of the newest packet of that sequence number; TRACK_NONE: not kept. */
uint64_t track_find(const struct track *t, uint16_t seq);
#endif
