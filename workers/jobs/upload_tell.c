/*
 * upload_tell.c - Redis learns that a file is verified (contract in upload_tell.h). Whoever watches a
 * folder asks the ledger only once about a file that he knows, so a word that was lost with a
 * connection would leave it "uploading" for ever. Called by upload_kind.c.
 */
#include "workers/jobs/upload_tell.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"
#include "workers/jobs/s3.h"

struct upload_tell {
	struct upload_tell **slot;	/* NULL: forgotten */
	struct ledger *ledger;
	char id[LEDGER_ID], sha256[S3_SHA256_HEX];
	void (*cb)(int rc, void *ctx);
	void *ctx;
};

static void
told(struct upload_tell *t, int rc)
{
	if (t->slot != NULL) {
		*t->slot = NULL;
		t->cb(rc, t->ctx);
	}
	free(t);
}

static void
hash_cb(int rc, json_t *body, void *ctx)
{
	told(ctx, rc);
}

static void
entry_cb(int rc, json_t *body, void *ctx)
{
	struct upload_tell *t = ctx;

	if (rc != 0 || t->slot == NULL || t->sha256[0] == '\0')
		told(t, rc);
	else
		ledger_hash_put(t->ledger, t->sha256, t->id, hash_cb, t);
}

void
upload_tell(struct upload_tell **slot, struct ledger *l, const char *id, const json_t *fields, const char *sha256,
    void (*cb)(int rc, void *ctx), void *ctx)
{
	struct upload_tell *t = xcalloc(1, sizeof(*t));

	t->slot = slot;
	t->ledger = l;
	t->cb = cb;
	t->ctx = ctx;
	str_copy(t->id, id, sizeof(t->id));
	str_copy(t->sha256, sha256, sizeof(t->sha256));
	*slot = t;
	ledger_put(l, id, fields, entry_cb, t);
}

void
upload_tell_forget(struct upload_tell **slot)
{
	if (*slot != NULL)
		(*slot)->slot = NULL;
	*slot = NULL;
}
