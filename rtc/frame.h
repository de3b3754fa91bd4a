/* frame.h - packets on a TCP connection, each behind its length in two bytes (RFC 4571). */
#ifndef MILLRACE_RTC_FRAME_H
#define MILLRACE_RTC_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_HEAD 2
#define FRAME_MAX 2048		/* longest packet taken */

struct frame {
	_Alignas(8) uint8_t p[FRAME_MAX];
	size_t have, want;	/* of the packet; want 0: its length is not there yet */
	uint8_t head[FRAME_HEAD];
	size_t head_have;
};

/*
 * Bytes as they come; one call of packet() for each whole one (p: writable, aligned to 8, its own; empty ones
 * are left out). packet() false: stop, f may be gone. 0, -1: a packet is longer than FRAME_MAX, or stopped.
 */
int frame_feed(struct frame *f, const uint8_t *in, size_t n, bool (*packet)(void *ctx, uint8_t *p, size_t n),
    void *ctx);
#endif
