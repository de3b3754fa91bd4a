/* bits.c - bits of codec headers (contract in bits.h). Called by flv_config.c and flv_picture.c. */
#include "bits.h"

uint32_t
bits_get(struct bits *b, unsigned n)
{
	uint32_t v = 0;

	for (; n > 0; n--, b->at++) {
		if (b->at / 8 >= b->len) {
			b->over = true;
			return 0;
		}
		v = v << 1 | (b->p[b->at / 8] >> (7 - b->at % 8) & 1);
	}
	return v;
}

uint32_t
bits_ue(struct bits *b)
{
	unsigned zeros = 0;

	while (!b->over && bits_get(b, 1) == 0)
		if (++zeros > 31) {
			b->over = true;
			return 0;
		}
	return ((1U << zeros) - 1) + bits_get(b, zeros);
}

int32_t
bits_se(struct bits *b)
{
	uint32_t v = bits_ue(b);

	return v & 1 ? (int32_t)(v / 2 + 1) : -(int32_t)(v / 2);
}

void
bits_skip(struct bits *b, unsigned n)
{
	b->at += n;
	b->over = b->over || b->at > b->len * 8;
}

size_t
bits_unescape(const uint8_t *in, size_t len, uint8_t *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n < size; i++)
		if (i < 2 || in[i] != 3 || in[i - 1] != 0 || in[i - 2] != 0)
			out[n++] = in[i];
	return n;
}
