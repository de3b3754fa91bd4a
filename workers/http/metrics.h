/* metrics.h - between metrics.c, metrics_work.c and metrics_webrtc.c only. */
#ifndef MILLRACE_METRICS_H
#define MILLRACE_METRICS_H

struct evbuffer;
struct view;

/* HELP and TYPE of millrace_NAME. */
void metrics_family(struct evbuffer *b, const char *name, const char *type, const char *help);
/* One without labels, whole. */
void metrics_single(struct evbuffer *b, const char *name, const char *type, const char *help, double value);
/* Jobs, uploads, watched folders, disk. */
void metrics_work(struct evbuffer *b, const struct view *v);
void metrics_webrtc(struct evbuffer *b, const struct view *v);
#endif
