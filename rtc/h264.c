/*
 * h264.c - access units to RTP payloads (contract in h264.h; RFC 6184 5.6, 5.7.1, 5.8). Called by
 * workers/webrtc for what an ingest sends. h264_unpack.c is the way back.
 *
 * Browsers want the parameter sets before each IDR, and want them in band, where FLV has them in
 * the sequence header only; Chromium wants no access unit delimiters.
 */
#include "h264.h"

#include <errno.h>
#include <string.h>

#include "be.h"

struct unit { const uint8_t *p; size_t len, at; unsigned length_bytes; };

static int
bad(void)
{
	errno = EBADMSG;
	return -1;
}

/* The next NAL unit that is whole and not empty; false: the end. */
static bool
next_nal(struct unit *u, const uint8_t **nal, size_t *len)
{
	while (u->len - u->at > u->length_bytes) {
		*len = be_get(u->p + u->at, u->length_bytes);
		*nal = u->p + u->at + u->length_bytes;
		u->at += u->length_bytes;
		if (*len > u->len - u->at) {
			u->at = u->len;
			return false;
		}
		u->at += *len;
		if (*len > 0)
			return true;
	}
	return false;
}

static bool
is_set(const uint8_t *nal)
{
	return (nal[0] & 31) == H264_SPS || (nal[0] & 31) == H264_PPS;
}

static int
add_set(struct h264_pack *p, const uint8_t *nal, size_t len)
{
	if (len < 2 || len > H264_SET_BYTES || p->nsets == H264_SETS_MAX || !is_set(nal))
		return bad();
	p->sets[p->nsets].len = (uint16_t)len;
	memcpy(p->sets[p->nsets++].nal, nal, len);
	return 0;
}

/* SPSs or PPSs of a record, n of them, each with 16 bits of length. */
static int
record_sets(struct h264_pack *p, const uint8_t *record, size_t len, size_t *at, unsigned n)
{
	size_t size;

	for (; n > 0; n--) {
		if (len - *at < 2)
			return bad();
		size = be_get(record + *at, 2);
		*at += 2;
		if (size > len - *at || add_set(p, record + *at, size) < 0)
			return bad();
		*at += size;
	}
	return 0;
}

int
h264_pack_record(struct h264_pack *p, const uint8_t *record, size_t len)
{
	struct h264_pack new = { 0 };
	size_t at = 6;

	if (len < 7 || record[0] != 1)
		return bad();
	new.length_bytes = (record[4] & 3U) + 1;
	if (new.length_bytes == 3 || record_sets(&new, record, len, &at, record[5] & 31) < 0 || at >= len)
		return bad();
	at++;
	if (record_sets(&new, record, len, &at, record[at - 1]) < 0)
		return -1;
	*p = new;
	return 0;
}

/* An IDR's own parameter sets replace those of the same kind that were known. */
static void
learn(struct h264_pack *p, struct unit u)
{
	struct h264_pack new = { .length_bytes = p->length_bytes };
	bool sps = false, pps = false;
	const uint8_t *nal;
	size_t len;

	while (next_nal(&u, &nal, &len))
		if (is_set(nal) && add_set(&new, nal, len) == 0)
			*((nal[0] & 31) == H264_SPS ? &sps : &pps) = true;
	if (!sps && !pps)
		return;
	for (unsigned i = 0; i < p->nsets; i++)
		if (!((p->sets[i].nal[0] & 31) == H264_SPS ? sps : pps))
			add_set(&new, p->sets[i].nal, p->sets[i].len);
	*p = new;
}

static void
look(struct unit u, bool *idr, bool *slice)
{
	const uint8_t *nal;
	size_t len;

	*idr = *slice = false;
	while (next_nal(&u, &nal, &len)) {
		*idr = *idr || (nal[0] & 31) == H264_IDR;
		*slice = *slice || ((nal[0] & 31) >= H264_SLICE && (nal[0] & 31) <= H264_IDR);
	}
}

struct out { h264_payload_cb cb; void *ctx; int bytes; };

static void
give(struct out *o, const uint8_t *head, size_t head_len, const uint8_t *body, size_t len, bool last)
{
	o->bytes += (int)(head_len + len);
	o->cb(o->ctx, head, head_len, body, len, last);
}

static void
give_fragments(struct out *o, const uint8_t *nal, size_t len, bool last)
{
	uint8_t head[2] = { (uint8_t)((nal[0] & 0xe0) | H264_FU_A), (uint8_t)(0x80 | (nal[0] & 31)) };
	size_t most = H264_PAYLOAD_MAX - sizeof(head), count = (len - 1 + most - 1) / most, run;

	/* All about as long: a short last one costs as much as a long one, and says less when it is lost. */
	for (nal++, len--; count > 0; count--) {
		run = (len + count - 1) / count;
		if (count == 1)
			head[1] |= 0x40;
		give(o, head, sizeof(head), nal, run, last && count == 1);
		head[1] &= 0x1f;
		nal += run;
		len -= run;
	}
}

static void
give_nal(struct out *o, const uint8_t *nal, size_t len, bool last)
{
	if (len <= H264_PAYLOAD_MAX)
		give(o, NULL, 0, nal, len, last);
	else
		give_fragments(o, nal, len, last);
}

/* One STAP-A (5.7.1), whose header has the highest NRI of what is in it; singly if they do not fit. */
static void
give_sets(const struct h264_pack *p, struct out *o)
{
	uint8_t stap[H264_PAYLOAD_MAX];
	size_t n = 1;

	stap[0] = H264_STAP_A;
	for (unsigned i = 0; i < p->nsets; i++) {
		const struct h264_set *s = &p->sets[i];

		if (n + 2 + s->len > sizeof(stap)) {
			for (i = 0; i < p->nsets; i++)
				give(o, NULL, 0, p->sets[i].nal, p->sets[i].len, false);
			return;
		}
		if ((s->nal[0] & 0x60) > (stap[0] & 0x60))
			stap[0] = (uint8_t)((s->nal[0] & 0x60) | H264_STAP_A);
		be_put(stap + n, 2, s->len);
		memcpy(stap + n + 2, s->nal, s->len);
		n += 2 + (size_t)s->len;
	}
	if (p->nsets > 0)
		give(o, NULL, 0, stap, n, false);
}

static bool
is_wanted(const uint8_t *nal, bool idr)
{
	unsigned type = nal[0] & 31;

	/* 24 and up are RTP's own; 0 and up to there are nobody's. */
	return type >= 1 && type < H264_STAP_A && type != H264_AUD && type != H264_FILLER && !(idr && is_set(nal));
}

int
h264_pack_unit(struct h264_pack *p, const uint8_t *unit, size_t len, bool *idr, h264_payload_cb cb, void *ctx)
{
	struct unit u = { unit, len, 0, p->length_bytes };
	struct out o = { cb, ctx, 0 };
	const uint8_t *nal, *held = NULL;
	size_t nal_len, held_len = 0;
	bool slice;

	*idr = false;
	if (p->length_bytes == 0)
		return bad();
	look(u, idr, &slice);
	if (!slice)
		return bad();
	if (*idr) {
		learn(p, u);
		give_sets(p, &o);
	}
	/* One behind, since the last one has the marker. */
	while (next_nal(&u, &nal, &nal_len)) {
		if (!is_wanted(nal, *idr))
			continue;
		if (held != NULL)
			give_nal(&o, held, held_len, false);
		held = nal;
		held_len = nal_len;
	}
	give_nal(&o, held, held_len, true);
	return o.bytes;
}

bool
h264_pack_profile(const struct h264_pack *p, uint8_t profile[3])
{
	for (unsigned i = 0; i < p->nsets; i++)
		if ((p->sets[i].nal[0] & 31) == H264_SPS && p->sets[i].len >= 4) {
			memcpy(profile, p->sets[i].nal + 1, 3);
			return true;
		}
	return false;
}
