/*
 * spool.h - reading data_dir/spool, which the supervisor writes: events-<epoch_ms>.jsonl, one
 * event (JSON object with "id") a line. How far we are stands in spool/offset.
 */
#ifndef MILLRACE_SPOOL_H
#define MILLRACE_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPOOL_NAME 64
#define SPOOL_READ_BYTES 262144		/* at most this much at once; no event is longer */
#define SPOOL_BATCH 100			/* lines */

struct spool_pos {
	char file[SPOOL_NAME];		/* "" = nothing read yet */
	int64_t offset;
};

/* "FILE OFFSET\n" as in spool/offset. parse: 0 or -1 EBADMSG. */
int spool_pos_parse(const char *text, struct spool_pos *out);
int spool_pos_print(const struct spool_pos *p, char *out, size_t size);
/* events-<digits>.jsonl */
bool spool_is_file(const char *name);

struct spool {
	char dir[400];
	struct spool_pos pos;		/* up to here all is in Redis */
};

struct spool_batch {
	char *bytes;			/* spool_batch_free() */
	const char *lines[SPOOL_BATCH];	/* NUL-terminated in bytes, without the newline */
	int nlines;
	struct spool_pos next;		/* where to go on once they are in Redis */
};

/* Reads spool/offset; one that is absent or damaged means from the start. */
void spool_open(struct spool *s, const char *dir);
/*
 * The next lines, all of one file. Files that are done are deleted on the way, but never the
 * last, which the supervisor may still be writing. 1 there are some (empty and over-long
 * lines are skipped: nlines may be 0 with a new position), 0 all is read, -1 + errno.
 */
int spool_next(struct spool *s, struct spool_batch *b);
void spool_batch_free(struct spool_batch *b);
/* All lines of b are in Redis: remembered on disk. 0 or -1 + errno. */
int spool_done(struct spool *s, const struct spool_batch *b);
/* Pure: splits len bytes, of which only whole lines count, into b; bytes used. */
size_t spool_split(char *bytes, size_t len, struct spool_batch *b);
#endif
