/* convert_probe.h - from what ffmpeg says of a file to what has to be done with it. Pure. */
#ifndef MILLRACE_CONVERT_PROBE_H
#define MILLRACE_CONVERT_PROBE_H

#include <stdbool.h>
#include <stdint.h>

enum convert_track { CONVERT_NONE, CONVERT_COPY, CONVERT_ENCODE };

struct convert_probe {
	int64_t duration_ms;		/* -1: it does not say */
	enum convert_track video, audio;	/* of the first of each */
	bool rotated;			/* to be shown otherwise than it is coded: can't be said in FLV */
	bool past;			/* the input's part is over */
};

void convert_probe_init(struct convert_probe *p);
void convert_probe_line(struct convert_probe *p, const char *line);
/* The word for SPAWN's params. */
const char *convert_track_word(enum convert_track t);
#endif
