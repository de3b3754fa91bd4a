/* FLV heads and sequence headers: what is found lies inside the body; sizes and rates are sane. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "flv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct flv_info *i, size_t len)
{
	if (i->payload > len || i->payload_len > len - i->payload || (i->keyframe && i->sequence_header) ||
	    i->cts_ms < -0x800000 || i->cts_ms > 0x7fffff + 17 || flv_codec_name(i->codec) == NULL)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *exact = malloc(size ? size : 1);
	struct flv_info info;
	int a, b;

	memcpy(exact, data, size);
	if (flv_parse_video(exact, size, &info) == 0)
		check(&info, size);
	if (flv_parse_audio(exact, size, &info) == 0)
		check(&info, size);
	if (flv_avc_size(exact, size, &a, &b) == 0 && (a < 1 || b < 1 || a > 32768 || b > 32768))
		abort();
	if (flv_aac_config(exact, size, &a, &b) == 0 && (a < 1 || a > 0xffffff || b < 0 || b > 8))
		abort();
	free(exact);
	return 0;
}
