/*
 * upload_scan.c - recordings that are not in the bucket yet, found on disk and queued: after a
 * crash, when Redis has forgotten, when a bucket is configured for the first time. A file that
 * is verified there has its mark (upload_mark.h); the ledger is told of it again, because it may
 * have forgotten, too. Called by house.c and finalise.c.
 */
#include <fts.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "conf.h"
#include "log.h"
#include "workers/jobs/upload_kind.h"
#include "workers/jobs/upload_mark.h"

#define PATH_BYTES 1024

bool
upload_wanted(const struct svc *svc)
{
	return conf_str(svc->conf, "storage.s3.endpoint")[0] != '\0' &&
	    conf_str(svc->conf, "storage.s3.bucket")[0] != '\0';
}

static int64_t
mtime_ns(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

/* "recordings/NAME/START.mp4": NAME, if the path has a folder of that name. */
static void
stream_of(const char *file, char *out, size_t size)
{
	const char *name = file + strlen("recordings/"), *slash = strchr(name, '/');

	snprintf(out, size, "%.*s", slash != NULL ? (int)(slash - name) : 0, name);
}

static void
queue_it(struct svc *svc, struct queue *q, struct ledger *l, const char *file, const char *path, const char *id,
    const struct stat *st)
{
	const char *host = conf_str(svc->conf, "host_id");
	char key[PATH_BYTES + 128], object[PATH_BYTES], stream[BOARD_NAME];
	json_t *args;

	stream_of(file, stream, sizeof(stream));
	snprintf(object, sizeof(object), "%s%s", conf_str(svc->conf, "storage.s3.prefix"), file);
	snprintf(key, sizeof(key), "upload:%s:%s:%lld:%lld", host, path, (long long)st->st_size,
	    (long long)mtime_ns(st));
	args = json_pack("{s:s, s:s, s:s, s:s, s:s}", "path", path, "object", object, "kind", "recording", "stream",
	    stream, "layout", "object");
	queue_add(q, "upload", key, host, 1, args, NULL, NULL);
	json_decref(args);
	args = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "path", path, "kind", "recording", "stream", stream, "state",
	    "queued", "size", (json_int_t)st->st_size, "mtime_ns", (json_int_t)mtime_ns(st));
	ledger_put(l, id, args, NULL, NULL);
	json_decref(args);
}

static void
look_at(struct svc *svc, struct queue *q, struct ledger *l, const char *file, const char *path, const struct stat *st,
    bool again)
{
	char id[LEDGER_ID];
	json_t *mark;

	ledger_id(l, path, id);
	mark = upload_mark_read(conf_str(svc->conf, "data_dir"), id, st->st_size, mtime_ns(st));
	if (mark == NULL) {
		queue_it(svc, q, l, file, path, id, st);
		return;
	}
	if (again) {
		json_object_set_new(mark, "state", json_string("verified"));
		json_object_set_new(mark, "kind", json_string("recording"));
		ledger_put(l, id, mark, NULL, NULL);
	}
	json_decref(mark);
}

void
upload_recording(struct svc *svc, struct queue *q, struct ledger *l, const char *file)
{
	char path[PATH_BYTES];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", conf_str(svc->conf, "data_dir"), file);
	if (upload_wanted(svc) && json_is_true(conf_get(svc->conf, "streams.record.upload")) && stat(path, &st) == 0)
		look_at(svc, q, l, file, path, &st, false);
}

void
upload_scan(struct svc *svc, struct queue *q, struct ledger *l, bool again)
{
	const char *data_dir = conf_str(svc->conf, "data_dir");
	char top[PATH_BYTES];
	char *const tops[] = { top, NULL };
	FTSENT *e;
	FTS *f;

	if (!upload_wanted(svc) || !json_is_true(conf_get(svc->conf, "streams.record.upload")))
		return;
	snprintf(top, sizeof(top), "%s/recordings", data_dir);
	f = fts_open(tops, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	while (f != NULL && (e = fts_read(f)) != NULL)
		if (e->fts_info == FTS_F && e->fts_name[0] != '.' && e->fts_namelen > 4 &&
		    strcmp(e->fts_name + e->fts_namelen - 4, ".mp4") == 0)
			look_at(svc, q, l, e->fts_path + strlen(data_dir) + 1, e->fts_path, e->fts_statp, again);
	if (f != NULL)
		fts_close(f);
}
