/* convert.h - the kind of job that makes an FLV of a file that somebody sent. */
#ifndef MILLRACE_CONVERT_H
#define MILLRACE_CONVERT_H

#include "intake.h"
#include "workers/jobs/job.h"

extern const struct job_kind convert_kind;

/* Queues it for this upload, all of which has been received. cb may be NULL. */
void convert_queue(struct svc *svc, struct queue *q, const struct intake *in, queue_added_cb cb, void *ctx);
#endif
