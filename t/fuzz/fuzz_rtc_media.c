/*
 * What WebRTC's media is made of: RTCP from the network; Ogg, whole and in pieces, the same packets;
 * access units to payloads and back, the same NAL units; payloads from the network to a unit that
 * is one. The first byte says which.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "be.h"
#include "rtc/h264.h"
#include "rtc/ogg.h"
#include "rtc/opus.h"
#include "rtc/rtcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t
mix(uint64_t hash, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ b[i]) * 0x100000001b3;
	return hash;
}

/* --- RTCP --- */

static void
on_report(void *ctx, uint32_t from, const struct rtcp_report *r)
{
	if (r->lost > 0x7fffff || r->lost < -0x800000 || rtcp_round_trip_us(r, (uint64_t)from << 32) < -1)
		abort();
	++*(size_t *)ctx;
}

static void
on_sender(void *ctx, uint32_t from, uint64_t ntp, uint32_t rtp)
{
	++*(size_t *)ctx;
}

static void
on_nack(void *ctx, uint32_t media, uint16_t seq)
{
	++*(size_t *)ctx;
}

static void
on_ssrc(void *ctx, uint32_t ssrc)
{
	++*(size_t *)ctx;
}

static void
run_rtcp(const uint8_t *p, size_t n)
{
	static const struct rtcp_ops ops = { on_report, on_sender, on_nack, on_ssrc, on_ssrc };
	size_t said = 0;

	rtcp_parse(p, n, &ops, &said);
	if (said > n / 4 * 17)
		abort();
}

/* --- Ogg --- */

static uint32_t
checksum(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++)
		for (int bit = 7; bit >= 0; bit--)
			sum = sum << 1 ^ ((sum >> 31 ^ (p[i] >> bit & 1)) ? 0x04c11db7 : 0);
	return sum;
}

/* Most pages would fall at their checksum. */
static void
make_right(uint8_t *p, size_t n)
{
	for (size_t at = 0; at + 27 <= n; at++) {
		size_t len = 27U + p[at + 26];

		if (memcmp(p + at, "OggS", 5) != 0 || at + len > n)
			continue;
		for (unsigned i = 0; i < p[at + 26]; i++)
			len += p[at + 27 + i];
		if (at + len > n)
			continue;
		memset(p + at + 22, 0, 4);
		uint32_t sum = checksum(p + at, len);
		for (unsigned i = 0; i < 4; i++)
			p[at + 22 + i] = (uint8_t)(sum >> 8 * i);
		at += len - 1;
	}
}

static void
on_head(void *ctx, int channels, int pre_skip)
{
	uint64_t *hash = ctx;

	*hash = mix(mix(*hash, &channels, sizeof(channels)), &pre_skip, sizeof(pre_skip));
}

static void
on_packet(void *ctx, const uint8_t *p, size_t n, int64_t granule, int samples)
{
	uint64_t *hash = ctx;

	if (n == 0 || n > OGG_PACKET_MAX || samples != opus_samples(p, n))
		abort();
	*hash = mix(mix(mix(*hash, p, n), &granule, sizeof(granule)), &samples, sizeof(samples));
}

static uint64_t
run_ogg(const uint8_t *p, size_t n, size_t step)
{
	static const struct ogg_ops ops = { on_head, on_packet };
	uint64_t hash = 0;
	struct ogg o;

	ogg_init(&o, &ops, &hash);
	for (size_t at = 0; at < n; at += step)
		ogg_feed(&o, p + at, n - at < step ? n - at : step);
	hash = mix(hash, &o.skipped, sizeof(o.skipped));
	ogg_free(&o);
	return hash;
}

/* --- H.264 --- */

static void
check_unit(const struct h264_unpack *u, size_t max)
{
	size_t at = 0, n;

	while (h264_nal_next(u->buf, u->len, &at, &n) != NULL)
		;
	if (at != u->len || u->len > max)
		abort();
}

struct round { struct h264_unpack u; size_t bytes; bool over; };

static void
on_payload(void *ctx, const uint8_t *head, size_t head_len, const uint8_t *body, size_t body_len, bool last)
{
	uint8_t payload[H264_PAYLOAD_MAX];
	struct round *r = ctx;

	if (head_len + body_len > sizeof(payload) || body_len == 0 || r->over)
		abort();
	if (head_len > 0)
		memcpy(payload, head, head_len);
	memcpy(payload + head_len, body, body_len);
	r->bytes += head_len + body_len;
	r->over = last;
	h264_unpack_add(&r->u, payload, head_len + body_len);
}

static void
run_pack(const uint8_t *p, size_t n)
{
	size_t config = n > 0 ? p[0] : 0;
	struct h264_pack pack = { 0 };
	struct round r = { .bytes = 0 };
	bool idr;
	int rc;

	if (n < 1 + config || h264_pack_record(&pack, p + 1, config) < 0)
		return;
	h264_unpack_init(&r.u, 1 << 16);
	rc = h264_pack_unit(&pack, p + 1 + config, n - 1 - config, &idr, on_payload, &r);
	if (rc >= 0 ? (size_t)rc != r.bytes || !r.over || r.u.lost || r.u.idr != idr : r.bytes > 0)
		abort();
	h264_unpack_end(&r.u);
	check_unit(&r.u, 1 << 16);
	h264_unpack_free(&r.u);
}

/* Payloads with a byte of length each. */
static void
run_unpack(const uint8_t *p, size_t n)
{
	struct h264_unpack u;

	h264_unpack_init(&u, 512);
	for (size_t at = 0; at < n;) {
		size_t len = p[at++];
		uint8_t *exact;

		if (len > n - at)
			break;
		exact = malloc(len + 1);
		memcpy(exact, p + at, len);
		if (h264_unpack_add(&u, exact, len) < 0 && !u.lost)
			abort();
		free(exact);
		at += len;
	}
	h264_unpack_end(&u);
	check_unit(&u, 512);
	h264_unpack_free(&u);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *exact;

	if (size < 2 || size > 1 << 15)
		return 0;
	exact = malloc(size - 1);
	memcpy(exact, data + 1, size - 1);
	if (data[0] % 4 == 0)
		run_rtcp(exact, size - 1);
	else if (data[0] % 4 == 2)
		run_pack(exact, size - 1);
	else if (data[0] % 4 == 3)
		run_unpack(exact, size - 1);
	else {
		make_right(exact, size - 1);
		if (run_ogg(exact, size - 1, size) != run_ogg(exact, size - 1, 1 + data[0] / 4 % 32))
			abort();
	}
	free(exact);
	return 0;
}
