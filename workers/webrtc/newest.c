/* newest.c - see newest.h. Called by feed.c, for what it holds back. */
#include "newest.h"

#include "flv_read.h"
#include "rtc/ogg.h"
#include "rtc/opus.h"

#define TAG_MAX 0xffffff		/* what FLV can say */

static void
see_time(struct newest *n, int64_t ms)
{
	if (!n->any || ms > n->ms)
		n->ms = ms;
	n->any = true;
}

static void
see_tag(void *ctx, enum flv_type type, uint32_t ts, const uint8_t *body, size_t len)
{
	struct flv_info info;

	/* A sequence header may have any time. */
	if ((type == FLV_VIDEO ? flv_parse_video(body, len, &info) : flv_parse_audio(body, len, &info)) == 0 &&
	    !info.sequence_header && !info.metadata)
		see_time(ctx, ts);
}

static void
see_packet(void *ctx, const uint8_t *p, size_t n, int64_t granule, int samples)
{
	see_time(ctx, granule / (OPUS_RATE / 1000));
}

struct newest
newest_in_flv(const uint8_t *p, size_t n)
{
	static const struct flv_read_ops ops = { .media = see_tag };
	struct newest newest = { .any = false };
	struct flv_read look;

	flv_read_init(&look, TAG_MAX, &ops, &newest);
	newest.broken = flv_read_feed(&look, p, n) < 0;
	flv_read_free(&look);
	return newest;
}

struct newest
newest_in_ogg(const uint8_t *p, size_t n)
{
	static const struct ogg_ops ops = { .packet = see_packet };
	struct newest newest = { .any = false };
	struct ogg look;

	ogg_init(&look, &ops, &newest);
	ogg_feed(&look, p, n);
	ogg_free(&look);
	return newest;
}
