/*
 * bits.h - reads bits from the highest down, with the Exp-Golomb codes of H.264 and HEVC
 * (H.264 9.1). One that runs out of bytes gives zeros and sets `over`.
 */
#ifndef MILLRACE_BITS_H
#define MILLRACE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bits { const uint8_t *p; size_t len, at; bool over; };	/* at: in bits */

uint32_t bits_get(struct bits *b, unsigned n);	/* n <= 32 */
void bits_skip(struct bits *b, unsigned n);
uint32_t bits_ue(struct bits *b);
int32_t bits_se(struct bits *b);
/* A NAL unit without its emulation prevention bytes, at most size of it; how many bytes. */
size_t bits_unescape(const uint8_t *in, size_t len, uint8_t *out, size_t size);
#endif
