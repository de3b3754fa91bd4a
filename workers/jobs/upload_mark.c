/* upload_mark.c - what is verified in the bucket (contract in upload_mark.h). Called by upload_{kind,scan}.c. */
#include "workers/jobs/upload_mark.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util.h"
#include "workers/common/fs.h"

#define PATH_BYTES 700
#define MARK_MAX 8192

static void
path_of(char *buf, size_t size, const char *data_dir, const char *id, const char *suffix)
{
	snprintf(buf, size, "%s/uploads/%s.%s", data_dir, id, suffix);
}

static int
write_synced(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640), rc;
	ssize_t n = (ssize_t)strlen(text);

	if (fd == -1)
		return -1;
	rc = write(fd, text, (size_t)n) == n ? fsync(fd) : -1;
	if (close(fd) == -1)
		rc = -1;
	return rc;
}

int
upload_mark_write(const char *data_dir, const char *id, const json_t *mark)
{
	char tmp[PATH_BYTES], path[PATH_BYTES], *text = json_dumps(mark, JSON_COMPACT);
	int rc;

	if (text == NULL) {
		errno = EINVAL;
		return -1;
	}
	path_of(tmp, sizeof(tmp), data_dir, id, "done.tmp");
	path_of(path, sizeof(path), data_dir, id, "done");
	rc = write_synced(tmp, text);
	if (rc == 0)
		rc = rename(tmp, path);
	if (rc == 0)
		rc = fs_sync_dir_of(path);
	free(text);
	return rc;
}

json_t *
upload_mark_read(const char *data_dir, const char *id, int64_t size, int64_t mtime_ns)
{
	char path[PATH_BYTES], *text;
	json_t *mark;

	path_of(path, sizeof(path), data_dir, id, "done");
	text = file_read(path, MARK_MAX, NULL);
	mark = text != NULL ? json_loads(text, 0, NULL) : NULL;
	free(text);
	if (mark != NULL && (json_integer_value(json_object_get(mark, "size")) != size ||
	    json_integer_value(json_object_get(mark, "mtime_ns")) != mtime_ns)) {
		json_decref(mark);
		mark = NULL;
	}
	return mark;
}

int
upload_mark_stat(const char *data_dir, const char *id, struct stat *st)
{
	char path[PATH_BYTES];

	path_of(path, sizeof(path), data_dir, id, "done");
	return stat(path, st);
}

int
upload_mark_path(const char *data_dir, const char *name, char *out, size_t size)
{
	char path[PATH_BYTES], *text;
	const char *of;
	json_t *mark;
	int rc;

	snprintf(path, sizeof(path), "%s/uploads/%s", data_dir, name);
	text = file_read(path, MARK_MAX, NULL);
	mark = text != NULL ? json_loads(text, 0, NULL) : NULL;
	of = json_string_value(json_object_get(mark, "path"));
	rc = of != NULL && str_copy(out, of, size) < size ? 0 : -1;
	json_decref(mark);
	free(text);
	return rc;
}

void
upload_mark_remove(const char *data_dir, const char *id)
{
	char path[PATH_BYTES];

	path_of(path, sizeof(path), data_dir, id, "done");
	unlink(path);
}
