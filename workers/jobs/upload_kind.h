/* upload_kind.h - the kind of job that brings a file to S3, and what finds files that are not there yet. */
#ifndef MILLRACE_UPLOAD_KIND_H
#define MILLRACE_UPLOAD_KIND_H

#include "workers/jobs/job.h"

extern const struct job_kind upload_kind;

/* Is there a bucket to bring files to? */
bool upload_wanted(const struct svc *svc);
/*
 * Queues the upload of a finished recording, of data_dir/FILE; does nothing without a bucket, with
 * streams.record.upload off, or if it is there already.
 */
void upload_recording(struct svc *svc, struct queue *q, struct ledger *l, const char *file);
/* The same for one that is not there, whatever is configured. */
void upload_add(struct svc *svc, struct queue *q, struct ledger *l, const char *file, const char *id, int64_t size,
    int64_t mtime_ns, queue_added_cb cb, void *ctx);
/* For one that stays here: the ledger is told of it, if it does not know more. */
void upload_none(struct svc *svc, struct ledger *l, const char *file, const char *id, int64_t size, int64_t mtime_ns,
    ledger_cb cb, void *ctx);
void upload_kind_config(void);	/* it has changed: the next job connects anew */
void upload_kind_free(void);
#endif
