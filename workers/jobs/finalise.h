/* finalise.h - the kind of job that makes a raw recording an MP4, and what finds the raw ones. */
#ifndef MILLRACE_FINALISE_H
#define MILLRACE_FINALISE_H

#include "workers/jobs/job.h"

extern const struct job_kind finalise_kind;

/* Queues a job for each raw recording that nobody writes any more; those that are queued stay so. */
void finalise_scan(struct svc *svc, struct queue *q);
/* An ingest's EVENT "recorded": this one is complete. */
void finalise_recorded(struct svc *svc, struct queue *q, const char *file);
#endif
