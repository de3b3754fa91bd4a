/* finalise.h - the kind of job that makes a raw recording an MP4, and what finds the raw ones. */
#ifndef MILLRACE_FINALISE_H
#define MILLRACE_FINALISE_H

#include "workers/jobs/job.h"

extern const struct job_kind finalise_kind;

/* Queues the job for a raw recording (raw_parse_path() knows its name), unless it is queued. */
void finalise_add(struct svc *svc, struct queue *q, const char *file, queue_added_cb cb, void *ctx);
/* An ingest's EVENT "recorded": this one is complete. */
void finalise_recorded(struct svc *svc, struct queue *q, const char *file);
#endif
