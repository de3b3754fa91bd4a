/*
 * flv_read.c - see flv_read.h. Called by ingest/ws_intake.c, for a publisher's FLV and for what ffmpeg
 * makes, and by workers/webrtc/feed.c for what an ingest sends.
 */
#include "flv_read.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"

#define KEEP_BYTES (256 * 1024)	/* memory that is kept between two tags */

void
flv_read_init(struct flv_read *r, size_t max, const struct flv_read_ops *ops, void *ctx)
{
	memset(r, 0, sizeof(*r));
	r->max = max;
	r->ops = ops;
	r->ctx = ctx;
	flv_read_reset(r);
}

void
flv_read_free(struct flv_read *r)
{
	free(r->buf);
	r->buf = NULL;
	r->cap = r->len = 0;
}

void
flv_read_reset(struct flv_read *r)
{
	r->state = FLV_READ_FILE;
	r->want = FLV_HEADER_BYTES;
	r->len = 0;
	r->error = NULL;
	if (r->cap > KEEP_BYTES)
		flv_read_free(r);
}

static void
broken(struct flv_read *r, const char *why)
{
	r->state = FLV_READ_BROKEN;
	r->error = why;
}

static void
take_file(struct flv_read *r)
{
	if (memcmp(r->buf, "FLV\1", 4) != 0 || memcmp(r->buf + 5, "\0\0\0\11", 4) != 0) {
		broken(r, "no FLV header where one should be");
		return;
	}
	r->state = FLV_READ_HEAD;
	r->want = FLV_TAG_HEAD_BYTES;
}

static void
take_head(struct flv_read *r)
{
	const uint8_t *h = r->buf;
	size_t body = flv_tag_body(h);

	r->type = (enum flv_type)(h[0] & 0x1f);
	r->ts = flv_tag_ms(h);
	if (h[0] & 0x20)
		broken(r, "an encrypted FLV tag");
	else if (r->type != FLV_AUDIO && r->type != FLV_VIDEO && r->type != FLV_DATA)
		broken(r, "an FLV tag that is neither audio, video nor data");
	else if (body > r->max)
		broken(r, "an FLV tag longer than rtmp.max_message");
	if (r->state == FLV_READ_BROKEN)
		return;
	r->state = FLV_READ_BODY;
	r->want = body + FLV_TAG_TAIL_BYTES;
}

static void
take_body(struct flv_read *r)
{
	size_t len = r->len - FLV_TAG_TAIL_BYTES;

	if (r->type == FLV_DATA && r->ops->script != NULL)
		r->ops->script(r->ctx, r->buf, len);
	else if (r->type != FLV_DATA && len > 0)
		r->ops->media(r->ctx, r->type, r->ts, r->buf, len);
	r->state = FLV_READ_HEAD;
	r->want = FLV_TAG_HEAD_BYTES;
}

static void
grow(struct flv_read *r, const uint8_t *p, size_t n)
{
	if (r->len + n > r->cap) {
		r->cap = r->len + n > 2 * r->cap ? r->len + n : 2 * r->cap;
		r->buf = xrealloc(r->buf, r->cap);
	}
	memcpy(r->buf + r->len, p, n);
	r->len += n;
}

int
flv_read_feed(struct flv_read *r, const uint8_t *p, size_t n)
{
	size_t run;

	while (n > 0 && r->state != FLV_READ_BROKEN) {
		run = r->want - r->len < n ? r->want - r->len : n;
		grow(r, p, run);
		p += run;
		n -= run;
		if (r->len < r->want)
			break;
		if (r->state == FLV_READ_FILE)
			take_file(r);
		else if (r->state == FLV_READ_HEAD)
			take_head(r);
		else
			take_body(r);
		r->len = 0;
	}
	return r->state == FLV_READ_BROKEN ? -1 : 0;
}
