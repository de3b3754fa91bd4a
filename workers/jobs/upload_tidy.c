/*
 * upload_tidy.c - takes out of data_dir/uploads what nobody will ask for again (contract in
 * upload_tidy.h): locks of uploads that are over, and marks of files that are gone.
 *
 * A lock goes only while it is held here, and who waits for it looks whether it still has its
 * name. Marks of recordings, raw ones too, stay: they are what keeps a recording from going up a
 * second time when its disk is back. Of what other folders hold nobody reads them (what is in the
 * bucket is known by its hash, and asked of the bucket), so they may go with their file. Called by house.c.
 */
#include "workers/jobs/upload_tidy.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "workers/common/ledger.h"
#include "workers/jobs/upload_check.h"
#include "workers/jobs/upload_mark.h"

#define PATH_BYTES 1400

/* One of an upload that is not over is soon wanted again. */
static void
tidy_lock(const char *dir, const char *id)
{
	static const char *const under_way[] = { "json", "link" };
	char path[PATH_BYTES];

	for (size_t i = 0; i < sizeof(under_way) / sizeof(under_way[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s.%s", dir, id, under_way[i]);
		if (access(path, F_OK) == 0)
			return;
	}
	upload_check_lock_remove(dir, id);
}

static bool
is_below(const char *path, const char *data_dir, const char *top)
{
	char dir[PATH_BYTES];
	size_t n = (size_t)snprintf(dir, sizeof(dir), "%s/%s/", data_dir, top);

	return strncmp(path, dir, n) == 0;
}

static void
tidy_mark(const char *data_dir, const char *name, const char *id)
{
	char of[PATH_BYTES];

	if (upload_mark_path(data_dir, name, of, sizeof(of)) == -1 || of[0] != '/' ||
	    is_below(of, data_dir, "recordings") || is_below(of, data_dir, "rec"))
		return;
	if (access(of, F_OK) == -1 && errno == ENOENT)
		upload_mark_remove(data_dir, id);
}

void
upload_tidy(const char *data_dir, bool marks)
{
	char dir[PATH_BYTES - LEDGER_ID - 8], id[LEDGER_ID];
	const char *suffix;
	struct dirent *e;
	DIR *d;

	snprintf(dir, sizeof(dir), "%s/uploads", data_dir);
	d = opendir(dir);
	while (d != NULL && (e = readdir(d)) != NULL) {
		if (strlen(e->d_name) != LEDGER_ID - 1 + strlen(".lock"))
			continue;
		snprintf(id, sizeof(id), "%.*s", LEDGER_ID - 1, e->d_name);
		suffix = e->d_name + LEDGER_ID - 1;
		if (strcmp(suffix, ".lock") == 0)
			tidy_lock(dir, id);
		else if (marks && strcmp(suffix, ".done") == 0)
			tidy_mark(data_dir, e->d_name, id);
	}
	if (d != NULL)
		closedir(d);
}
