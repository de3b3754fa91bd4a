/* keep.h - old recordings are deleted, as streams.record.keep says. */
#ifndef MILLRACE_KEEP_H
#define MILLRACE_KEEP_H

#include "svc.h"
#include "workers/jobs/tree.h"

struct keep_round;

/* What the configuration asks for now; NULL: no limit. */
struct keep_round *keep_begin(const struct svc *svc);
/* Deletes what is due of the tree, and says so in it. May wait for the disk: it belongs on the tree's thread. */
void keep_work(struct keep_round *k, struct tree *t);
/* Logs what went, and notes it for the ledger (keep_tell.h). */
void keep_say(const struct keep_round *k, const struct tree *t);
void keep_free(struct keep_round **k);
#endif
