/*
 * convert_probe.c - reads ffmpeg's description of a stranger's file (contract in convert_probe.h):
 *
 *   [info]   Duration: 00:00:04.00, start: 0.000000, bitrate: 300 kb/s
 *   [info]   Stream #0:0[0x1](und): Video: h264 (High) (avc1 / 0x31637661), yuv420p(progressive), 320x180 ..
 *   [info]       displaymatrix: rotation of -90.00 degrees
 *
 * Titles and the like stand there too and are the stranger's own words: only lines that begin as
 * ffmpeg's do are looked at. Should they fool it all the same, a conversion fails. Called by convert.c.
 */
#include "workers/jobs/convert_probe.h"

#include <stdio.h>
#include <string.h>

void
convert_probe_init(struct convert_probe *p)
{
	memset(p, 0, sizeof(*p));
	p->duration_ms = -1;
}

/* What every browser's decoder and every RTMP server takes as it is. */
static enum convert_track
video_of(const char *what, bool rotated)
{
	if (strncmp(what, "none", 4) == 0)
		return CONVERT_NONE;
	if (strncmp(what, "h264 ", 5) == 0 && !rotated &&
	    (strstr(what, ", yuv420p(") != NULL || strstr(what, ", yuv420p,") != NULL))
		return CONVERT_COPY;
	return CONVERT_ENCODE;
}

static enum convert_track
audio_of(const char *what)
{
	if (strncmp(what, "none", 4) == 0)
		return CONVERT_NONE;
	if (strncmp(what, "aac ", 4) == 0 && (strstr(what, ", mono,") != NULL || strstr(what, ", stereo,") != NULL))
		return CONVERT_COPY;
	return CONVERT_ENCODE;
}

static void
stream_line(struct convert_probe *p, const char *line)
{
	const char *what = strstr(line, ": Video: ");

	if (what != NULL) {
		if (p->video == CONVERT_NONE && strstr(line, "(attached pic)") == NULL)
			p->video = video_of(what + 9, p->rotated);
		return;
	}
	what = strstr(line, ": Audio: ");
	if (what != NULL && p->audio == CONVERT_NONE)
		p->audio = audio_of(what + 9);
}

/* Its versions differ in the name, and in how far it stands to the right. */
static bool
is_turned(const char *line)
{
	size_t n = strspn(line, " ");

	if (n < 4 || (strncmp(line + n, "displaymatrix: rotation of ", 27) != 0 &&
	    strncmp(line + n, "Display Matrix: rotation of ", 28) != 0))
		return false;
	return strstr(line, " of 0.00") == NULL && strstr(line, " of -0.00") == NULL;
}

void
convert_probe_line(struct convert_probe *p, const char *line)
{
	int h, m;
	double s;	/* its words may be anything: "inf", too */

	if (strncmp(line, "[info] ", 7) == 0)
		line += 7;
	if (strncmp(line, "Output #0", 9) == 0 || strncmp(line, "Stream mapping:", 15) == 0)
		p->past = true;
	if (p->past)
		return;
	if (sscanf(line, "  Duration: %5d:%2d:%lf", &h, &m, &s) == 3 && strncmp(line, "  Duration: ", 12) == 0 &&
	    h >= 0 && m >= 0 && s >= 0 && s < 60)
		p->duration_ms = (int64_t)(((h * 60 + m) * 60 + s) * 1000 + 0.5);
	else if (strncmp(line, "  Stream #0:", 12) == 0)
		stream_line(p, line);
	else if (is_turned(line)) {
		p->rotated = true;
		if (p->video == CONVERT_COPY)
			p->video = CONVERT_ENCODE;
	}
}

const char *
convert_track_word(enum convert_track t)
{
	return t == CONVERT_COPY ? "copy" : t == CONVERT_ENCODE ? "encode" : "none";
}
