/* lines.h - lines from one of a child's descriptors, on the loop. */
#ifndef MILLRACE_LINES_H
#define MILLRACE_LINES_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>

#define LINES_LINE_MAX 1024	/* a longer line comes in pieces */

struct lines {
	int fd;			/* -1: closed */
	struct event *ev;
	void (*line)(void *ctx, const char *line);
	void (*end)(void *ctx);	/* may be NULL; not called by _close */
	void *ctx;
	size_t len;
	char buf[LINES_LINE_MAX];
};

/* Takes fd. line, end and ctx must be set. */
void lines_open(struct lines *l, struct event_base *base, int fd);
void lines_drain(struct lines *l);	/* what is there now, for a child that is gone */
void lines_close(struct lines *l);
#endif
