/*
 * whip_receive.h - what a receiver reports of one RTP source (RFC 3550 6.4.1, A.1, A.3, A.8): extended
 * sequence numbers, loss, jitter, and when its last sender report came. Pure.
 */
#ifndef MILLRACE_WHIP_RECEIVE_H
#define MILLRACE_WHIP_RECEIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "rtc/rtcp.h"

struct whip_receive {
	uint32_t ssrc, rate;
	bool begun;
	uint32_t base, highest;		/* extended sequence numbers */
	uint32_t received, expected_before, received_before;
	int64_t transit;		/* of the last packet, in ticks of rate */
	uint32_t jitter16;		/* 16 times the jitter */
	uint32_t lsr;
	int64_t lsr_ms;			/* when that came; 0: none */
};

void whip_receive_begin(struct whip_receive *r, uint32_t ssrc, uint32_t rate);
void whip_receive_packet(struct whip_receive *r, uint16_t seq, uint32_t ts, int64_t now);
void whip_receive_sender(struct whip_receive *r, uint64_t ntp, int64_t now);
/* The block for the next report: counts anew from here. */
struct rtcp_report whip_receive_report(struct whip_receive *r, int64_t now);
#endif
