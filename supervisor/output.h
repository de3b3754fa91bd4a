/* output.h - what output.c, output_start.c and output_probe.c share. */
#ifndef MILLRACE_OUTPUT_H
#define MILLRACE_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/output_argv.h"

struct child;

#define OUTPUT_FDS 3	/* stdin, stderr, segment list, in SPAWNED's order */

/* An ffmpeg for stream NAME; ours are its owner's ends, non-blocking. NULL + errno, none open. */
struct child *output_start(const struct output_params *p, const char *name, int ours[OUTPUT_FDS]);
/* Ms to wait for the next start, which is thereby taken: the first few go at once. */
int64_t output_stagger_ms(int64_t now);
/* Was that the probe? Then its answer is read and kept. */
bool output_probe_gone(struct child *ffmpeg);
/* Pure: ffmpeg's banner -> version, "" if there is none. */
void output_probe_parse(const char *text, char *version, size_t size);
#endif
