/*
 * frames_jpeg.c - a JPEG's markers (contract in frames_jpeg.h): from the start marker over the
 * segments to the frame's head, through the coded data to the end marker. A picture that was cut
 * off, or whose coded data has markers in it that do not belong there, is refused; a flipped bit
 * in it is not found. Called by frames_proto.c.
 */
#include "frames_jpeg.h"

#include <stdbool.h>
#include <string.h>

#include "be.h"

enum { SOF0 = 0xc0, SOF2 = 0xc2, DHT = 0xc4, JPG = 0xc8, DAC = 0xcc, SOF15 = 0xcf, RST0 = 0xd0, RST7 = 0xd7, SOI = 0xd8,
	EOI = 0xd9, SOS = 0xda, DQT = 0xdb, DNL = 0xdc, DRI = 0xdd, APP0 = 0xe0, APP15 = 0xef, COM = 0xfe };

struct walk {
	const uint8_t *p;
	size_t len, at;
	bool scan;		/* coded data was seen */
	struct frames_jpeg *out;
};

static const char cut_off[] = "the JPEG is cut off";

static const char *
frame_head(const uint8_t *p, unsigned len, int64_t max_pixels, struct frames_jpeg *out)
{
	if (len < 8 || len < 8 + 3 * (unsigned)p[7] || (p[7] != 1 && p[7] != 3 && p[7] != 4))
		return "the JPEG's frame header is torn";
	if (p[2] != 8)
		return "the JPEG has more than 8 bits per sample";
	if (out->width != 0)
		return "the JPEG has two frame headers";
	out->height = (int)be_get(p + 3, 2);
	out->width = (int)be_get(p + 5, 2);
	if (out->width == 0 || out->height == 0)
		return "the JPEG says it has no pixels";
	return (int64_t)out->width * out->height > max_pixels ? "the JPEG has more pixels than frames.max_pixels" :
	    NULL;
}

/* Coded data up to a marker that is none of its own. */
static void
skip_scan(struct walk *w)
{
	const uint8_t *ff;
	uint8_t next;

	while (w->at < w->len) {
		ff = memchr(w->p + w->at, 0xff, w->len - w->at);
		w->at = ff == NULL ? w->len : (size_t)(ff - w->p);
		if (w->at + 1 >= w->len)
			break;
		next = w->p[w->at + 1];
		if (next != 0 && next != 0xff && (next < RST0 || next > RST7))
			return;
		w->at += next == 0xff ? 1 : 2;
	}
	w->at = w->len;
}

static bool
may_follow_scan(unsigned marker)
{
	return marker == DHT || marker == DAC || marker == SOS || marker == DQT || marker == DNL || marker == DRI ||
	    marker >= APP0;
}

/* One segment behind its marker; NULL: go on. */
static const char *
segment(struct walk *w, unsigned marker, int64_t max_pixels)
{
	const uint8_t *p = w->p + w->at;
	unsigned len;
	const char *why = NULL;

	if (w->len - w->at < 2 || (len = be_get(p, 2)) > w->len - w->at)
		return cut_off;
	if (len < 2 || (marker < SOF0 || (w->scan && !may_follow_scan(marker))))
		return "the JPEG is damaged";
	if (marker >= SOF0 && marker <= SOF2)
		why = frame_head(p, len, max_pixels, w->out);
	else if (marker <= SOF15 && marker != DHT && marker != DAC && marker != JPG)
		why = "a lossless, hierarchical or arithmetic-coded JPEG can't be taken";
	w->at += len;
	if (marker != SOS || why != NULL)
		return why;
	if (w->out->width == 0)
		return "the JPEG has no frame header";
	w->scan = true;
	skip_scan(w);
	return w->at == w->len ? cut_off : NULL;
}

static const char *
walk(struct walk *w, int64_t max_pixels)
{
	const char *why = NULL;
	unsigned marker;

	while (why == NULL) {
		while (w->at + 1 < w->len && w->p[w->at] == 0xff && w->p[w->at + 1] == 0xff)
			w->at++;
		if (w->at + 1 >= w->len)
			return cut_off;
		if (w->p[w->at] != 0xff)
			return "the JPEG is damaged";
		marker = w->p[w->at + 1];
		w->at += 2;
		if (marker == EOI)
			return w->scan ? NULL : "the JPEG has no picture in it";
		why = segment(w, marker, max_pixels);
	}
	return why;
}

int
frames_jpeg_read(const uint8_t *p, size_t len, int64_t max_pixels, struct frames_jpeg *out, const char **why)
{
	struct walk w = { p, len, 2, false, out };

	memset(out, 0, sizeof(*out));
	*why = len < 4 || p[0] != 0xff || p[1] != SOI ? "it is no JPEG" : walk(&w, max_pixels);
	out->len = w.at;
	return *why == NULL ? 0 : -1;
}
