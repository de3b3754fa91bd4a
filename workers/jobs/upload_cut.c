/*
 * upload_cut.c - how an upload begins: the file is opened and cut into parts, as it was before if
 * there is a checkpoint of it. Called by upload.c, also when it has to begin anew.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "upload_int.h"
#include "util.h"

bool
upload_is_elsewhere(const struct upload *u)
{
	const char *endpoint = upload_check_str(u->check, "endpoint"), *bucket = upload_check_str(u->check, "bucket");

	return (endpoint[0] != '\0' && strcmp(endpoint, s3_endpoint(u->s3)) != 0) ||
	    (bucket[0] != '\0' && strcmp(bucket, s3_bucket(u->s3)) != 0);
}

bool
upload_fits(const struct upload *u)
{
	return u->check != NULL && !upload_is_elsewhere(u) && upload_check_fits(u->check, u->object, &u->file) &&
	    (upload_check_int(u->check, "grows") > 0) == u->p.grows;
}

static int
open_file(struct upload *u)
{
	struct stat st;

	if (u->fd != -1)
		close(u->fd);
	u->fd = open(u->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (u->fd == -1 || fstat(u->fd, &st) == -1)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	u->file = (struct upload_file){ .size = st.st_size, .inode = (int64_t)st.st_ino,
		.mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec };
	posix_fadvise(u->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return 0;
}

/* As it was begun, even if part_size was configured anew since. */
static int
cut(struct upload *u)
{
	int64_t part = u->p.part_size;

	for (int n = 0; n < u->slots; n++)
		free(u->etags[n]);
	free(u->etags);
	u->etags = NULL;
	u->slots = 0;
	if (upload_fits(u)) {
		part = upload_check_int(u->check, "part_size");
		if (u->p.grows)
			u->p.max_parts = (int)upload_check_int(u->check, "grows");
	}
	u->counted = !u->growing;
	if ((u->p.grows ? upload_plan_steps(u->file.size, u->counted, part, u->p.max_parts, &u->plan) :
	    upload_plan(u->file.size, part, u->p.max_parts, &u->plan)) == -1) {
		u->plan.parts = 0;
		return -1;
	}
	u->slots = u->plan.parts;
	u->etags = xcalloc((size_t)u->slots, sizeof *u->etags);
	u->next = 1;
	u->finished = u->flying = u->resumed = 0;
	u->safe_bytes = 0;
	return 0;
}

void
upload_begin(struct upload *u)
{
	char error[S3_ERROR];

	if (u->object[0] == '\0' || strlen(u->object) > S3_OBJECT_MAX)
		return upload_end(u, UPLOAD_FAILED, "the object's name is empty or too long");
	if (open_file(u) == -1 || cut(u) == -1) {
		snprintf(error, sizeof error, "%s: %s", u->path, strerror(errno));
		return upload_give_up(u, error);
	}
	if (u->p.grows)
		snprintf(u->token, sizeof u->token, "%.32s-%llx-grows", u->file_id, (unsigned long long)u->file.inode);
	else
		snprintf(u->token, sizeof u->token, "%.32s-%llx-%llx", u->file_id, (unsigned long long)u->file.size,
		    (unsigned long long)u->file.mtime_ns);
	u->etag[0] = '\0';
	u->sending = false;
	upload_look(u);
}
