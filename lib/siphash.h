/* siphash.h - SipHash-2-4 (Aumasson, Bernstein): a keyed 64-bit hash of foreign bytes. */
#ifndef MILLRACE_SIPHASH_H
#define MILLRACE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t siphash(const uint8_t key[16], const void *in, size_t len);
#endif
