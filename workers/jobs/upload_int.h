/*
 * upload_int.h - between upload.c (life and end), upload_cut.c (begin), upload_step.c (what is done
 * once: look, create, complete, verify), upload_abort.c, upload_parts.c (what is done many times),
 * upload_grow.c and upload_chunks.c only.
 */
#ifndef MILLRACE_UPLOAD_INT_H
#define MILLRACE_UPLOAD_INT_H

#include <event2/event.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "upload.h"
#include "upload_check.h"
#include "upload_plan.h"

#define UPLOAD_TOKEN 96

/* One request that is tried until it works or its attempts are over. */
struct upload_try {
	struct upload *u;
	void (*go)(struct upload_try *t);
	struct s3_call *call;
	struct event *timer;
	int attempts;
	int part;		/* 0 = no part */
};

struct upload {
	LIST_ENTRY(upload) orphan;	/* if cancelled */
	struct event_base *base;
	struct s3 *s3;
	upload_progress_cb progress;
	upload_done_cb done;	/* NULL: cancelled */
	void *ctx;
	char *path, *object, *sha256, *content_type, *check_path, *file_id, *owner, *stream;
	struct upload_params p;	/* numbers only */

	int fd;
	struct upload_file file;
	struct upload_plan plan;
	char token[UPLOAD_TOKEN];
	json_t *check;		/* NULL = none yet */
	char **etags;		/* of each part, NULL = not sent */
	int slots;		/* in etags */
	bool growing;		/* who writes the file is not done yet */
	bool counted;		/* plan.parts is how many there are, not how many may be */
	bool sending;		/* it is at its parts */
	int next, flying, finished, resumed, restarts, creates;
	int64_t safe_bytes;
	char etag[S3_ETAG];	/* of the whole */

	struct upload_try step, flights[UPLOAD_FLIGHT_MAX];
	void (*after)(struct upload *u);	/* the abort */
	struct s3_listed_upload *stale;		/* to be taken away one by one */
	size_t nstale;
	char *metadata;				/* JSON of chunks */
	struct event *tick;
	struct upload_result result;
};

/* A line of the log; of what is no job it says whose it is. */
#define UPLOAD_LOG(u, fn, ...) do {						\
	log_apart((u)->stream, (u)->stream != NULL ? (u)->path : NULL);	\
	fn(__VA_ARGS__);						\
	log_apart(NULL, NULL);						\
} while (0)

/* upload.c */
struct upload *upload_new(struct event_base *base, struct s3 *s3, const struct upload_params *p,
    upload_progress_cb progress, upload_done_cb done, void *ctx);
void upload_end(struct upload *u, enum upload_end end, const char *error);	/* u is gone */
/* What every failed request comes to, if its verdict is none the step itself knows: retry, park, give up. */
void upload_failed(struct upload_try *t, const struct s3_result *r);
void upload_step(struct upload *u, void (*go)(struct upload_try *));
void upload_soon(struct upload *u, void (*go)(struct upload_try *));	/* on the loop's next turn */
bool upload_changed(const struct upload *u);
/* For good: what is on the server is taken off it. */
void upload_give_up(struct upload *u, const char *error);
/* Takes away what the server has and begins anew; bounded. */
void upload_restart(struct upload *u, const char *why);
void upload_report(struct upload *u, int part);
int upload_save(struct upload *u);		/* -1: the upload has ended */
void upload_forget(struct upload *u);		/* the checkpoint */

/* upload_cut.c */
void upload_begin(struct upload *u);
bool upload_fits(const struct upload *u);	/* the checkpoint is of this file, in this bucket */
bool upload_is_elsewhere(const struct upload *u);	/* it is of another bucket, or server */

/* upload_step.c */
void upload_look(struct upload *u);
void upload_complete(struct upload *u);

/* upload_abort.c: what an earlier run left, if there is a checkpoint, and that; then after(u), perhaps at once */
void upload_abort(struct upload *u, void (*after)(struct upload *));

/* upload_parts.c */
void upload_pump(struct upload *u);
void upload_part_known(struct upload *u, int n, const char *etag);

/* upload_grow.c */
bool upload_grown_otherwise(const struct upload *u);	/* than by being appended to */
/* Part n is all in the file, as it is now. */
bool upload_is_written(const struct upload *u, int n);
/* It may go: so is the one that takes the rest only when nobody writes any more. */
bool upload_is_whole(const struct upload *u, int n);
/* If it has ended meanwhile; what was sent stays as it was cut. False: it can't be, and is given up. */
bool upload_count_parts(struct upload *u);

/* upload_chunks.c */
char *upload_chunk_name(const char *object, int n);	/* of part n; free() */
char *upload_chunk_metadata(const struct upload *u);	/* JSON text; free() */
#endif
