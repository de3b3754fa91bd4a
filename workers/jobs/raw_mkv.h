/* raw_mkv.h - what is in a raw recording of Matroska, for raw.c. Knows what ingest/matroska.c writes, nothing else. */
#ifndef MILLRACE_RAW_MKV_H
#define MILLRACE_RAW_MKV_H

#include <sys/types.h>

#include "workers/jobs/raw.h"

/* Fills in video, audio and duration_ms of a file of size bytes. A torn end does not matter. */
void raw_mkv_look(int fd, off_t size, struct raw *out);
#endif
