/*
 * intake_queue.h - what waits for an ffmpeg that reads a container: the file's beginning, kept,
 * which each ffmpeg gets first; then the bytes that follow, and where among them one can begin
 * again. ws_intake.c's.
 */
#ifndef MILLRACE_INTAKE_QUEUE_H
#define MILLRACE_INTAKE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define INTAKE_INIT_MAX (1 << 20)	/* of a file's beginning */
#define INTAKE_POINTS 512

struct evbuffer;

struct intake_queue {
	struct evbuffer *bytes;
	uint8_t *init;				/* the file's beginning */
	size_t init_len, init_off;		/* init_off: what this ffmpeg has of it */
	uint64_t in, out;			/* bytes that entered and left since the file began */
	uint64_t points[INTAKE_POINTS];		/* of these, where one can begin again */
	unsigned npoints;
	bool skipping;				/* up to the next point */
};

void intake_queue_init(struct intake_queue *q);
void intake_queue_free(struct intake_queue *q);
void intake_queue_reset(struct intake_queue *q);	/* another file */
size_t intake_queue_bytes(const struct intake_queue *q);
/* What is beyond INTAKE_INIT_MAX is not kept: look at init_len. */
void intake_queue_add_init(struct intake_queue *q, const uint8_t *p, size_t n);
/* point: one can begin again at p. */
void intake_queue_add(struct intake_queue *q, const uint8_t *p, size_t n, bool point);
/* What fd takes: > 0, 0: nothing waits, -1 + errno. */
ssize_t intake_queue_write(struct intake_queue *q, int fd);
/* For another ffmpeg: the beginning again, then from the first point behind what the last one had. */
void intake_queue_rewind(struct intake_queue *q);
#endif
