/* intake_scan.h - what sent files wait for, as it was found on the disk. */
#ifndef MILLRACE_INTAKE_SCAN_H
#define MILLRACE_INTAKE_SCAN_H

#include "workers/jobs/intake_look.h"
#include "workers/jobs/job.h"

/* Queues what no job is known of; logs the rest. */
void intake_scan(struct svc *svc, struct queue *q, const struct intake_look *l);
/* An ingest's EVENT "uploaded": this one is complete. */
void intake_uploaded(struct svc *svc, struct queue *q, const char *id);
#endif
