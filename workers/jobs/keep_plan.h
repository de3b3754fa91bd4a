/* keep_plan.h - which recordings go, by streams.record.keep: decides only. keep.c does it. */
#ifndef MILLRACE_KEEP_PLAN_H
#define MILLRACE_KEEP_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum keep_why { KEEP_STAYS, KEEP_DAYS, KEEP_COUNT, KEEP_BYTES, KEEP_SPACE };

struct keep_file {
	char *file;			/* "recordings/alice/20261121T135800.123Z.mp4" */
	char stream[65];
	int64_t size, mtime_ns;
	bool verified;			/* keep.c's: it is in the bucket */
	/* the answer */
	enum keep_why why;		/* what it is deleted for */
	bool blocked;			/* it should go, but may not */
};

struct keep_limits {
	int64_t now_ns;
	int64_t days, count, bytes, free_space;	/* 0: no such limit */
	int64_t free_now;			/* on the disk; -1: not known */
};

struct keep_sum {
	size_t deleted, blocked;
	int64_t deleted_bytes, blocked_bytes;
};

/*
 * Sets why and blocked of each; sorts them, oldest first. may() is asked once at most, and only of files
 * that should go: one that may not stays, and a younger one goes instead if bytes or free_space ask for it.
 */
struct keep_sum keep_plan(struct keep_file *files, size_t n, const struct keep_limits *l,
    bool (*may)(struct keep_file *f, void *ctx), void *ctx);
/* What for, in words: "older than streams.record.keep.days". */
const char *keep_why_text(enum keep_why why);
/* {stream} of a file that was named by this pattern; of another one the folder below recordings. */
void keep_stream(const char *pattern, const char *file, char *out, size_t size);
#endif
