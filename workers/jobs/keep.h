/* keep.h - old recordings are deleted, as streams.record.keep says. */
#ifndef MILLRACE_KEEP_H
#define MILLRACE_KEEP_H

#include <stdbool.h>

#include "svc.h"
#include "workers/common/ledger.h"

/* Looks, and deletes what is due. redis_up false: works, too, and the ledger is told later. */
void keep_run(struct svc *svc, struct ledger *l, bool redis_up);
void keep_free(void);
#endif
