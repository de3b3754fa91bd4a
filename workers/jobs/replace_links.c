/*
 * replace_links.c - reads what stands on the disk of raw recordings that went to the bucket and of
 * their MP4s (contract in replace_links.h). Most of them only wait for the upload of their MP4:
 * those are not due. It decides nothing, and touches no configuration, no Redis, no log: it is a
 * thread's, and the disk may be otherwise when replace.c acts.
 */
#include "workers/jobs/replace_links.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util.h"
#include "workers/jobs/upload_check.h"
#include "workers/jobs/upload_mark.h"

#define PATH_BYTES 1400
#define SMALL_MAX 8192

struct replace_links *
replace_links_new(const char *data_dir, const char *host_id, const char *bucket)
{
	struct replace_links *l = xcalloc(1, sizeof(*l));

	l->data_dir = xstrdup(data_dir);
	l->host_id = xstrdup(host_id);
	l->bucket = xstrdup(bucket);
	return l;
}

void
replace_links_free(void *links)
{
	struct replace_links *l = links;

	for (size_t i = 0; i < l->n; i++)
		json_decref(l->list[i].mark);
	free(l->list);
	free(l->data_dir);
	free(l->host_id);
	free(l->bucket);
	free(l);
}

json_t *
replace_small(const char *data_dir, const char *id, const char *suffix)
{
	char path[PATH_BYTES], *text;
	json_t *o;

	snprintf(path, sizeof(path), "%s/uploads/%s.%s", data_dir, id, suffix);
	text = file_read(path, SMALL_MAX, NULL);
	o = text != NULL ? json_loads(text, 0, NULL) : NULL;
	free(text);
	return o;
}

/* Or it is not here any more: then the bucket is asked. */
static bool
is_verified(const struct replace_links *l, const char *mp4)
{
	char path[PATH_BYTES], id[LEDGER_ID];
	struct stat st;
	json_t *mark;

	snprintf(path, sizeof(path), "%s/%s", l->data_dir, mp4);
	if (stat(path, &st) == -1)
		return errno == ENOENT;
	ledger_id_of(l->host_id, path, id);
	mark = upload_mark_read(l->data_dir, id, st.st_size, (int64_t)st.st_mtim.tv_sec * 1000000000 +
	    st.st_mtim.tv_nsec);
	json_decref(mark);
	return mark != NULL;
}

static bool
is_due(const struct replace_links *l, const char *id, const json_t *link, const json_t *mark)
{
	const char *mp4 = upload_check_str(link, "mp4");
	char path[PATH_BYTES];

	if (link == NULL)
		return false;
	if (mark != NULL && strcmp(upload_check_str(mark, "bucket"), l->bucket) != 0)
		return true;
	snprintf(path, sizeof(path), "%s/uploads/%s.json", l->data_dir, id);
	if (mark == NULL && access(path, F_OK) == -1)
		return true;
	return mp4[0] == '\0' || is_verified(l, mp4);
}

static void
read_one(struct replace_links *l, const char *name)
{
	struct replace_link *r;
	json_t *link, *mark;

	if ((l->n & (l->n - 1)) == 0)
		l->list = xrealloc(l->list, (l->n == 0 ? 1 : l->n * 2) * sizeof(*l->list));
	r = &l->list[l->n++];
	memset(r, 0, sizeof(*r));
	snprintf(r->id, sizeof(r->id), "%.*s", LEDGER_ID - 1, name);
	link = replace_small(l->data_dir, r->id, "link");
	mark = replace_small(l->data_dir, r->id, "done");
	r->due = is_due(l, r->id, link, mark);
	json_decref(link);
	if (mark != NULL && l->marks) {
		json_object_set_new(mark, "local", json_boolean(access(upload_check_str(mark, "path"), F_OK) == 0));
		r->mark = mark;
	} else
		json_decref(mark);
}

static int
by_id(const void *a, const void *b)
{
	return strcmp(((const struct replace_link *)a)->id, ((const struct replace_link *)b)->id);
}

int
replace_links_read(void *links)
{
	struct replace_links *l = links;
	char path[PATH_BYTES];
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "%s/uploads", l->data_dir);
	d = opendir(path);
	while (d != NULL && (e = readdir(d)) != NULL)
		if (strlen(e->d_name) == LEDGER_ID - 1 + strlen(".link") &&
		    strcmp(e->d_name + LEDGER_ID - 1, ".link") == 0)
			read_one(l, e->d_name);
	if (d != NULL)
		closedir(d);
	if (l->n > 0)
		qsort(l->list, l->n, sizeof(*l->list), by_id);
	return 0;
}
