/* intake_scan.h - what sent files wait for, found on the disk. */
#ifndef MILLRACE_INTAKE_SCAN_H
#define MILLRACE_INTAKE_SCAN_H

#include "workers/jobs/job.h"

/* Queues what no job is known of; deletes what nobody will come back for. */
void intake_scan(struct svc *svc, struct queue *q);
/* An ingest's EVENT "uploaded": this one is complete. */
void intake_uploaded(struct svc *svc, struct queue *q, const char *id);
/*
 * CALL "job": {id, upload, state, percent, error ..} of an upload of this host, or of a job; cb as
 * queue_list's.
 */
void intake_job(struct svc *svc, struct queue *q, const char *id, queue_list_cb cb, void *ctx);
/* A listed job that works on an upload of this host gets its "upload", and "sent_as", what its sender calls it. */
void intake_describe(struct svc *svc, json_t *job);
#endif
