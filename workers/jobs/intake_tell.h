/* intake_tell.h - what has become of a sent file. */
#ifndef MILLRACE_INTAKE_TELL_H
#define MILLRACE_INTAKE_TELL_H

#include "workers/jobs/job.h"

/*
 * CALL "job": {id, upload, state, percent, error ..} of an upload of this host, or of a job; cb as
 * queue_list's.
 */
void intake_job(struct svc *svc, struct queue *q, const char *id, queue_list_cb cb, void *ctx);
/* A listed job that works on an upload of this host gets its "upload", and "sent_as", what its sender calls it. */
void intake_describe(struct svc *svc, json_t *job);
#endif
