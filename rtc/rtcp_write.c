/* rtcp_write.c - RTCP packets built (contract in rtcp.h). Called by workers/webrtc and by WHIP's receiver. */
#include <string.h>

#include "be.h"
#include "rtcp.h"

#define NTP_1970 UINT64_C(2208988800)
#define CNAME 1				/* RFC 3550 6.5.1 */
#define BLOCKS_MAX 31

static size_t
head(uint8_t *out, unsigned count, unsigned type, size_t bytes)
{
	out[0] = (uint8_t)(0x80 | count);
	out[1] = (uint8_t)type;
	be_put(out + 2, 2, bytes / 4 - 1);
	return bytes;
}

/* One chunk, one item; ended and filled up by zeros, at least one. */
static size_t
write_sdes(uint8_t *out, size_t size, uint32_t ssrc, const char *cname)
{
	size_t n = strlen(cname), bytes = (4 + 4 + 2 + n + 1 + 3) & ~(size_t)3;

	if (n > 255 || bytes > size)
		return 0;
	memset(out, 0, bytes);
	be_put(out + 4, 4, ssrc);
	out[8] = CNAME;
	out[9] = (uint8_t)n;
	memcpy(out + 10, cname, n);
	return head(out, 1, RTCP_SDES, bytes);
}

static size_t
with_sdes(uint8_t *out, size_t size, size_t n, uint32_t ssrc, const char *cname)
{
	size_t sdes = write_sdes(out + n, size - n, ssrc, cname);

	return sdes > 0 ? n + sdes : 0;
}

size_t
rtcp_write_sr(uint8_t *out, size_t size, const struct rtcp_sr *sr, const char *cname)
{
	if (size < 28)
		return 0;
	be_put(out + 4, 4, sr->ssrc);
	be_put(out + 8, 8, sr->ntp);
	be_put(out + 16, 4, sr->rtp);
	be_put(out + 20, 4, sr->packets);
	be_put(out + 24, 4, sr->octets);
	return with_sdes(out, size, head(out, 0, RTCP_SR, 28), sr->ssrc, cname);
}

static void
write_block(uint8_t *p, const struct rtcp_report *r)
{
	int32_t lost = r->lost > 0x7fffff ? 0x7fffff : r->lost < -0x800000 ? -0x800000 : r->lost;

	be_put(p, 4, r->ssrc);
	p[4] = r->fraction;
	be_put(p + 5, 3, (uint32_t)lost & 0xffffff);
	be_put(p + 8, 4, r->highest);
	be_put(p + 12, 4, r->jitter);
	be_put(p + 16, 4, r->lsr);
	be_put(p + 20, 4, r->dlsr);
}

size_t
rtcp_write_rr(uint8_t *out, size_t size, uint32_t ssrc, const struct rtcp_report *r, unsigned n,
    const char *cname)
{
	size_t bytes = 8 + 24 * (size_t)n;

	if (n > BLOCKS_MAX || size < bytes)
		return 0;
	be_put(out + 4, 4, ssrc);
	for (unsigned i = 0; i < n; i++)
		write_block(out + 8 + 24 * i, &r[i]);
	return with_sdes(out, size, head(out, n, RTCP_RR, bytes), ssrc, cname);
}

size_t
rtcp_write_nack(uint8_t *out, size_t size, uint32_t from, uint32_t media, const uint16_t *seq, unsigned n,
    unsigned *taken)
{
	size_t bytes = 12;
	unsigned i = 0, mask;
	uint16_t first;

	*taken = 0;
	if (n == 0 || size < 16)
		return 0;
	while (i < n && bytes + 4 <= size) {
		first = seq[i++];
		for (mask = 0; i < n && (uint16_t)(seq[i] - first - 1) < 16; i++)
			mask |= 1U << (uint16_t)(seq[i] - first - 1);
		be_put(out + bytes, 2, first);
		be_put(out + bytes + 2, 2, mask);
		bytes += 4;
	}
	*taken = i;
	be_put(out + 4, 4, from);
	be_put(out + 8, 4, media);
	return head(out, 1, RTCP_RTPFB, bytes);
}

size_t
rtcp_write_pli(uint8_t *out, size_t size, uint32_t from, uint32_t media)
{
	if (size < 12)
		return 0;
	be_put(out + 4, 4, from);
	be_put(out + 8, 4, media);
	return head(out, 1, RTCP_PSFB, 12);
}

size_t
rtcp_write_remb(uint8_t *out, size_t size, uint32_t from, uint64_t bps, const uint32_t *ssrc, unsigned n)
{
	size_t bytes = 20 + 4 * (size_t)n;
	unsigned exponent = 0;

	if (n > 255 || size < bytes)
		return 0;
	for (; bps > 0x3ffff; bps >>= 1)
		exponent++;
	be_put(out + 4, 4, from);
	be_put(out + 8, 4, 0);
	memcpy(out + 12, "REMB", 4);
	be_put(out + 16, 4, (uint64_t)n << 24 | (uint64_t)exponent << 18 | bps);
	for (unsigned i = 0; i < n; i++)
		be_put(out + 20 + 4 * i, 4, ssrc[i]);
	return head(out, 15, RTCP_PSFB, bytes);
}

uint64_t
rtcp_ntp(int64_t wall_us)
{
	uint64_t us = (uint64_t)wall_us;

	return (us / 1000000 + NTP_1970) << 32 | ((us % 1000000) << 32) / 1000000;
}
