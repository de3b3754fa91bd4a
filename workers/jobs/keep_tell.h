/* keep_tell.h - the ledger learns which recordings keep.c has deleted. */
#ifndef MILLRACE_KEEP_TELL_H
#define MILLRACE_KEEP_TELL_H

#include "svc.h"
#include "workers/common/ledger.h"
#include "workers/jobs/keep_plan.h"

/* This one is deleted; the ledger is told by the next keep_tell(). */
void keep_note(const char *data_dir, const struct keep_file *f);
/* This one has a mark (upload_mark.h), but is not there. */
void keep_note_lost(const char *path);
/* Redis is there: some at a time, until all are told or Redis is away again. */
void keep_tell(const struct svc *svc, struct ledger *l);
void keep_tell_free(void);
#endif
