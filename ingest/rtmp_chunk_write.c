/*
 * rtmp_chunk_write.c - our own messages as chunks: format 0, then format 3, on chunk streams
 * below 64 (contract in rtmp_chunk.h). Called by rtmp_cmd.c. All our messages are of time
 * 0, so that there is no extended timestamp to write.
 */
#include "rtmp_chunk.h"

#include <event2/buffer.h>

void
rtmp_chunk_write(struct evbuffer *out, uint32_t chunk_size, uint32_t csid, uint8_t type,
    uint32_t stream_id, uint32_t timestamp, const void *body, size_t len)
{
	const uint8_t *p = body;
	uint8_t head[12] = {
		(uint8_t)csid, (uint8_t)(timestamp >> 16), (uint8_t)(timestamp >> 8), (uint8_t)timestamp,
		(uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len, type,
		(uint8_t)stream_id, (uint8_t)(stream_id >> 8), (uint8_t)(stream_id >> 16), (uint8_t)(stream_id >> 24),
	};
	uint8_t next = (uint8_t)(0xc0 | csid);
	size_t n;

	evbuffer_add(out, head, sizeof(head));
	while (len > 0) {
		n = len < chunk_size ? len : chunk_size;
		evbuffer_add(out, p, n);
		p += n;
		len -= n;
		if (len > 0)
			evbuffer_add(out, &next, 1);
	}
}
