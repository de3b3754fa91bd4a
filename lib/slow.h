/* slow.h - what waits for the disk, beside the loop: an fsync, a hash of a whole file. */
#ifndef MILLRACE_SLOW_H
#define MILLRACE_SLOW_H

struct event_base;
struct slow;

/*
 * work() on a thread of its own, which may touch nothing but ctx; then done() on the loop with
 * what it returned. NULL + errno: no thread. slow_forget(): done() is not called any more, and
 * free_ctx (may be NULL) frees ctx once work() is through.
 */
struct slow *slow_run(struct event_base *base, int (*work)(void *ctx), void (*done)(int rc, void *ctx), void *ctx);
void slow_forget(struct slow **s, void (*free_ctx)(void *ctx));
#endif
