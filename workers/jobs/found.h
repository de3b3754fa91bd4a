/* found.h - what a walk found on the disk gets its job, and the ledger its entry. */
#ifndef MILLRACE_FOUND_H
#define MILLRACE_FOUND_H

#include "svc.h"
#include "workers/common/ledger.h"
#include "workers/common/queue.h"
#include "workers/jobs/tree.h"

/*
 * Of each free raw recording the job that finishes it, of each recording that is not in the bucket
 * the upload; those that are queued stay so. again: Redis may have forgotten everything. The tree
 * is to stay until found_is_busy() is false.
 */
void found_start(struct svc *svc, struct queue *q, struct ledger *l, struct tree *t, bool again);
bool found_is_busy(void);
/* Redis refused (full, can't save) or went away before all of an again was told: it is to be done again. */
bool found_was_cut_short(void);
/* What is left is for the next walk; the tree may go. Once more after redis_free(). */
void found_stop(void);
#endif
