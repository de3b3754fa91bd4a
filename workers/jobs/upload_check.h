/*
 * upload_check.h - the checkpoint of an upload: {object, upload_id, size, mtime_ns, inode, part_size,
 * parts: {"N": {etag, size, sha256}}}, endpoint and bucket (none: wherever we look), and path and
 * owner (the job's id) for whoever tidies up.
 * upload_id "" = about to be created: perhaps it was. grows: its parts are cut in steps
 * (upload_plan.h) of so many at most, its size is not known yet: size and mtime_ns are 0. Nobody
 * but us writes that object, and who finds the checkpoint may find the object complete, too.
 */
#ifndef MILLRACE_UPLOAD_CHECK_H
#define MILLRACE_UPLOAD_CHECK_H

#include <jansson.h>
#include <stdint.h>

/* Instead of an upload's id: */
#define UPLOAD_IS_CHUNKS "chunks"
#define UPLOAD_IS_WHOLE "whole"	/* one PUT */

struct upload_file {		/* what makes it the same file as before */
	int64_t size, mtime_ns, inode;
};

json_t *upload_check_new(const char *object, const char *upload_id, const struct upload_file *f, int64_t part_size);
/* NULL: there is none that makes sense. New reference. */
json_t *upload_check_load(const char *path);
json_t *upload_check_valid(const json_t *doc);	/* a copy, or NULL */
/* Synced and renamed into place. 0 or -1 + errno. */
int upload_check_save(const char *path, const json_t *check);

/* Who has it may touch the checkpoint: DIR/FILEID.lock. close() lets go; -1 + errno, EWOULDBLOCK: another has it. */
int upload_check_lock(const char *dir, const char *file_id);
/* Unless somebody has it: the file goes. */
void upload_check_lock_remove(const char *dir, const char *file_id);

const char *upload_check_str(const json_t *check, const char *key);
int64_t upload_check_int(const json_t *check, const char *key);
int upload_check_fits(const json_t *check, const char *object, const struct upload_file *f);
void upload_check_part(json_t *check, int n, const char *etag, int64_t size, const char *sha256);
/* {etag, size, sha256} of part n, or NULL. */
const json_t *upload_check_find(const json_t *check, int n);
#endif
