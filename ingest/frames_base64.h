/* frames_base64.h - base64 (RFC 4648) as browsers and other languages write it. Pure. */
#ifndef MILLRACE_FRAMES_BASE64_H
#define MILLRACE_FRAMES_BASE64_H

#include <stddef.h>
#include <stdint.h>

#define FRAMES_BASE64_BYTES(len) ((len) / 4 * 3 + 8)	/* room for what `len` characters may become */

/* Of either alphabet, with or without padding and line ends. 0 and *n bytes in out, or -1: it is none. */
int frames_base64_decode(const char *text, size_t len, uint8_t *out, size_t *n);
#endif
