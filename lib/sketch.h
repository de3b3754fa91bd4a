/*
 * sketch.h - how many distinct players several workers have seen together, without passing
 * their lists around: linear counting (Whang). Every player sets the bit its hash names; sketches
 * are united by OR, and the share of bits still clear tells how many there are. Pure.
 * The error grows with the number: none to speak of up to some hundreds, 0.4 % (one sigma) at
 * 20,000, 0.8 % at 100,000.
 */
#ifndef MILLRACE_SKETCH_H
#define MILLRACE_SKETCH_H

#include <stdint.h>

#define SKETCH_BITS 32768
#define SKETCH_BYTES (SKETCH_BITS / 8)
#define SKETCH_TEXT ((SKETCH_BYTES + 2) / 3 * 4 + 1)	/* base64 and its NUL */

struct sketch { uint8_t bits[SKETCH_BYTES]; };	/* begins as zeros */

void sketch_add(struct sketch *s, uint64_t hash);
void sketch_unite(struct sketch *into, const struct sketch *from);
uint32_t sketch_count(const struct sketch *s);	/* UINT32_MAX: every bit is set, nobody knows */

void sketch_write(const struct sketch *s, char text[SKETCH_TEXT]);
int sketch_read(struct sketch *s, const char *text);	/* 0, or -1: not a sketch */
#endif
