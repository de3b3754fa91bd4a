/*
 * bucket.h - what the first worker of a host has to do with the bucket beside its jobs: recordings go
 * up while they are written (follow.c), what they became takes their place there (replace.c), and
 * uploads that nobody owns are taken away (sweep.c). One connection for all of it.
 */
#ifndef MILLRACE_BUCKET_H
#define MILLRACE_BUCKET_H

#include <stdbool.h>

#include "svc.h"
#include "workers/common/ledger.h"
#include "workers/common/redis.h"

struct s3;

void bucket_start(struct svc *svc, struct redis *r, struct ledger *l);
void bucket_config(void);		/* it has changed: all begin anew */
void bucket_up(void);			/* Redis is back; it may have forgotten */
void bucket_recorded(const char *file);	/* an ingest says: rec/NAME/START.flv is complete */
void bucket_free(void);

/* For those above. */
struct bucket {
	struct svc *svc;
	struct redis *redis;
	struct ledger *ledger;
};
extern struct bucket bk;

#define BUCKET_PATH 1024
/* A line of the log: what is done here is done beside a job of this worker, and not for that. */
#define BUCKET_LOG(stream, file, fn, ...) do {	\
	log_apart(stream, file);		\
	fn(__VA_ARGS__);			\
	log_apart(NULL, NULL);			\
} while (0)
/* The connection; NULL: there is none to be had, *why says so. */
struct s3 *bucket_s3(const char **why);
/* data_dir/uploads/ID.SUFFIX */
void bucket_file(char out[BUCKET_PATH], const char *id, const char *suffix);
/* Locks a file's uploads on this host; -1: somebody else is at it. close() lets go. */
int bucket_lock(const char *id);
/* For status: "" some of an upload has arrived; else why one has to wait. */
void bucket_waits(const char *why);
void bucket_ledger(const char *id, json_t *fields);	/* fields stolen */
#endif
