/*
 * h264_unpack.c - RTP payloads to access units (contract in h264.h; RFC 6184 5.6 to 5.8), and the
 * record that FLV wants in front of them. Called by the receiver of WHIP, after it has put packets
 * in order. Single NAL units, STAP-A and FU-A: what packetization-mode 1 allows.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "be.h"
#include "h264.h"
#include "util.h"

#define LENGTH 4
#define KEEP_BYTES (256 * 1024)		/* memory that is kept between two units */

static int
fail(int error)
{
	errno = error;
	return -1;
}

void
h264_unpack_init(struct h264_unpack *u, size_t max)
{
	memset(u, 0, sizeof(*u));
	u->max = max;
}

void
h264_unpack_free(struct h264_unpack *u)
{
	free(u->buf);
	u->buf = NULL;
	u->len = u->cap = u->fragment = 0;
}

/* A NAL unit of which not all came: what is there of it goes. */
static void
drop_fragment(struct h264_unpack *u)
{
	if (u->fragment == 0)
		return;
	u->len = u->fragment - LENGTH;
	u->fragment = 0;
	u->lost = true;
}

static int
append(struct h264_unpack *u, const uint8_t *p, size_t n)
{
	if (n > u->max - u->len) {
		drop_fragment(u);
		u->lost = true;
		return fail(EMSGSIZE);
	}
	if (u->len + n > u->cap) {
		u->cap = u->len + n > 2 * u->cap ? u->len + n : 2 * u->cap;
		u->buf = xrealloc(u->buf, u->cap);
	}
	memcpy(u->buf + u->len, p, n);
	u->len += n;
	return 0;
}

static void
note(struct h264_unpack *u, uint8_t head)
{
	u->idr = u->idr || (head & 31) == H264_IDR;
	u->sps = u->sps || (head & 31) == H264_SPS;
	u->pps = u->pps || (head & 31) == H264_PPS;
}

static int
add_nal(struct h264_unpack *u, const uint8_t *nal, size_t len)
{
	uint8_t length[LENGTH];

	if (len == 0 || u->max - u->len < LENGTH || len > u->max - u->len - LENGTH) {
		u->lost = true;
		return fail(len == 0 ? EBADMSG : EMSGSIZE);
	}
	be_put(length, LENGTH, len);
	append(u, length, LENGTH);
	append(u, nal, len);
	note(u, nal[0]);
	return 0;
}

static bool
is_plain(uint8_t head)
{
	return (head & 31) > 0 && (head & 31) < H264_STAP_A;
}

static int
add_stap(struct h264_unpack *u, const uint8_t *p, size_t len)
{
	size_t at = 1, n = 0;

	for (; at < len; at += n) {
		n = len - at >= 3 ? be_get(p + at, 2) : 0;
		at += 2;
		if (n == 0 || n > len - at || !is_plain(p[at]))
			break;
		if (add_nal(u, p + at, n) < 0)
			return -1;
	}
	if (at == len && n > 0)
		return 0;
	u->lost = true;
	return fail(EBADMSG);
}

/* The length's place is kept until the last one has come; where it lies plus LENGTH is u->fragment. */
static int
add_fragment(struct h264_unpack *u, const uint8_t *p, size_t len)
{
	uint8_t start[LENGTH + 1] = { 0 };

	if (len < 3 || !is_plain(p[1]) || (p[1] & 0xc0) == 0xc0) {
		drop_fragment(u);
		u->lost = true;
		return fail(EBADMSG);
	}
	if (p[1] & 0x80) {
		drop_fragment(u);
		start[LENGTH] = (uint8_t)((p[0] & 0xe0) | (p[1] & 31));
		if (append(u, start, sizeof(start)) < 0)
			return -1;
		u->fragment = u->len - 1;
	} else if (u->fragment == 0) {
		u->lost = true;		/* its beginning is missing */
		return 0;
	}
	if (append(u, p + 2, len - 2) < 0)
		return -1;
	if (p[1] & 0x40) {
		be_put(u->buf + u->fragment - LENGTH, LENGTH, u->len - u->fragment);
		note(u, u->buf[u->fragment]);
		u->fragment = 0;
	}
	return 0;
}

int
h264_unpack_add(struct h264_unpack *u, const uint8_t *payload, size_t len)
{
	unsigned type = len > 0 ? payload[0] & 31 : 0;	/* 0 is none */

	if (type == H264_FU_A)
		return add_fragment(u, payload, len);
	drop_fragment(u);
	if (type == H264_STAP_A)
		return add_stap(u, payload, len);
	if (len > 0 && is_plain(payload[0]))
		return add_nal(u, payload, len);
	u->lost = true;
	return fail(EBADMSG);
}

void
h264_unpack_lost(struct h264_unpack *u)
{
	drop_fragment(u);
	u->lost = true;
}

void
h264_unpack_end(struct h264_unpack *u)
{
	drop_fragment(u);
}

void
h264_unpack_next(struct h264_unpack *u)
{
	u->len = u->fragment = 0;
	u->lost = u->idr = u->sps = u->pps = false;
	if (u->cap > KEEP_BYTES)
		h264_unpack_free(u);
}

const uint8_t *
h264_nal_next(const uint8_t *buf, size_t len, size_t *at, size_t *nal_len)
{
	const uint8_t *nal;

	if (len - *at <= LENGTH)
		return NULL;
	*nal_len = be_get(buf + *at, LENGTH);
	nal = buf + *at + LENGTH;
	if (*nal_len == 0 || *nal_len > len - *at - LENGTH)
		return NULL;
	*at += LENGTH + *nal_len;
	return nal;
}

size_t
h264_record_write(uint8_t *out, size_t size, const uint8_t *sps, size_t sps_len, const uint8_t *pps,
    size_t pps_len)
{
	size_t n = 6 + 2 + sps_len + 1 + 2 + pps_len;

	if (sps_len < 4 || sps_len > H264_SET_BYTES || pps_len < 2 || pps_len > H264_SET_BYTES || n > size)
		return 0;
	memcpy(out, (uint8_t[]){ 1, sps[1], sps[2], sps[3], 0xfc | (LENGTH - 1), 0xe0 | 1 }, 6);
	be_put(out + 6, 2, sps_len);
	memcpy(out + 8, sps, sps_len);
	out[8 + sps_len] = 1;
	be_put(out + 9 + sps_len, 2, pps_len);
	memcpy(out + 11 + sps_len, pps, pps_len);
	return n;
}
