/*
 * sketch.c - see sketch.h. Called by workers/http/viewers.c and supervisor/streams_viewers.c.
 */
#include <math.h>
#include <nettle/base64.h>
#include <string.h>

#include "sketch.h"

void
sketch_add(struct sketch *s, uint64_t hash)
{
	s->bits[hash % SKETCH_BITS / 8] |= (uint8_t)(1 << hash % 8);
}

void
sketch_unite(struct sketch *into, const struct sketch *from)
{
	for (unsigned i = 0; i < SKETCH_BYTES; i++)
		into->bits[i] |= from->bits[i];
}

uint32_t
sketch_count(const struct sketch *s)
{
	unsigned clear = SKETCH_BITS;

	for (unsigned i = 0; i < SKETCH_BYTES; i++)
		clear -= (unsigned)__builtin_popcount(s->bits[i]);
	if (clear == 0)
		return UINT32_MAX;
	return (uint32_t)lround(-SKETCH_BITS * log((double)clear / SKETCH_BITS));
}

void
sketch_write(const struct sketch *s, char text[SKETCH_TEXT])
{
	base64_encode_raw(text, SKETCH_BYTES, s->bits);
	text[SKETCH_TEXT - 1] = '\0';
}

int
sketch_read(struct sketch *s, const char *text)
{
	uint8_t raw[BASE64_DECODE_LENGTH(SKETCH_TEXT - 1)];
	struct base64_decode_ctx ctx;
	size_t n = sizeof(raw);

	/* its length first: the decoder writes as much as the text has */
	if (strlen(text) != SKETCH_TEXT - 1)
		return -1;
	base64_decode_init(&ctx);
	if (!base64_decode_update(&ctx, &n, raw, SKETCH_TEXT - 1, text) || !base64_decode_final(&ctx) ||
	    n != SKETCH_BYTES)
		return -1;
	memcpy(s->bits, raw, SKETCH_BYTES);
	return 0;
}
