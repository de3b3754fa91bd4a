/*
 * settle.h - has a file stopped changing? What was seen of it last, and since when it is so.
 * Pure: the clock is the caller's, so that tests have their own.
 */
#ifndef MILLRACE_WATCH_SETTLE_H
#define MILLRACE_WATCH_SETTLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* Two files with the same are the same file, unchanged. All zero: none. */
struct settle_id {
	int64_t size, mtime_ns;
	uint64_t inode;
};

struct settle {
	struct settle_id id;
	int64_t since_ms;	/* unchanged since; 0: never seen */
};

struct settle_id settle_id_of(const struct stat *st);
bool settle_same(const struct settle_id *a, const struct settle_id *b);
/* true: it is new or has changed since the last time. */
bool settle_see(struct settle *s, const struct settle_id *id, int64_t now);
/* Somebody still writes it, whatever its size and time say: the quiet time begins again. */
void settle_written(struct settle *s, int64_t now);
/* When it will have been quiet for long enough, if nothing happens. */
int64_t settle_due(const struct settle *s, int64_t quiet_ms);
bool settle_is_quiet(const struct settle *s, int64_t now, int64_t quiet_ms);
#endif
