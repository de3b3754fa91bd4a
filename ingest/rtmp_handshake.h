/*
 * rtmp_handshake.h - the server's side of the RTMP handshake (Adobe RTMP 1.0, 5.2), with the
 * digest form that Flash, ffmpeg and others offer in C1 (offset scheme 0 and 1). Pure.
 */
#ifndef MILLRACE_RTMP_HANDSHAKE_H
#define MILLRACE_RTMP_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RTMP_C1_BYTES 1536

struct rtmp_handshake {
	size_t have;		/* of C0 C1 C2 */
	bool digest;		/* C1 carried a valid one */
	uint8_t c0c1[1 + RTMP_C1_BYTES];
};

/*
 * Takes bytes; *consumed of len. 1: done, what follows is chunks. 0: needs more. -1: not RTMP.
 * When C1 is whole *reply_len bytes of S0 S1 S2 are put into reply (1 + 2 * RTMP_C1_BYTES).
 */
int rtmp_handshake_input(struct rtmp_handshake *h, const uint8_t *in, size_t len, size_t *consumed,
    uint8_t *reply, size_t *reply_len);
#endif
