/*
 * record_scan.h - the list of all recordings on this host's disk: newest first, bounded. Read on
 * a thread, because a disk may take its time; once read it never changes.
 */
#ifndef MILLRACE_HTTP_RECORD_SCAN_H
#define MILLRACE_HTTP_RECORD_SCAN_H

#include <limits.h>
#include <stdint.h>

#include "workers/http/record.h"

enum record_place { RECORD_RECORDINGS, RECORD_VIDEO, RECORD_AUDIO, RECORD_PLACES };

struct record {
	char *file;				/* relative to its place */
	enum record_place place;		/* data_dir/recordings, media/video, media/audio */
	char stream[STREAM_NAME_MAX + 1];	/* "": its name does not say */
	int64_t size, mtime_ms, started_ms;	/* started: mtime if its name does not say */
	int64_t duration_ms;			/* -1: unknown */
};

struct record_list {
	struct record *r;
	size_t n, cap;
	uint64_t total;		/* with what was above max and is not in r */
	int text_fd;		/* {"video": [...], "audio": [...]} in a memfd, so that slow readers share it */
	uint64_t text_hash;
};

struct record_scan {
	char data_dir[PATH_MAX];
	char pattern[256];	/* streams.record.path */
	size_t max;
	const struct record_list *old;		/* what was found the last time, or NULL */
	struct record_list *list;		/* result, the caller's */
};

/* For slow_run(). 0, or -1 + errno: a folder can't be read, list is NULL. */
int record_scan(void *ctx);
/* The order of a list: below 0 if a file that began at ms stands before r. */
int record_order(int64_t ms, const char *file, const struct record *r);
void record_list_free(struct record_list **l);
#endif
