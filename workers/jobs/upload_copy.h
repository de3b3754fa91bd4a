/*
 * upload_copy.h - what a checkpoint says, in Redis, too (upload:FILEID): should data_dir/uploads be lost,
 * but not the file, its upload goes on where it was all the same.
 */
#ifndef MILLRACE_UPLOAD_COPY_H
#define MILLRACE_UPLOAD_COPY_H

#include <jansson.h>

#include "workers/common/redis.h"

/* Part n, and what they all have in common. */
void upload_copy_part(struct redis *r, const char *prefix, const char *id, const json_t *check, int n);
void upload_copy_drop(struct redis *r, const char *prefix, const char *id);

struct upload_copy;
/* check: as upload_check.h has it, to be looked at as what a stranger says; NULL: there is none. Borrowed. */
typedef void (*upload_copy_cb)(const json_t *check, void *ctx);
/* The callback may come before this returns: then it returns NULL. */
struct upload_copy *upload_copy_get(struct redis *r, const char *prefix, const char *id, upload_copy_cb cb, void *ctx);
/* It is not called any more. Sets *c NULL. */
void upload_copy_forget(struct upload_copy **c);
#endif
