/* push.h - the kind of job that sends a converted file to its RTMP target. */
#ifndef MILLRACE_PUSH_H
#define MILLRACE_PUSH_H

#include "intake.h"
#include "workers/jobs/job.h"

extern const struct job_kind push_kind;

/* Queues it for this upload, which is converted; behind others of the same target. cb may be NULL. */
void push_queue(struct svc *svc, struct queue *q, const struct intake *in, queue_added_cb cb, void *ctx);
#endif
