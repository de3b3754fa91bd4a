/*
 * upload_mark.h - data_dir/uploads/FILEID.done: a file that is verified in the bucket, as the disk
 * knows it. So nothing is uploaded twice when Redis has forgotten, and nothing is asked of S3
 * to find that out.
 */
#ifndef MILLRACE_UPLOAD_MARK_H
#define MILLRACE_UPLOAD_MARK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* mark: {path, size, mtime_ns, bucket, object, etag}, borrowed. Synced. 0, or -1 + errno. */
int upload_mark_write(const char *data_dir, const char *file_id, const json_t *mark);
/* The mark if it is of this very file; else NULL. */
json_t *upload_mark_read(const char *data_dir, const char *file_id, int64_t size, int64_t mtime_ns);
/* The mark's own stat. 0, or -1 + errno: there is none. */
int upload_mark_stat(const char *data_dir, const char *file_id, struct stat *st);
/* Of which file the mark called name ("FILEID.done") is. 0, or -1: it can't be read. */
int upload_mark_path(const char *data_dir, const char *name, char *out, size_t size);
void upload_mark_remove(const char *data_dir, const char *file_id);
#endif
