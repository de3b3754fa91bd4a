/*
 * upload_check.c - the checkpoint of an upload as JSON on disk: what survives a kill -9 and a
 * power cut. What is read back is not trusted to be whole: a bad one counts as none.
 * Called by upload*.c. It knows nothing of S3.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "upload_check.h"
#include "upload_plan.h"
#include "util.h"

#define LOCK_TRIES 3
#define CHECK_MAX ((size_t)8 << 20)	/* 10000 parts of about 200 bytes, and room */

json_t *
upload_check_new(const char *object, const char *upload_id, const struct upload_file *f, int64_t part_size)
{
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:{}}", "object", object, "upload_id", upload_id, "size",
	    (json_int_t)f->size, "mtime_ns", (json_int_t)f->mtime_ns, "inode", (json_int_t)f->inode, "part_size",
	    (json_int_t)part_size, "parts");
}

const char *
upload_check_str(const json_t *check, const char *key)
{
	const char *s = json_string_value(json_object_get(check, key));

	return s != NULL ? s : "";
}

int64_t
upload_check_int(const json_t *check, const char *key)
{
	return json_integer_value(json_object_get(check, key));
}

json_t *
upload_check_valid(const json_t *doc)
{
	const char *const ints[] = { "size", "mtime_ns", "inode", "part_size" };
	int64_t part = upload_check_int(doc, "part_size"), size = upload_check_int(doc, "size");
	int64_t grows = upload_check_int(doc, "grows");

	for (size_t i = 0; i < sizeof ints / sizeof ints[0]; i++)
		if (!json_is_integer(json_object_get(doc, ints[i])))
			return NULL;
	if (!json_is_string(json_object_get(doc, "object")) || !json_is_string(json_object_get(doc, "upload_id")) ||
	    !json_is_object(json_object_get(doc, "parts")) || part < UPLOAD_PART_MIN || part > UPLOAD_PART_MAX ||
	    size < 0 || size / part >= UPLOAD_PARTS_MAX || grows < 0 || grows > UPLOAD_PARTS_MAX)
		return NULL;
	return json_deep_copy(doc);
}

json_t *
upload_check_load(const char *path)
{
	char *text = file_read(path, CHECK_MAX, NULL);
	json_t *doc, *check;

	if (text == NULL)
		return NULL;
	doc = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	check = upload_check_valid(doc);
	json_decref(doc);
	free(text);
	return check;
}

/* The name is on disk only once its directory is. */
static int
sync_parent(const char *path)
{
	char *copy = xstrdup(path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = -1;

	if (fd != -1) {
		rc = fsync(fd);
		close(fd);
	}
	free(copy);
	return rc;
}

static int
write_synced(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640), rc = 0;

	if (fd == -1)
		return -1;
	while (len > 0 && rc == 0) {
		ssize_t n = write(fd, text, len);

		if (n <= 0) {
			rc = -1;
			break;
		}
		text += n;
		len -= (size_t)n;
	}
	if (rc == 0)
		rc = fsync(fd);
	close(fd);
	return rc;
}

int
upload_check_save(const char *path, const json_t *check)
{
	char *text = json_dumps(check, JSON_COMPACT), *tmp = xasprintf("%s.tmp", path);
	int rc = -1, saved;

	if (text != NULL && write_synced(tmp, text, strlen(text)) == 0 && rename(tmp, path) == 0)
		rc = sync_parent(path);
	saved = errno;
	if (rc == -1)
		unlink(tmp);
	free(text);
	free(tmp);
	errno = saved;
	return rc;
}

/* Its name may have been removed, and perhaps made anew, between open() and flock(). */
static int
is_named(int fd, const char *path)
{
	struct stat mine, named;

	return fstat(fd, &mine) == 0 && stat(path, &named) == 0 && mine.st_ino == named.st_ino &&
	    mine.st_dev == named.st_dev;
}

int
upload_check_lock(const char *dir, const char *file_id)
{
	char *path = xasprintf("%s/%s.lock", dir, file_id);
	int fd = -1, saved = EWOULDBLOCK;

	for (int i = 0; i < LOCK_TRIES; i++) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
		if (fd == -1) {
			saved = errno;
			break;
		}
		if (flock(fd, LOCK_EX | LOCK_NB) == -1)
			saved = errno;
		else if (is_named(fd, path))
			break;
		else
			saved = EWOULDBLOCK;	/* somebody was quicker, each time */
		close(fd);
		fd = -1;
	}
	free(path);
	errno = saved;
	return fd;
}

void
upload_check_lock_remove(const char *dir, const char *file_id)
{
	char *path = xasprintf("%s/%s.lock", dir, file_id);
	int fd = upload_check_lock(dir, file_id);

	if (fd != -1) {
		unlink(path);
		close(fd);
	}
	free(path);
}

int
upload_check_fits(const json_t *check, const char *object, const struct upload_file *f)
{
	if (strcmp(upload_check_str(check, "object"), object) != 0 || upload_check_int(check, "inode") != f->inode)
		return 0;
	return upload_check_int(check, "grows") > 0 || (upload_check_int(check, "size") == f->size &&
	    upload_check_int(check, "mtime_ns") == f->mtime_ns);
}

void
upload_check_part(json_t *check, int n, const char *etag, int64_t size, const char *sha256)
{
	char key[16];

	snprintf(key, sizeof key, "%d", n);
	json_object_set_new(json_object_get(check, "parts"), key, json_pack("{s:s, s:I, s:s}", "etag", etag, "size",
	    (json_int_t)size, "sha256", sha256));
}

const json_t *
upload_check_find(const json_t *check, int n)
{
	char key[16];

	snprintf(key, sizeof key, "%d", n);
	return json_object_get(json_object_get(check, "parts"), key);
}
