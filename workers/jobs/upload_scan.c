/*
 * upload_scan.c - a recording that is not in the bucket yet gets its job: it was just made, or was
 * found on the disk after a crash, when Redis has forgotten, when a bucket is configured for
 * the first time. A file that is verified there has its mark (upload_mark.h). Called by found.c
 * and finalise.c.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "conf.h"
#include "workers/jobs/tree.h"
#include "workers/jobs/upload_kind.h"
#include "workers/jobs/upload_mark.h"

#define PATH_BYTES 1024

bool
upload_wanted(const struct svc *svc)
{
	return conf_str(svc->conf, "storage.s3.endpoint")[0] != '\0' &&
	    conf_str(svc->conf, "storage.s3.bucket")[0] != '\0';
}

/* "recordings/NAME/START.mp4": NAME, if the path has a folder of that name. */
static void
stream_of(const char *file, char *out, size_t size)
{
	const char *name = file + strlen("recordings/"), *slash = strchr(name, '/');

	snprintf(out, size, "%.*s", slash != NULL ? (int)(slash - name) : 0, name);
}

void
upload_none(struct svc *svc, struct ledger *l, const char *file, const char *id, int64_t size, int64_t mtime_ns,
    ledger_cb cb, void *ctx)
{
	char path[PATH_BYTES], stream[BOARD_NAME];
	json_t *o;

	snprintf(path, sizeof(path), "%s/%s", conf_str(svc->conf, "data_dir"), file);
	stream_of(file, stream, sizeof(stream));
	o = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "path", path, "kind", "recording", "stream", stream, "state",
	    "local", "size", (json_int_t)size, "mtime_ns", (json_int_t)mtime_ns);
	ledger_put_found(l, id, o, cb, ctx);
	json_decref(o);
}

void
upload_add(struct svc *svc, struct queue *q, struct ledger *l, const char *file, const char *id, int64_t size,
    int64_t mtime_ns, queue_added_cb cb, void *ctx)
{
	const char *host = conf_str(svc->conf, "host_id");
	char path[PATH_BYTES], key[PATH_BYTES + 128], object[PATH_BYTES], stream[BOARD_NAME];
	json_t *o;

	snprintf(path, sizeof(path), "%s/%s", conf_str(svc->conf, "data_dir"), file);
	stream_of(file, stream, sizeof(stream));
	snprintf(object, sizeof(object), "%s%s", conf_str(svc->conf, "storage.s3.prefix"), file);
	snprintf(key, sizeof(key), "upload:%s:%s:%lld:%lld", host, path, (long long)size, (long long)mtime_ns);
	/* first the entry: whoever takes the job may have the last word on it at once */
	o = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "path", path, "kind", "recording", "stream", stream, "state",
	    "queued", "size", (json_int_t)size, "mtime_ns", (json_int_t)mtime_ns);
	ledger_put_found(l, id, o, NULL, NULL);
	json_decref(o);
	o = json_pack("{s:s, s:s, s:s, s:s, s:s}", "path", path, "object", object, "kind", "recording", "stream",
	    stream, "layout", "object");
	queue_add(q, "upload", key, host, 1, o, cb, ctx);
	json_decref(o);
}

void
upload_recording(struct svc *svc, struct queue *q, struct ledger *l, const char *file)
{
	const char *data_dir = conf_str(svc->conf, "data_dir");
	char path[PATH_BYTES], id[LEDGER_ID];
	struct stat st;
	json_t *mark;

	snprintf(path, sizeof(path), "%s/%s", data_dir, file);
	if (!upload_wanted(svc) || !json_is_true(conf_get(svc->conf, "streams.record.upload")) || stat(path, &st) == -1)
		return;
	ledger_id(l, path, id);
	mark = upload_mark_read(data_dir, id, st.st_size, tree_mtime_ns(&st));
	if (mark == NULL)
		upload_add(svc, q, l, file, id, st.st_size, tree_mtime_ns(&st), NULL, NULL);
	json_decref(mark);
}
