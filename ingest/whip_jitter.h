/*
 * whip_jitter.h - one track's RTP packets, put in order: what comes too early waits, what is missing
 * is named for a NACK and waited for, at most window_ms and JITTER_SLOTS packets. Pure: packets and
 * times in, packets out; sequence numbers wrap (RFC 3550 A.1).
 */
#ifndef MILLRACE_WHIP_JITTER_H
#define MILLRACE_WHIP_JITTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JITTER_SLOTS 2048	/* packets between the oldest missing one and the newest; a power of 2 */

struct jitter_packet {
	uint16_t seq;
	bool marker;
	uint32_t ts;
	int64_t came_ms;
	size_t len;
	uint8_t payload[];
};

struct jitter_ops {
	void (*packet)(void *ctx, const struct jitter_packet *p);	/* p is freed after the call */
	void (*lost)(void *ctx, unsigned n);	/* so many before the next packet will never come */
};

struct jitter_slot {
	struct jitter_packet *packet;	/* NULL: missing, if it is between next and newest */
	int64_t missed_ms, asked_ms;	/* since when it is missing; last NACK, 0: none */
};

struct jitter {
	const struct jitter_ops *ops;
	void *ctx;
	int64_t window_ms;
	bool begun;
	uint16_t next, end;		/* next to deliver; one behind the newest that came */
	bool odd;			/* a packet came from far away: odd_next would follow it */
	uint16_t odd_next;
	uint64_t lost, late;		/* given up; came after that, or twice */
	struct jitter_slot slots[JITTER_SLOTS];
};

struct jitter *jitter_new(int64_t window_ms, const struct jitter_ops *ops, void *ctx);
void jitter_free(struct jitter **j);
/* Copied. Delivers all that is in order now. */
void jitter_put(struct jitter *j, uint16_t seq, uint32_t ts, bool marker, const uint8_t *payload, size_t len,
    int64_t now);
void jitter_tick(struct jitter *j, int64_t now);	/* gives up what was waited for long enough */
void jitter_flush(struct jitter *j);			/* delivers all there is */
void jitter_reset(struct jitter *j);			/* another source: forgets all */
bool jitter_waits(const struct jitter *j);		/* something is missing: tick soon */
/* Missing ones to ask for now, ascending: at most max; each is named again after a moment. */
unsigned jitter_missing(struct jitter *j, uint16_t *seq, unsigned max, int64_t now);
#endif
