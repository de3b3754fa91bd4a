/* upload_tell.h - Redis learns that a file is verified in the bucket, before its job is over. */
#ifndef MILLRACE_UPLOAD_TELL_H
#define MILLRACE_UPLOAD_TELL_H

#include "workers/common/ledger.h"

struct upload_tell;

/*
 * The ledger's entry of file id gets these fields (borrowed), then its content, if sha256 is not "", counts
 * as processed. cb: rc 0, or as ledger.h has it: then it has to be told again. *slot is it until cb, which
 * may come before this returns.
 */
void upload_tell(struct upload_tell **slot, struct ledger *l, const char *id, const json_t *fields, const char *sha256,
    void (*cb)(int rc, void *ctx), void *ctx);
/* No callback follows. */
void upload_tell_forget(struct upload_tell **slot);
#endif
