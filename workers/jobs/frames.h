/* frames.h - job kind "frames" {file}: a frames session's file becomes an MP4 and a WAV, see frames.c. */
#ifndef MILLRACE_FRAMES_H
#define MILLRACE_FRAMES_H

#include "workers/jobs/job.h"

extern const struct job_kind frames_kind;
/* Queues it, if it is such a file's name; an ingest says so. */
void frames_recorded(struct svc *svc, struct queue *q, const char *file);
/* Names of those that nobody writes any more, by the disk. The look is a thread's, the rest for the loop. */
struct frames_look { char data_dir[600], (*files)[272]; size_t n; };
struct frames_look *frames_look_new(const struct svc *svc);
void frames_look_free(struct frames_look **l);
void frames_look_work(struct frames_look *l);
void frames_scan(struct svc *svc, struct queue *q, const struct frames_look *l);
#endif
