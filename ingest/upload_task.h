/*
 * upload_task.h - what an upload needs of the disk and may have to wait for: each a function for a
 * thread (lib/slow.h), which touches nothing but its struct. Used by upload_store.c only.
 */
#ifndef MILLRACE_UPLOAD_TASK_H
#define MILLRACE_UPLOAD_TASK_H

#include "upload_store.h"

struct upload_task {
	struct upload_store *store;	/* for whom; not the thread's */
	char data_dir[INTAKE_PATH];
	struct intake in;
	int fd;				/* of the store's, or taken over by it */
	int64_t offset;			/* written when it began */
	int64_t max_uploads, max_own, reserve;	/* of the config */
	bool writes;			/* sync: ID.json, too */
	bool look_only;			/* open: a complete one will do, without its lock */
	enum upload_fault fault;
	int error;			/* errno behind it */
};

/* Each 0: its results are in the struct. */
int upload_task_create(void *ctx);	/* in -> ID.json, ID.part, fd */
int upload_task_open(void *ctx);	/* in.id -> in, fd, offset; UPLOAD_BUSY: it was asked to let go */
int upload_task_sync(void *ctx);	/* fd up to offset */
int upload_task_finish(void *ctx);	/* the same, then in */
#endif
