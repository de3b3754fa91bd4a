/*
 * rtcp.c - RTCP taken apart (contract in rtcp.h). Every packet of a compound is cut to its own
 * length first; what is unknown is stepped over. rtcp_write.c builds.
 */
#include "rtcp.h"

#include <errno.h>
#include <stdbool.h>

#include "be.h"

#define HEAD_BYTES 4
#define BLOCK_BYTES 24
#define SR_INFO_BYTES 20
#define FB_NACK 1			/* RFC 4585 6.2.1 */
#define FB_PLI 1			/* 6.3.1 */
#define FB_FIR 4			/* RFC 5104 4.3.1 */

struct part { const uint8_t *p; size_t len; unsigned count; };	/* behind the 4 bytes of head */

static int
bad(void)
{
	errno = EBADMSG;
	return -1;
}

static void
one_report(const uint8_t *p, uint32_t from, const struct rtcp_ops *ops, void *ctx)
{
	uint32_t lost = be_get(p + 5, 3);
	struct rtcp_report r = {
		.ssrc = be_get(p, 4), .fraction = p[4],
		.lost = lost & 0x800000 ? (int32_t)lost - 0x1000000 : (int32_t)lost,
		.highest = be_get(p + 8, 4), .jitter = be_get(p + 12, 4),
		.lsr = be_get(p + 16, 4), .dlsr = be_get(p + 20, 4),
	};

	ops->report(ctx, from, &r);
}

static int
reports(const struct part *part, size_t at, const struct rtcp_ops *ops, void *ctx)
{
	if (part->len < at + part->count * (size_t)BLOCK_BYTES)
		return bad();
	for (unsigned i = 0; i < part->count && ops->report != NULL; i++)
		one_report(part->p + at + i * BLOCK_BYTES, be_get(part->p, 4), ops, ctx);
	return 0;
}

static int
sender_report(const struct part *part, const struct rtcp_ops *ops, void *ctx)
{
	if (part->len < 4 + SR_INFO_BYTES)
		return bad();
	if (ops->sender != NULL)
		ops->sender(ctx, be_get(part->p, 4), be_get64(part->p + 4, 8), be_get(part->p + 12, 4));
	return reports(part, 4 + SR_INFO_BYTES, ops, ctx);
}

static int
receiver_report(const struct part *part, const struct rtcp_ops *ops, void *ctx)
{
	if (part->len < 4)
		return bad();
	return reports(part, 4, ops, ctx);
}

static int
bye(const struct part *part, const struct rtcp_ops *ops, void *ctx)
{
	if (part->len < part->count * (size_t)4)
		return bad();
	for (unsigned i = 0; i < part->count && ops->bye != NULL; i++)
		ops->bye(ctx, be_get(part->p + i * 4, 4));
	return 0;
}

static int
transport_feedback(const struct part *part, const struct rtcp_ops *ops, void *ctx)
{
	uint16_t first, more;

	if (part->len < 8)
		return bad();
	if (part->count != FB_NACK || ops->nack == NULL)
		return 0;
	for (size_t at = 8; at + 4 <= part->len; at += 4) {
		first = (uint16_t)be_get(part->p + at, 2);
		more = (uint16_t)be_get(part->p + at + 2, 2);
		ops->nack(ctx, be_get(part->p + 4, 4), first);
		for (unsigned i = 0; i < 16; i++)
			if (more >> i & 1)
				ops->nack(ctx, be_get(part->p + 4, 4), (uint16_t)(first + i + 1));
	}
	return 0;
}

static int
payload_feedback(const struct part *part, const struct rtcp_ops *ops, void *ctx)
{
	if (part->len < 8)
		return bad();
	if (ops->key_wanted == NULL)
		return 0;
	if (part->count == FB_PLI)
		ops->key_wanted(ctx, be_get(part->p + 4, 4));
	for (size_t at = 8; part->count == FB_FIR && at + 8 <= part->len; at += 8)
		ops->key_wanted(ctx, be_get(part->p + at, 4));
	return 0;
}

static int
one(unsigned type, const struct part *part, const struct rtcp_ops *ops, void *ctx)
{
	switch (type) {
	case RTCP_SR:
		return sender_report(part, ops, ctx);
	case RTCP_RR:
		return receiver_report(part, ops, ctx);
	case RTCP_BYE:
		return bye(part, ops, ctx);
	case RTCP_RTPFB:
		return transport_feedback(part, ops, ctx);
	case RTCP_PSFB:
		return payload_feedback(part, ops, ctx);
	default:
		return 0;
	}
}

int
rtcp_parse(const uint8_t *p, size_t len, const struct rtcp_ops *ops, void *ctx)
{
	struct part part;
	size_t whole;
	unsigned pad;

	for (; len > 0; p += whole, len -= whole) {
		if (len < HEAD_BYTES || p[0] >> 6 != 2)
			return bad();
		whole = HEAD_BYTES + 4 * (size_t)be_get(p + 2, 2);
		if (whole > len)
			return bad();
		pad = p[0] & 0x20 ? p[whole - 1] : 0;
		if (pad > whole - HEAD_BYTES)
			return bad();
		part = (struct part){ p + HEAD_BYTES, whole - HEAD_BYTES - pad, p[0] & 31 };
		if (one(p[1], &part, ops, ctx) < 0)
			return -1;
	}
	return 0;
}

int64_t
rtcp_round_trip_us(const struct rtcp_report *r, uint64_t ntp)
{
	uint32_t now = (uint32_t)(ntp >> 16), ago = now - r->lsr;

	if (r->lsr == 0 || ago < r->dlsr || ago > UINT32_C(1) << 31)
		return -1;
	return (int64_t)(ago - r->dlsr) * 1000000 / 65536;
}
