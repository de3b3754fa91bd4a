/*
 * A WHIP publisher's packets: a list of them, each behind its length and the milliseconds that pass before it.
 * Whatever comes, tags are whole FLV bodies, pictures begin with a header and a key frame, RTCP is well-formed.
 */
#include <stdint.h>
#include <stdlib.h>

#include "ingest/whip_media.h"
#include "rtc/rtcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen { bool header, key; };

static void
on_tag(void *ctx, enum flv_type type, uint32_t ts, const uint8_t *body, size_t len)
{
	struct seen *seen = ctx;
	struct flv_info info;

	if ((type == FLV_AUDIO ? flv_parse_audio : flv_parse_video)(body, len, &info) < 0)
		abort();
	if (type == FLV_AUDIO)
		return;
	if (info.sequence_header)
		seen->header = true;
	else if (!seen->header || (!seen->key && !info.keyframe) || info.payload_len < 5)
		abort();
	else
		seen->key = true;
}

static void
on_rtcp(void *ctx, const uint8_t *p, size_t n)
{
	static const struct rtcp_ops ops = { .bye = NULL };

	if (n == 0 || rtcp_parse(p, n, &ops, NULL) < 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct whip_media_ops ops = { .tag = on_tag, .rtcp = on_rtcp };
	static const struct whip_media_conf conf = { .video_pt = 96, .rtx_pt = 97, .audio_pt = 111, .nack = true,
		.pli = true, .cname = "fuzz", .window_ms = 100, .key_ms = 2000, .max_picture = 4096, .remb_bps = 1000000 };
	struct seen seen = { false, false };
	struct whip_media *m = whip_media_new(&conf, &ops, &seen);
	int64_t now = 1000;
	size_t at = 0, n;

	while (size - at >= 2) {
		n = data[at] < size - at - 2 ? data[at] : size - at - 2;
		now += data[at + 1];
		at += 2;
		if (n > 1 && data[at + 1] >= 192 && data[at + 1] <= 223)
			whip_media_rtcp(m, data + at, n, now);
		else
			whip_media_rtp(m, data + at, n, now);
		whip_media_tick(m, now);
		at += n;
	}
	whip_media_flush(m);
	whip_media_free(&m);
	return 0;
}
