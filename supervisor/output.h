/* output.h - what output.c and output_probe.c share. */
#ifndef MILLRACE_OUTPUT_H
#define MILLRACE_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

struct child;

#define OUTPUT_FDS 3	/* stdin, stderr, segment list, in SPAWNED's order */

/* Was that the probe? Then its answer is read and kept. */
bool output_probe_gone(struct child *ffmpeg);
/* Pure: ffmpeg's banner -> version ("" if there is none); does FLV carry HEVC? */
bool output_probe_parse(const char *text, char *version, size_t size);
#endif
