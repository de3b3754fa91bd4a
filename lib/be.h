/*
 * be.h - numbers with their highest byte first, as FLV, RTMP, AMF and MP4 have them.
 *
 * Nothing is checked: the caller has the bytes. n: how many, 8 at most.
 */
#ifndef MILLRACE_BE_H
#define MILLRACE_BE_H

#include <stdint.h>

static inline uint64_t
be_get64(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | *p++;
	return v;
}

static inline uint32_t
be_get(const uint8_t *p, unsigned n)
{
	return (uint32_t)be_get64(p, n);
}

static inline void
be_put(uint8_t *p, unsigned n, uint64_t v)
{
	while (n-- > 0)
		*p++ = (uint8_t)(v >> 8 * n);
}
#endif
