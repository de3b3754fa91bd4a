/* frames.h - job kind "frames" {file}: a frames session's file becomes an MP4 and a WAV, see frames.c. */
#ifndef MILLRACE_FRAMES_H
#define MILLRACE_FRAMES_H

#include "workers/jobs/job.h"

extern const struct job_kind frames_kind;
/* Queues it, if it is such a file's name; an ingest says so. */
void frames_recorded(struct svc *svc, struct queue *q, const char *file);
/* Those that nobody writes any more, by the disk. */
void frames_scan(struct svc *svc, struct queue *q);
#endif
