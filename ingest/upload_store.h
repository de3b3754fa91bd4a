/*
 * upload_store.h - the receiving end of one upload on the disk (lib/intake.h): made or found again,
 * appended to, and brought to the disk beside the loop. Knows nothing of who sends it, or how.
 *
 * An offset is told (acked) only when all before it is on the disk: that is what a sender may forget.
 */
#ifndef MILLRACE_UPLOAD_STORE_H
#define MILLRACE_UPLOAD_STORE_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "intake.h"
#include "svc.h"

enum upload_fault {
	UPLOAD_OK, UPLOAD_NONE,		/* there is no such upload */
	UPLOAD_OVER,			/* it is complete: nothing can be added or taken away */
	UPLOAD_BUSY,			/* another connection has it and does not let go */
	UPLOAD_TOO_BIG, UPLOAD_TOO_MANY, UPLOAD_NO_SPACE, UPLOAD_IO,
	UPLOAD_LATER,			/* nothing is wrong with it, but not now */
};

struct upload_store_ops {
	/* It can be added to (or not: why). in.state may be RECEIVED and later only after upload_store_find(). */
	void (*opened)(void *ctx, enum upload_fault fault, const char *why);
	/* All before offset is on the disk. */
	void (*acked)(void *ctx, int64_t offset);
	/* After upload_store_finish(): it is a job's now. */
	void (*complete)(void *ctx);
	/* It goes no further; what was acked stays. Not after opened() with a fault. */
	void (*failed)(void *ctx, enum upload_fault fault, const char *why);
	/* Somebody else wants to go on with it: finish what has come, and go. */
	void (*wanted)(void *ctx);
};

struct upload_store {
	const struct svc *svc;		/* whose config may be another one after a reload */
	const struct upload_store_ops *ops;
	void *ctx;
	struct intake in;
	int fd;				/* ID.part, locked; -1: not open */
	int64_t written, synced;
	int64_t looked_ms, synced_ms;	/* monotonic: at the disk's space; when the last sync began */
	bool flush, finishing, broken, find;
	bool dirty;			/* in is to be written with the next sync */
	int64_t wait_until_ms;		/* for another connection to let go; 0: not waiting */
	struct event *tick;
	struct upload_task *task;	/* on its thread */
	struct slow *slow;
};

void upload_store_init(struct upload_store *s, const struct svc *svc, const struct upload_store_ops *ops,
    void *ctx);
void upload_store_close(struct upload_store *s);	/* what is written stays */
/* in: its name, file, meta and size; id and the rest are made. opened() follows. */
void upload_store_create(struct upload_store *s, const struct intake *in);
/* Takes it over from a connection that may be dead. opened() follows, then in and written are true. */
void upload_store_open(struct upload_store *s, const char *id);
/* The same, but one that is complete is found, too, and is not locked then. */
void upload_store_find(struct upload_store *s, const char *id);
/* Appends; what is wrong is told by failed(). 0, or -1: it goes no further. */
int upload_store_write(struct upload_store *s, const void *p, size_t len);
/* Not on the disk yet; the caller reads no more while this is beyond upload.unsynced. */
int64_t upload_store_unsynced(const struct upload_store *s);
/* It is whole. complete() follows. */
void upload_store_finish(struct upload_store *s);
/* Back to this offset, which was acked: what came since was not what it should be. 0 or -1. */
int upload_store_rewind(struct upload_store *s, int64_t offset);
/* in was changed (its size became known, what comes is unchecked): told by opened() again, on the disk. */
void upload_store_update(struct upload_store *s);
/* What came is right, or was never checked: as flush(), and a kill keeps it. */
void upload_store_checked(struct upload_store *s);
/* Wall clock of its last byte. */
int64_t upload_store_touched_ms(const struct upload_store *s);
/* Deletes it. 0, or -1 + errno. */
int upload_store_drop(struct upload_store *s);
#endif
