/*
 * keep_tell.c - the ledger learns which recordings are deleted here: verified ones are in the
 * bucket only, others gone. What Redis could not be told waits in memory; after a crash the
 * marks (upload_mark.h) without their file say it again. A mark goes when its file is told of, if
 * it was deleted by us: else its disk may just not be mounted.
 *
 * Called by keep.c.
 */
#include "workers/jobs/keep_tell.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "util.h"
#include "workers/jobs/upload_mark.h"

#define PATH_BYTES 1400
#define MARK_MAX 8192
#define UNTOLD_MAX 10000

static json_t *untold;		/* [{path, kind, state or local}] */
static bool looked;		/* at the marks, once */

static void
add(const char *path, bool verified)
{
	json_t *fields = verified ? json_pack("{s:b}", "local", false) : json_pack("{s:s}", "state", "gone");

	json_object_set_new(fields, "path", json_string(path));
	json_object_set_new(fields, "kind", json_string("recording"));
	if (untold == NULL)
		untold = json_array();
	if (json_array_size(untold) < UNTOLD_MAX)
		json_array_append(untold, fields);
	json_decref(fields);
}

void
keep_note(const char *data_dir, const struct keep_file *f)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/%s", data_dir, f->file);
	add(path, f->verified);
}

/* A mark of a recording that is not there any more; others (of watched folders) are not ours. */
static void
look_at(struct ledger *l, const char *data_dir, const char *name)
{
	char path[PATH_BYTES], id[LEDGER_ID], *text;
	json_t *mark, *fields;
	const char *of;
	size_t n;

	snprintf(path, sizeof(path), "%s/uploads/%s", data_dir, name);
	text = file_read(path, MARK_MAX, NULL);
	mark = text != NULL ? json_loads(text, 0, NULL) : NULL;
	of = json_string_value(json_object_get(mark, "path"));
	n = (size_t)snprintf(path, sizeof(path), "%s/recordings/", data_dir);
	if (of != NULL && strncmp(of, path, n) == 0 && access(of, F_OK) == -1 && errno == ENOENT) {
		ledger_id(l, of, id);
		fields = json_pack("{s:s, s:s, s:b}", "path", of, "kind", "recording", "local", false);
		ledger_put(l, id, fields, NULL, NULL);
		json_decref(fields);
	}
	json_decref(mark);
	free(text);
}

static void
look(struct ledger *l, const char *data_dir)
{
	char path[PATH_BYTES];
	struct dirent *e;
	size_t n;
	DIR *d;

	snprintf(path, sizeof(path), "%s/uploads", data_dir);
	d = opendir(path);
	while (d != NULL && (e = readdir(d)) != NULL) {
		n = strlen(e->d_name);
		if (n > 5 && strcmp(e->d_name + n - 5, ".done") == 0)
			look_at(l, data_dir, e->d_name);
	}
	if (d != NULL)
		closedir(d);
}

/* The mark goes last: it says what the ledger may not have heard. */
struct telling { json_t *fields; char id[LEDGER_ID], data_dir[512]; };

static void
told_cb(int rc, json_t *body, void *ctx)
{
	struct telling *t = ctx;

	if (rc == 0)
		upload_mark_remove(t->data_dir, t->id);
	else if (untold != NULL && json_array_size(untold) < UNTOLD_MAX)
		json_array_append(untold, t->fields);
	json_decref(t->fields);
	free(t);
}

void
keep_tell(const struct svc *svc, struct ledger *l)
{
	const char *data_dir = conf_str(svc->conf, "data_dir");
	struct telling *t;
	json_t *list, *fields;
	size_t i;

	if (!looked)
		look(l, data_dir);
	looked = true;
	list = untold;
	untold = json_array();
	json_array_foreach(list, i, fields) {
		t = xcalloc(1, sizeof(*t));
		t->fields = json_incref(fields);
		ledger_id(l, json_string_value(json_object_get(fields, "path")), t->id);
		str_copy(t->data_dir, data_dir, sizeof(t->data_dir));
		ledger_put(l, t->id, fields, told_cb, t);
	}
	json_decref(list);
}

void
keep_tell_free(void)
{
	json_decref(untold);
	untold = NULL;
}
