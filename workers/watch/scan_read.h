/* scan_read.h - between scan.c, which decides what is read, and the thread that reads it. */
#ifndef MILLRACE_WATCH_SCAN_READ_H
#define MILLRACE_WATCH_SCAN_READ_H

#include <dirent.h>
#include <limits.h>

#include "workers/watch/watch.h"

#define SCAN_CHUNK 256		/* names */

struct scan_found {
	char name[NAME_MAX + 1];
	bool is_dir;
	struct settle_id id;
};

struct scan_chunk {
	const struct folder *fo;
	const char *rel;
	DIR *d;			/* NULL: not begun */
	int wd, wd_error;	/* wd -1: no watch; wd_error: why, 0 = none was wanted */
	int error;		/* of opening or reading */
	bool end;
	int n;
	struct scan_found found[SCAN_CHUNK];
};

/* For slow_run(): the next names that count. 0, or -1: the folder can't be opened. */
int scan_read(void *chunk);
#endif
