/* metrics.h - between metrics.c, metrics_work.c and metrics_webrtc.c only. */
#ifndef MILLRACE_METRICS_H
#define MILLRACE_METRICS_H

#include <stddef.h>

struct evbuffer;
struct view;

/* A counter of a kind of worker, where it is in struct board_page; 4 or 8 bytes. */
struct metrics_figure {
	const char *name, *type, *help;
	size_t at, size;
};
#define METRICS_AT(field) offsetof(struct board_page, field), sizeof(((struct board_page *)0)->field)

/* HELP and TYPE of millrace_NAME. */
void metrics_family(struct evbuffer *b, const char *name, const char *type, const char *help);
/* One without labels, whole. */
void metrics_single(struct evbuffer *b, const char *name, const char *type, const char *help, double value);
/* Each figure of each worker of that kind. A worker's number is its name, in the log and on the board. */
void metrics_workers(struct evbuffer *b, const struct view *v, const char *kind, const struct metrics_figure *figures,
    size_t n);
/* Jobs, uploads, watched folders, disk. */
void metrics_work(struct evbuffer *b, const struct view *v);
void metrics_webrtc(struct evbuffer *b, const struct view *v);
#endif
