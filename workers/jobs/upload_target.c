/*
 * upload_target.c - where an upload job's file goes (contract in upload_target.h).
 *
 * A job has the bucket and the object that were configured when it was queued. Of a watched folder
 * both are read anew from `watch: to:` each time the job starts: a wrong bucket is mended by a
 * reload, like one in storage.s3. If the folder is not watched any more, what the job has counts.
 * Pure. Called by upload_kind.c.
 */
#include "workers/jobs/upload_target.h"

#include <stdio.h>
#include <string.h>

#include "conf.h"
#include "obj.h"

/* The path inside the folder, NULL: it is not in it. */
static const char *
inside(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	while (n > 0 && dir[n - 1] == '/')
		n--;
	if (strncmp(path, dir, n) != 0 || path[n] != '/')
		return NULL;
	path += n;
	return path + strspn(path, "/");
}

/* No folder lies in another one that is recursive: the only one of all, or the innermost. */
static const json_t *
folder_of(const json_t *conf, const char *path, const char **rel)
{
	const json_t *list = conf_get(conf, "watch"), *folder, *found = NULL;
	const char *r;
	size_t i;

	json_array_foreach(list, i, folder) {
		r = inside(path, obj_str(folder, "dir"));
		if (r == NULL || (strchr(r, '/') != NULL && !json_is_true(json_object_get(folder, "recursive"))))
			continue;
		found = folder;
		*rel = r;
	}
	return found;
}

int
upload_target(const json_t *conf, const json_t *args, struct upload_target *out)
{
	const char *bucket = obj_str(args, "bucket"), *rel = "";
	const json_t *folder = strcmp(obj_str(args, "kind"), "watch") == 0 ?
	    folder_of(conf, obj_str(args, "path"), &rel) : NULL;
	int n;

	if (folder != NULL)
		bucket = obj_str(folder, "bucket");
	if (bucket[0] == '\0')
		bucket = conf_str(conf, "storage.s3.bucket");
	n = snprintf(out->bucket, sizeof(out->bucket), "%s", bucket);
	if (n < 0 || n >= (int)sizeof(out->bucket))
		return -1;
	n = snprintf(out->object, sizeof(out->object), "%s%s", folder != NULL ? obj_str(folder, "prefix") : "",
	    folder != NULL ? rel : obj_str(args, "object"));
	return n > 0 && n < (int)sizeof(out->object) ? 0 : -1;
}
