/*
 * flv_read.h - an FLV byte stream (Adobe Video File Format 10.1, annex E) to its tags: bytes in,
 * tags out. Pure and bounded: a tag's body may have max bytes, and memory grows with what came.
 */
#ifndef MILLRACE_FLV_READ_H
#define MILLRACE_FLV_READ_H

#include <stddef.h>
#include <stdint.h>

#include "flv.h"

struct flv_read_ops {
	void (*media)(void *ctx, enum flv_type type, uint32_t ts, const uint8_t *body, size_t len);
	/* A script tag's body, AMF0 values (onMetaData); may be NULL. */
	void (*script)(void *ctx, const uint8_t *body, size_t len);
};

struct flv_read {
	const struct flv_read_ops *ops;
	void *ctx;
	uint8_t *buf;			/* of an unfinished header, tag head or body */
	size_t len, cap, want, max;
	enum { FLV_READ_FILE, FLV_READ_HEAD, FLV_READ_BODY, FLV_READ_BROKEN } state;
	enum flv_type type;
	uint32_t ts;
	const char *error;		/* NULL, or why it is broken */
};

void flv_read_init(struct flv_read *r, size_t max, const struct flv_read_ops *ops, void *ctx);
void flv_read_free(struct flv_read *r);
void flv_read_reset(struct flv_read *r);	/* another file begins */
/* Takes all bytes. 0, or -1 with r->error: this is no FLV. */
int flv_read_feed(struct flv_read *r, const uint8_t *p, size_t n);
#endif
