/*
 * keep_tell.c - the ledger learns which recordings are deleted here: verified ones are in the
 * bucket only, others gone. What Redis could not be told waits in memory; after a crash the
 * marks (upload_mark.h) without their file say it again. A mark goes when its file is told of, if
 * it was deleted by us: else its disk may just not be mounted.
 *
 * Called by keep.c and house.c.
 */
#include "workers/jobs/keep_tell.h"

#include <stdio.h>
#include <stdlib.h>

#include "conf.h"
#include "util.h"
#include "workers/jobs/upload_mark.h"

#define PATH_BYTES 1400
#define WINDOW 64		/* questions under way */
#define UNTOLD_MAX 10000

static json_t *untold;		/* [{fields {path, kind, state or local}, unmark}] */
static int under_way;

static void tell_more(struct ledger *l, const char *data_dir);

static void
add(const char *path, bool verified, bool unmark)
{
	json_t *fields = verified ? json_pack("{s:b}", "local", false) : json_pack("{s:s}", "state", "gone");

	json_object_set_new(fields, "kind", json_string("recording"));
	if (untold == NULL)
		untold = json_array();
	/* a name that is no UTF-8 was never in the ledger */
	if (json_object_set_new(fields, "path", json_string(path)) == 0 && json_array_size(untold) < UNTOLD_MAX)
		json_array_append_new(untold, json_pack("{s:O, s:b}", "fields", fields, "unmark", unmark));
	json_decref(fields);
}

void
keep_note(const char *data_dir, const struct keep_file *f)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/%s", data_dir, f->file);
	add(path, f->verified, true);
}

/* The ledger is told of one that is gone by whatever way; its mark stays, for its disk may just not be mounted. */
void
keep_note_lost(const char *path)
{
	add(path, true, false);
}

/* --- telling --- */

/* The mark goes last: it says what the ledger may not have heard. */
struct telling {
	struct ledger *ledger;
	json_t *fields;
	bool unmark;
	char id[LEDGER_ID], data_dir[512];
};

static void
told_cb(int rc, json_t *body, void *ctx)
{
	struct telling *t = ctx;

	under_way--;
	if (rc == 0 && t->unmark)
		upload_mark_remove(t->data_dir, t->id);
	else if (rc != 0 && untold != NULL && json_array_size(untold) < UNTOLD_MAX)
		json_array_append_new(untold, json_pack("{s:O, s:b}", "fields", t->fields, "unmark", t->unmark));
	if (rc == 0)
		tell_more(t->ledger, t->data_dir);
	json_decref(t->fields);
	free(t);
}

/* One that could not be told waits for the next keep_tell(). */
static void
tell_more(struct ledger *l, const char *data_dir)
{
	size_t n = json_array_size(untold);
	struct telling *t;
	json_t *o;

	for (; under_way < WINDOW && n > 0; n--) {
		o = json_array_get(untold, n - 1);
		t = xcalloc(1, sizeof(*t));
		t->ledger = l;
		t->fields = json_incref(json_object_get(o, "fields"));
		t->unmark = json_is_true(json_object_get(o, "unmark"));
		json_array_remove(untold, n - 1);
		ledger_id(l, json_string_value(json_object_get(t->fields, "path")), t->id);
		str_copy(t->data_dir, data_dir, sizeof(t->data_dir));
		under_way++;
		ledger_put(l, t->id, t->fields, told_cb, t);
	}
}

void
keep_tell(const struct svc *svc, struct ledger *l)
{
	tell_more(l, conf_str(svc->conf, "data_dir"));
}

void
keep_tell_free(void)
{
	json_decref(untold);
	untold = NULL;
}
