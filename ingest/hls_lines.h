/* hls_lines.h - lines from one of a child's descriptors, on the loop. */
#ifndef MILLRACE_HLS_LINES_H
#define MILLRACE_HLS_LINES_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>

#define HLS_LINE_MAX 1024	/* a longer line comes in pieces */

struct hls_lines {
	int fd;			/* -1: closed */
	struct event *ev;
	void (*line)(void *ctx, const char *line);
	void (*end)(void *ctx);	/* may be NULL; not called by _close */
	void *ctx;
	size_t len;
	char buf[HLS_LINE_MAX];
};

/* Takes fd. line, end and ctx must be set. */
void hls_lines_open(struct hls_lines *l, struct event_base *base, int fd);
void hls_lines_drain(struct hls_lines *l);	/* what is there now, for a child that is gone */
void hls_lines_close(struct hls_lines *l);
#endif
