/*
 * rec_file.h - one raw recording on disk: a FLV (Matroska with Enhanced RTMP) that is whole up to
 * its last tag at any time, locked while it is written, and synced by a thread of its own.
 */
#ifndef MILLRACE_REC_FILE_H
#define MILLRACE_REC_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "ring.h"

struct rec_sync;

struct rec_file {
	int fd;				/* -1: none is open; flock'd */
	char name[40];			/* "20261121T135800.123Z.flv" in the folder */
	const struct ring_gen *gen;	/* compared only */
	bool matroska;
	int64_t base_ms, bytes;		/* media time of its 0; written, whole tags */
};

/* The thread that syncs. NULL + errno. */
struct rec_sync *rec_sync_new(void);
int rec_sync_free(struct rec_sync **s);		/* waits for what it was given; as rec_sync_error() */
/*
 * fd: fdatasync(2) soon; close: and closes it then. Never blocks: a sync that finds no place is left out,
 * a close waits. upto_ms: what came before that is in it, or in what was given before.
 */
void rec_sync_give(struct rec_sync *s, int fd, bool close, int64_t upto_ms);
/* The upto_ms of the last one that is on the disk, 0: none is. */
int64_t rec_sync_done_ms(const struct rec_sync *s);
/*
 * Now and then: the errno of the last one that failed since this was asked, 0: none did. What was in that
 * file may be lost: the kernel says so once, and of the same pages a later sync succeeds.
 */
int rec_sync_error(struct rec_sync *s);

/*
 * Makes dir/START.flv, locked, with headers; first is its first tag. -1 + errno. wall_ms is
 * moved on if there is one of that name.
 */
int rec_file_open(struct rec_file *f, const char *dir, const struct tag *first, int64_t frame_ms);
/*
 * Writes from *next on, what is of its generation and not `stop`; *next: the first that is not
 * written, NULL if all is. -1 + errno: the file ends with the last whole tag.
 */
int rec_file_write(struct rec_file *f, struct tag **next, const struct tag *stop);
/* Complete: lock and descriptor go. */
void rec_file_close(struct rec_file *f, struct rec_sync *s);
#endif
