/*
 * found.c - what a walk found on the disk gets its job (contract in found.h), so many questions
 * to Redis at a time: ten thousand recordings are no burst that it or this loop would feel.
 *
 * The disk is the truth; a job that is queued already stays the one it is. So an answer that
 * does not come, or a refusal, ends it: the next walk finds the same again, and is told again all
 * that this one was to be told again. Called by house.c.
 */
#include "workers/jobs/found.h"

#include <string.h>

#include "conf.h"
#include "util.h"
#include "workers/jobs/finalise.h"
#include "workers/jobs/upload_kind.h"

#define WINDOW 64			/* questions under way */
#define ASK_AGAIN_MS 300000		/* a job that is known of is asked for again so seldom */

static struct {
	struct svc *svc;
	struct queue *queue;
	struct ledger *ledger;
	struct tree *tree;
	size_t raw, file;		/* the next ones */
	int under_way;
	bool again, uploads, filling;
	bool cut_short;			/* an again came to no good end */
} fo;

static void go_on(void);

static void
answered(int rc)
{
	fo.under_way--;
	if (rc != 0) {
		fo.cut_short |= fo.again;
		found_stop();
	} else if (!fo.filling)
		go_on();
}

static void
raw_cb(int rc, const char *id, bool existed, void *ctx)
{
	answered(rc);
}

/* ctx: the file; none any more once the walk's end has come. */
static void
file_cb(int rc, const char *id, bool existed, void *ctx)
{
	if (rc == 0 && fo.tree != NULL)
		((struct tree_file *)ctx)->asked_ms = now_ms();
	answered(rc);
}

static void
told_cb(int rc, json_t *body, void *ctx)
{
	answered(rc);
}

/* Verified: the ledger may have forgotten it. */
static void
tell(const struct tree_file *f)
{
	json_t *fields = f->mark != NULL ? json_loads(f->mark, 0, NULL) : NULL;

	if (fields == NULL)
		return;
	json_object_set_new(fields, "state", json_string("verified"));
	json_object_set_new(fields, "kind", json_string("recording"));
	fo.under_way++;
	ledger_put(fo.ledger, f->id, fields, told_cb, NULL);
	json_decref(fields);
}

/* Somebody put it there: a name that is no UTF-8 can't be an object's. */
static bool
is_utf8(const char *s)
{
	size_t len = strlen(s), n;

	for (; len > 0; s += n, len -= n) {
		n = utf8_sequence((const uint8_t *)s, len);
		if (n == 0)
			return false;
	}
	return true;
}

static void
next_file(struct tree_file *f)
{
	if (f->gone || !is_utf8(f->file))
		return;
	if (f->verified) {
		if (fo.again)
			tell(f);
		return;
	}
	if (!fo.uploads) {		/* it stays here, and the ledger is to know it */
		if (!fo.again)
			return;
		fo.under_way++;
		upload_none(fo.svc, fo.ledger, f->file, f->id, f->size, f->mtime_ns, told_cb, NULL);
		return;
	}
	if (!fo.again && f->asked_ms != 0 && now_ms() - f->asked_ms < ASK_AGAIN_MS)
		return;
	fo.under_way++;
	upload_add(fo.svc, fo.queue, fo.ledger, f->file, f->id, f->size, f->mtime_ns, file_cb, f);
}

static void
go_on(void)
{
	fo.filling = true;
	while (fo.tree != NULL && fo.under_way < WINDOW) {
		if (fo.raw < fo.tree->nraws) {
			const struct tree_raw *r = &fo.tree->raws[fo.raw++];

			if (!r->is_free)
				continue;
			fo.under_way++;
			finalise_add(fo.svc, fo.queue, r->file, raw_cb, NULL);
		} else if (fo.file < fo.tree->nfiles)
			next_file(&fo.tree->files[fo.file++]);
		else
			break;
	}
	fo.filling = false;
	if (fo.under_way == 0)
		fo.tree = NULL;
}

void
found_start(struct svc *svc, struct queue *q, struct ledger *l, struct tree *t, bool again)
{
	fo.svc = svc;
	fo.queue = q;
	fo.ledger = l;
	fo.tree = t;
	fo.raw = fo.file = 0;
	fo.again = again;
	fo.cut_short = false;
	fo.uploads = upload_wanted(svc) && json_is_true(conf_get(svc->conf, "streams.record.upload"));
	go_on();
}

bool
found_is_busy(void)
{
	return fo.tree != NULL || fo.under_way > 0;
}

bool
found_was_cut_short(void)
{
	return fo.cut_short;
}

void
found_stop(void)
{
	fo.tree = NULL;
}
