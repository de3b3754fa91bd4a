/*
 * flv_picture.c - the picture's size of the newer codecs: HEVC's SPS in a hvcC (ISO 14496-15
 * 8.3.3.1, H.265 7.3.2.2), AV1's sequence header in an av1C (AV1 5.5, AV1-ISOBMFF 2.3), a VP9
 * key frame (VP9 6.2). Contract in flv.h. Pure; every read is bounded by bits.h.
 */
#include "flv.h"

#include <errno.h>

#include "bits.h"

#define HVCC_HEAD 22
#define HEVC_SPS 33
#define AV1C_HEAD 4
#define OBU_SEQUENCE_HEADER 1
#define VP9_SYNC 0x498342
#define VP9_SRGB 7
#define SIZE_MAX_PICTURE 16384

static int
found(const struct bits *b, uint32_t w, uint32_t h, int *width, int *height)
{
	if (b->over || w == 0 || h == 0 || w > SIZE_MAX_PICTURE || h > SIZE_MAX_PICTURE) {
		errno = EBADMSG;
		return -1;
	}
	*width = (int)w;
	*height = (int)h;
	return 0;
}

/* --- HEVC --- */

static void
skip_profile_tier_level(struct bits *b, uint32_t sub_layers)
{
	uint32_t present[8] = { 0 };

	bits_skip(b, 96);
	for (uint32_t i = 0; i < sub_layers; i++)
		present[i] = bits_get(b, 2);
	if (sub_layers > 0)
		bits_skip(b, 2 * (8 - sub_layers));
	for (uint32_t i = 0; i < sub_layers; i++)
		bits_skip(b, (present[i] & 2 ? 88 : 0) + (present[i] & 1 ? 8 : 0));
}

static int
hevc_sps(const uint8_t *nal, size_t len, int *width, int *height)
{
	uint8_t raw[256];
	struct bits b = { .p = raw, .len = bits_unescape(nal, len, raw, sizeof(raw)) };
	uint32_t chroma, w, h, unit_x, unit_y;

	bits_skip(&b, 16 + 4);
	skip_profile_tier_level(&b, (bits_get(&b, 4) >> 1) & 7);
	bits_ue(&b);
	chroma = bits_ue(&b);
	if (chroma == 3)
		bits_skip(&b, 1);
	w = bits_ue(&b);
	h = bits_ue(&b);
	if (bits_get(&b, 1)) {
		unit_x = chroma == 1 || chroma == 2 ? 2 : 1;
		unit_y = chroma == 1 ? 2 : 1;
		w -= unit_x * (bits_ue(&b) + bits_ue(&b));
		h -= unit_y * (bits_ue(&b) + bits_ue(&b));
	}
	return found(&b, w, h, width, height);
}

int
flv_hevc_size(const uint8_t *record, size_t len, int *width, int *height)
{
	struct bits b = { .p = record, .len = len, .at = HVCC_HEAD * 8 };

	for (uint32_t arrays = bits_get(&b, 8); arrays > 0 && !b.over; arrays--) {
		uint32_t type = bits_get(&b, 8) & 63;

		for (uint32_t nals = bits_get(&b, 16); nals > 0 && !b.over; nals--) {
			uint32_t n = bits_get(&b, 16);

			if (type == HEVC_SPS && b.at / 8 + n <= len)
				return hevc_sps(record + b.at / 8, n, width, height);
			bits_skip(&b, n * 8);
		}
	}
	errno = EBADMSG;
	return -1;
}

/* --- AV1 --- */

/* Between the profile and the operating points; what those need: bits of a delay (0: none), a display delay. */
static void
av1_timing(struct bits *b, unsigned *delay_bits, bool *display_delay)
{
	if (bits_get(b, 1)) {
		bits_skip(b, 64);
		if (bits_get(b, 1))
			bits_ue(b);	/* uvlc() is the same code */
		if (bits_get(b, 1)) {
			*delay_bits = bits_get(b, 5) + 1;
			bits_skip(b, 32 + 5 + 5);
		}
	}
	*display_delay = bits_get(b, 1);
}

static int
av1_sequence(const uint8_t *p, size_t len, int *width, int *height)
{
	struct bits b = { .p = p, .len = len, .at = 3 + 1 };
	unsigned delay_bits = 0, w_bits, h_bits;
	bool display_delay = false;
	uint32_t w, h;

	if (bits_get(&b, 1)) {		/* reduced_still_picture_header */
		bits_skip(&b, 5);
	} else {
		av1_timing(&b, &delay_bits, &display_delay);
		for (uint32_t points = bits_get(&b, 5) + 1; points > 0 && !b.over; points--) {
			bits_skip(&b, 12);
			if (bits_get(&b, 5) > 7)
				bits_skip(&b, 1);
			if (delay_bits > 0 && bits_get(&b, 1))
				bits_skip(&b, 2 * delay_bits + 1);
			if (display_delay && bits_get(&b, 1))
				bits_skip(&b, 4);
		}
	}
	w_bits = bits_get(&b, 4) + 1;
	h_bits = bits_get(&b, 4) + 1;
	w = bits_get(&b, w_bits) + 1;
	h = bits_get(&b, h_bits) + 1;
	return found(&b, w, h, width, height);
}

int
flv_av1_size(const uint8_t *record, size_t len, int *width, int *height)
{
	size_t at = AV1C_HEAD;

	while (at + 2 <= len) {
		uint8_t head = record[at];
		uint64_t size = 0;

		at += head & 4 ? 2 : 1;
		if (!(head & 2))
			break;		/* a sequence header in here says how long it is */
		for (unsigned i = 0; i < 5 && at < len; i++) {
			size |= (uint64_t)(record[at] & 127) << (7 * i);
			if (!(record[at++] & 128))
				break;
		}
		if (at > len || size > len - at)
			break;
		if ((head >> 3 & 15) == OBU_SEQUENCE_HEADER)
			return av1_sequence(record + at, (size_t)size, width, height);
		at += (size_t)size;
	}
	errno = EBADMSG;
	return -1;
}

/* --- VP9 --- */

int
flv_vp9_size(const uint8_t *frame, size_t len, int *width, int *height)
{
	struct bits b = { .p = frame, .len = len };
	uint32_t marker = bits_get(&b, 2), profile = bits_get(&b, 1), w, h;

	profile |= bits_get(&b, 1) << 1;
	if (profile == 3)
		bits_skip(&b, 1);
	if (marker != 2 || bits_get(&b, 2) != 0)	/* shows an existing frame, or is no key frame */
		b.over = true;
	bits_skip(&b, 2);
	if (bits_get(&b, 24) != VP9_SYNC)
		b.over = true;
	if (profile >= 2)
		bits_skip(&b, 1);
	if (bits_get(&b, 3) != VP9_SRGB)
		bits_skip(&b, profile & 1 ? 4 : 1);
	else if (profile & 1)
		bits_skip(&b, 1);
	w = bits_get(&b, 16) + 1;
	h = bits_get(&b, 16) + 1;
	return found(&b, w, h, width, height);
}
