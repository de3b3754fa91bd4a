/*
 * ledger.h - which file is where: one entry per file of any host, in Redis (keys.h: "files",
 * "hash:"). What it says of a file's bytes can always be found again on disk or in the bucket.
 * Used by jobs and watch.
 */
#ifndef MILLRACE_LEDGER_H
#define MILLRACE_LEDGER_H

#include <jansson.h>
#include <stdint.h>

#include "workers/common/redis.h"

#define LEDGER_ID 33		/* hex digits with their NUL */

struct ledger;

struct ledger *ledger_new(struct redis *r, const char *prefix, const char *host, const char *host_id);
void ledger_free(struct ledger **l);

/* Of an absolute path on this host, or on one. */
void ledger_id_of(const char *host_id, const char *path, char id[LEDGER_ID]);
void ledger_id(const struct ledger *l, const char *path, char id[LEDGER_ID]);

typedef void (*ledger_cb)(int rc, json_t *body, void *ctx);	/* body borrowed; rc as queue.h */
/*
 * body of ledger_put and ledger_drop is null.
 * Merges fields {path, stream, kind, size, mtime_ns, inode, sha256, state, progress, bucket, object,
 * etag, error, note} into the entry, which is made if absent; a field
 * that is null goes; `since` changes with state. fields borrowed; cb may be NULL.
 */
void ledger_put(struct ledger *l, const char *id, const json_t *fields, ledger_cb cb, void *ctx);
/*
 * The same, once for each content: nothing if the entry has this size and mtime_ns, and a state that
 * is not `local`. So what is found again on the disk does not hide how far its job is.
 */
void ledger_put_found(struct ledger *l, const char *id, const json_t *fields, ledger_cb cb, void *ctx);
void ledger_get(struct ledger *l, const char *id, ledger_cb cb, void *ctx);	/* body: the entry or null */
void ledger_drop(struct ledger *l, const char *id, ledger_cb cb, void *ctx);
void ledger_list(struct ledger *l, const char *cursor, ledger_cb cb, void *ctx);	/* {files: [...], cursor} */
/* The content with this hash was processed as `id`; watch asks before it queues a file. */
void ledger_hash_put(struct ledger *l, const char *sha256, const char *id, ledger_cb cb, void *ctx);
#endif
