/* raw_mkv.h - what is in a raw recording of Matroska, for raw.c. Knows what ingest/matroska.c writes, nothing else. */
#ifndef MILLRACE_RAW_MKV_H
#define MILLRACE_RAW_MKV_H

#include <sys/types.h>

#include "workers/jobs/raw.h"

/*
 * Fills in empty, hvc1, video, audio, duration_ms and whole of a file of size bytes. What begins behind the last whole
 * frame has so many bytes, if it is half a frame.
 */
off_t raw_mkv_walk(int fd, off_t size, struct raw *out);
#endif
