/*
 * upload.h - one file becomes one object (or a folder of chunks), resumably.
 *
 * What the server has is the truth, the checkpoint says which of it is ours: DIR/FILEID.json,
 * written and synced before anything relies on it. A run that is killed at any moment is taken up by the
 * next upload_start() of the same file: only parts that were on their way are sent again, no
 * upload stays open. A run of a file that is in the bucket already ends at once, done.
 * Used by the upload kind of jobs and t/bench/s3put.c.
 */
#ifndef MILLRACE_UPLOAD_H
#define MILLRACE_UPLOAD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "s3.h"

struct event_base;
struct upload;

enum upload_layout { UPLOAD_OBJECT, UPLOAD_CHUNKS };

struct upload_params {			/* all borrowed, copied by upload_start */
	const char *path;		/* absolute */
	const char *file_id;		/* hex digits: names the checkpoint, is part of the object's token */
	const char *object;		/* any UTF-8, 1 .. S3_OBJECT_MAX bytes */
	const char *dir;		/* of checkpoints, exists */
	const char *sha256;		/* of the whole file if known, else "" */
	const char *content_type;	/* "" = none */
	const json_t *checkpoint;	/* used if DIR has none (a copy from Redis); may be NULL */
	const char *owner;		/* the job's id, or NULL; kept in the checkpoint */
	const char *stream;		/* for the log of what is no job; else NULL */
	enum upload_layout layout;
	bool grows;			/* the file is one that is only ever appended to; upload_grown() */
	bool ended;			/* ... and that is over already */
	int64_t part_size;
	int max_parts, concurrency;	/* parts: how many a server allows; in flight at once, 1 .. UPLOAD_FLIGHT_MAX */
	int attempts;			/* of one request, then the upload ends with UPLOAD_LATER */
	int restarts;			/* because the file changed or the server forgot the upload */
	int64_t retry_min_ms, retry_max_ms;
};
#define UPLOAD_FLIGHT_MAX 32

struct upload_progress {
	int64_t safe_bytes, sent_bytes, size;	/* in finished parts; those and what is on its way; of the file */
	int part, parts;		/* that was just finished, 0 = none was; of how many, 0 = it grows */
	const json_t *checkpoint;	/* as on disk; borrowed, changes */
	const char *trouble;		/* why a request failed twice or more, that is tried again; NULL: none did */
};
typedef void (*upload_progress_cb)(const struct upload_progress *p, void *ctx);

enum upload_end {
	UPLOAD_DONE,	/* in the bucket and verified; the checkpoint is gone, but of one that grows */
	UPLOAD_LATER,	/* S3 is in trouble or the file keeps changing: start again later, it resumes */
	UPLOAD_PARK,	/* credentials, bucket, clock: somebody has to change something */
	UPLOAD_FAILED,	/* never: no such file, too big, the server can't */
};

struct upload_result {
	enum upload_end end;
	char error[S3_ERROR];		/* one line for people */
	char etag[S3_ETAG];
	int64_t size, mtime_ns;		/* of what was uploaded */
	int parts, resumed_parts;	/* resumed: were in the bucket already when this run began */
};
/* Once, never before upload_start returns; the upload is gone when it returns. */
typedef void (*upload_done_cb)(const struct upload_result *r, void *ctx);

struct upload *upload_start(struct event_base *base, struct s3 *s3, const struct upload_params *p,
    upload_progress_cb progress, upload_done_cb done, void *ctx);
/*
 * A file that grows: what is new goes up as soon as it fills a part; once nobody writes it any more
 * (ended) the rest, and the object is made. It may end the upload. The file may lose its name by then.
 */
void upload_grown(struct upload *u, bool ended);
/*
 * Takes off the server what a checkpoint says is there, and then the checkpoint. p: file_id, dir,
 * attempts and retry_* only. UPLOAD_DONE: nothing is left.
 */
struct upload *upload_discard(struct event_base *base, struct s3 *s3, const struct upload_params *p,
    upload_done_cb done, void *ctx);
/*
 * Both set *u NULL, no callback follows; not from within one. Stopped: resumable. Cancelled: it goes on
 * by itself to take off the server what is there; if that fails, the checkpoint stays.
 */
void upload_stop(struct upload **u);
void upload_cancel(struct upload **u);
/* Before s3_free(): stops the cancelled ones that are still at it. */
void upload_orphans_stop(void);

/* Ms before attempt n + 1, n from 1: min, doubled, at most max; +-20 %. Pure. */
int64_t upload_backoff_ms(int n, int64_t min_ms, int64_t max_ms, uint32_t random);
#endif
