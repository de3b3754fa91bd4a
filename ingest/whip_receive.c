/* whip_receive.c - see whip_receive.h. Called by whip_media.c. */
#include "whip_receive.h"

#include <stdlib.h>
#include <string.h>

#define FIRST 0x10000		/* one cycle on, so that what was sent before the first has a number */
#define FAR 0x4000		/* a sequence number so far away is another beginning */

void
whip_receive_begin(struct whip_receive *r, uint32_t ssrc, uint32_t rate)
{
	memset(r, 0, sizeof(*r));
	r->ssrc = ssrc;
	r->rate = rate;
}

static void
count_from(struct whip_receive *r, uint16_t seq)
{
	r->begun = true;
	r->base = r->highest = FIRST + seq;
	r->received = r->expected_before = r->received_before = 0;
}

static void
note_jitter(struct whip_receive *r, uint32_t ts, int64_t now)
{
	int64_t transit = (int64_t)((uint64_t)now * r->rate / 1000) - ts, d;

	if (r->received > 1) {
		d = llabs((int32_t)(transit - r->transit));
		if (d < r->rate)	/* else timestamps have begun anew */
			r->jitter16 += (uint32_t)d - ((r->jitter16 + 8) >> 4);
	}
	r->transit = transit;
}

void
whip_receive_packet(struct whip_receive *r, uint16_t seq, uint32_t ts, int64_t now)
{
	int16_t ahead = (int16_t)(seq - (uint16_t)r->highest);

	if (!r->begun || ahead > FAR || ahead < -FAR)
		count_from(r, seq);
	else if (ahead > 0)
		r->highest += (uint32_t)ahead;
	r->received++;
	note_jitter(r, ts, now);
}

void
whip_receive_sender(struct whip_receive *r, uint64_t ntp, int64_t now)
{
	r->lsr = (uint32_t)(ntp >> 16);
	r->lsr_ms = now;
}

struct rtcp_report
whip_receive_report(struct whip_receive *r, int64_t now)
{
	uint32_t expected = r->highest - r->base + 1, expected_now = expected - r->expected_before;
	uint32_t received_now = r->received - r->received_before;
	int64_t lost_now = (int64_t)expected_now - received_now;
	struct rtcp_report out = {
		.ssrc = r->ssrc, .highest = r->highest - FIRST, .jitter = r->jitter16 >> 4,
		.lost = (int32_t)(expected - r->received), .lsr = r->lsr,
		.dlsr = r->lsr_ms != 0 ? (uint32_t)((now - r->lsr_ms) * 65536 / 1000) : 0,
	};

	if (expected_now > 0 && lost_now > 0)
		out.fraction = (uint8_t)(lost_now * 256 / expected_now > 255 ? 255 : lost_now * 256 / expected_now);
	r->expected_before = expected;
	r->received_before = r->received;
	return out;
}
