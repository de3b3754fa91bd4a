/* resolve.h - a host's address without waiting for it. One question at a time per struct. */
#ifndef MILLRACE_RESOLVE_H
#define MILLRACE_RESOLVE_H

struct event_base;
struct resolve;

/* address: numeric, or NULL and why. */
typedef void (*resolve_cb)(const char *address, const char *why, void *ctx);

struct resolve *resolve_new(struct event_base *base, resolve_cb cb, void *ctx);
/*
 * cb once, never before this returns. A question still open goes on: its answer is used. Of several
 * addresses the nth, round and round: one may have nobody behind it.
 */
void resolve_ask(struct resolve *r, const char *host, unsigned nth);
void resolve_free(struct resolve **r);
#endif
