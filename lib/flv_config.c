/*
 * flv_config.c - what a sequence header tells: the picture's size from an H.264 SPS (7.3.2.1),
 * rate and channels from an AudioSpecificConfig (ISO 14496-3, 1.6.2.1). Contract in flv.h.
 * Pure; a reader that runs out of bits gives zeros and says so once, at the end.
 */
#include "flv.h"

#include <errno.h>
#include <string.h>

#include "be.h"
#include "bits.h"

#define MACROBLOCKS_MAX 1024	/* 16384 pixels: more than level 6.2 allows */

static int
torn(void)
{
	errno = EBADMSG;
	return -1;
}

static void
skip_scaling_lists(struct bits *b, unsigned lists)
{
	for (unsigned i = 0; i < lists && !b->over; i++) {
		uint32_t last = 8, next = 8;

		if (!bits_get(b, 1))
			continue;
		for (unsigned k = 0; k < (i < 6 ? 16U : 64U) && next != 0 && !b->over; k++) {
			next = (uint8_t)(last + (uint32_t)bits_se(b));	/* modulo 256 */
			if (next != 0)
				last = next;
		}
	}
}

/* The part of the SPS that only the high profiles have (H.264 7.3.2.1.1). */
static void
sps_high(struct bits *b, struct flv_avc *out)
{
	uint32_t chroma = bits_ue(b);

	if (chroma == 3)
		bits_get(b, 1);
	out->chroma = (int)(chroma & 3);
	out->depth = 8 + (int)(bits_ue(b) & 15);
	bits_ue(b);
	bits_get(b, 1);
	if (bits_get(b, 1))
		skip_scaling_lists(b, chroma == 3 ? 12 : 8);
}

static bool
profile_is_high(uint32_t profile)
{
	static const uint8_t high[] = { 100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135 };

	return memchr(high, (int)profile, sizeof(high)) != NULL;
}

static void
sps_order(struct bits *b, struct flv_avc *out)
{
	uint32_t type = bits_ue(b), n;

	out->in_order = type == 2;
	if (type == 0)
		bits_ue(b);
	else if (type == 1) {
		bits_get(b, 1);
		bits_se(b);
		bits_se(b);
		n = bits_ue(b);
		for (uint32_t i = 0; i < n && i < 256 && !b->over; i++)
			bits_se(b);
	}
}

/* Takes the cropping off; the units depend on chroma and on frames or fields (7.4.2.1.1). */
static int
sps_crop(struct bits *b, uint32_t chroma, bool frames_only, uint32_t *w, uint32_t *h)
{
	uint32_t l = bits_ue(b), r = bits_ue(b), t = bits_ue(b), bottom = bits_ue(b);
	uint32_t unit_x = chroma == 1 || chroma == 2 ? 2 : 1;
	uint32_t unit_y = (chroma == 1 ? 2 : 1) * (frames_only ? 1 : 2);

	if (l > *w || r > *w || t > *h || bottom > *h || (l + r) * unit_x >= *w || (t + bottom) * unit_y >= *h)
		return torn();
	*w -= (l + r) * unit_x;
	*h -= (t + bottom) * unit_y;
	return 0;
}

static void
skip_hrd(struct bits *b)
{
	uint32_t n = bits_ue(b);

	bits_get(b, 8);
	for (uint32_t i = 0; i <= n && i < 32 && !b->over; i++) {
		bits_ue(b);
		bits_ue(b);
		bits_get(b, 1);
	}
	bits_skip(b, 20);
}

/* vui_parameters() (E.1.1) up to max_num_reorder_frames; -1: it does not say. */
static int
vui_reorder(struct bits *b)
{
	bool nal, vcl;

	if (bits_get(b, 1) && bits_get(b, 8) == 255)	/* aspect_ratio_idc: Extended_SAR */
		bits_skip(b, 32);
	if (bits_get(b, 1))				/* overscan */
		bits_get(b, 1);
	if (bits_get(b, 1)) {				/* video_signal_type */
		bits_get(b, 4);
		if (bits_get(b, 1))
			bits_skip(b, 24);
	}
	if (bits_get(b, 1)) {				/* chroma_loc_info */
		bits_ue(b);
		bits_ue(b);
	}
	if (bits_get(b, 1))				/* timing_info */
		bits_skip(b, 65);
	nal = bits_get(b, 1);
	if (nal)
		skip_hrd(b);
	vcl = bits_get(b, 1);
	if (vcl)
		skip_hrd(b);
	if (nal || vcl)
		bits_get(b, 1);
	bits_get(b, 1);					/* pic_struct */
	if (!bits_get(b, 1))				/* bitstream_restriction */
		return -1;
	bits_get(b, 1);
	for (int i = 0; i < 4; i++)
		bits_ue(b);
	return b->over ? -1 : (int)(bits_ue(b) & 31);
}

static int
sps_read(const uint8_t *sps, size_t len, struct flv_avc *out)
{
	uint8_t raw[256];
	struct bits b = { .p = raw, .len = bits_unescape(sps, len, raw, sizeof(raw)) };
	uint32_t w, h;
	bool frames_only;

	*out = (struct flv_avc){ .chroma = 1, .depth = 8, .reorder = -1 };
	bits_get(&b, 8);
	out->profile = (int)bits_get(&b, 8);
	bits_get(&b, 16);
	bits_ue(&b);
	if (profile_is_high((uint32_t)out->profile))
		sps_high(&b, out);
	bits_ue(&b);
	sps_order(&b, out);
	bits_ue(&b);
	bits_get(&b, 1);
	w = bits_ue(&b);
	h = bits_ue(&b);
	frames_only = bits_get(&b, 1);
	if (b.over || w >= MACROBLOCKS_MAX || h >= MACROBLOCKS_MAX)
		return torn();
	w = (w + 1) * 16;
	h = (h + 1) * (frames_only ? 16 : 32);
	if (!frames_only)
		bits_get(&b, 1);
	bits_get(&b, 1);
	if (bits_get(&b, 1) && sps_crop(&b, (uint32_t)out->chroma, frames_only, &w, &h) < 0)
		return -1;
	if (b.over)
		return torn();
	out->width = (int)w;
	out->height = (int)h;
	if (bits_get(&b, 1))
		out->reorder = vui_reorder(&b);
	if (b.over)
		out->reorder = -1;
	return 0;
}

int
flv_avc_read(const uint8_t *record, size_t len, struct flv_avc *out)
{
	size_t n;

	if (len < 8 || record[0] != 1 || (record[5] & 31) == 0)
		return torn();
	n = be_get(record + 6, 2);
	if (n < 4 || n > len - 8)
		return torn();
	return sps_read(record + 8, n, out);
}

int
flv_avc_size(const uint8_t *record, size_t len, int *width, int *height)
{
	struct flv_avc avc;

	if (flv_avc_read(record, len, &avc) < 0)
		return -1;
	*width = avc.width;
	*height = avc.height;
	return 0;
}

const char *
flv_avc_rare(const uint8_t *record, size_t len)
{
	if (len < 2 || record[0] != 1)
		return NULL;
	switch (record[1]) {	/* only these may have more than 8 bits or other chroma than 4:2:0 */
	case 44:
		return "CAVLC 4:4:4";
	case 110:
		return "High 10";
	case 122:
		return "High 4:2:2";
	case 244:
		return "High 4:4:4";
	default:
		return NULL;
	}
}

int
flv_aac_config(const uint8_t *asc, size_t len, int *rate, int *channels)
{
	static const int rates[] = { 96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050,
		16000, 12000, 11025, 8000, 7350 };
	static const int layouts[] = { 0, 1, 2, 3, 4, 5, 6, 8 };
	struct bits b = { .p = asc, .len = len };
	uint32_t index, layout;

	if (bits_get(&b, 5) == 31)
		bits_get(&b, 6);
	index = bits_get(&b, 4);
	*rate = index == 15 ? (int)bits_get(&b, 24) : index < 13 ? rates[index] : 0;
	layout = bits_get(&b, 4);
	*channels = layout < 8 ? layouts[layout] : 0;
	return b.over || *rate == 0 ? torn() : 0;
}
