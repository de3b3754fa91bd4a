/*
 * rtmp_handshake.c - C0 C1 C2 in, S0 S1 S2 out (contract in rtmp_handshake.h).
 *
 * A digest is an HMAC-SHA256 over C1 without its own 32 bytes, at an offset that four bytes
 * of C1 tell; two schemes of where these lie are in use. A C1 without one gets the plain
 * handshake, whatever its version bytes say. C2 is not held against S1: clients differ.
 */
#include "rtmp_handshake.h"

#include <errno.h>
#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <string.h>
#include <sys/random.h>

#define DIGEST 32
#define S2_BYTES RTMP_C1_BYTES

/* The keys of the published digest handshake: a text each, and 32 bytes that full keys end with. */
static const uint8_t tail[32] = {
	0xf0, 0xee, 0xc2, 0x4a, 0x80, 0x68, 0xbe, 0xe8, 0x2e, 0x00, 0xd0, 0xd1, 0x02, 0x9e, 0x7e, 0x57,
	0x6e, 0xec, 0x5d, 0x2d, 0x29, 0x80, 0x6f, 0xab, 0x93, 0xb8, 0xe6, 0x36, 0xcf, 0xeb, 0x31, 0xae,
};
static const char player_key[] = "Genuine Adobe Flash Player 001";
static const char server_key[] = "Genuine Adobe Flash Media Server 001";

static void
hmac(const uint8_t *key, size_t key_len, const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len,
    uint8_t out[DIGEST])
{
	struct hmac_sha256_ctx ctx;

	hmac_sha256_set_key(&ctx, key_len, key);
	hmac_sha256_update(&ctx, a_len, a);
	hmac_sha256_update(&ctx, b_len, b);
	hmac_sha256_digest(&ctx, DIGEST, out);
}

/* Where the digest lies: scheme 0 counts from byte 8, scheme 1 from byte 772. */
static size_t
digest_offset(const uint8_t *c1, int scheme)
{
	size_t base = scheme == 0 ? 8 : 772;

	return ((size_t)c1[base] + c1[base + 1] + c1[base + 2] + c1[base + 3]) % 728 + base + 4;
}

static void
digest_of(const uint8_t *c1, size_t at, const char *key, uint8_t out[DIGEST])
{
	hmac((const uint8_t *)key, strlen(key), c1, at, c1 + at + DIGEST, RTMP_C1_BYTES - at - DIGEST, out);
}

/* The scheme of a C1 with a valid digest, or -1. */
static int
find_scheme(const uint8_t *c1)
{
	uint8_t want[DIGEST];
	size_t at;

	if (memcmp(c1 + 4, "\0\0\0\0", 4) == 0)
		return -1;
	for (int scheme = 0; scheme < 2; scheme++) {
		at = digest_offset(c1, scheme);
		digest_of(c1, at, player_key, want);
		if (memeql_sec(want, c1 + at, DIGEST))
			return scheme;
	}
	return -1;
}

static void
fill_random(uint8_t *p, size_t n)
{
	ssize_t got;

	for (; n > 0; p += got, n -= (size_t)got) {
		got = getrandom(p, n < 256 ? n : 256, 0);
		if (got < 0)
			got = 0;
	}
}

static void
answer(struct rtmp_handshake *h, uint8_t *reply)
{
	uint8_t *s1 = reply + 1, *s2 = s1 + RTMP_C1_BYTES, full[sizeof(server_key) - 1 + sizeof(tail)], key[DIGEST];
	const uint8_t *c1 = h->c0c1 + 1;
	int scheme = find_scheme(c1);
	size_t at;

	h->digest = scheme >= 0;
	reply[0] = 3;
	fill_random(s1, RTMP_C1_BYTES);
	memset(s1, 0, 8);
	if (!h->digest) {
		memcpy(s2, c1, S2_BYTES);
		return;
	}
	memcpy(s1 + 4, "\4\5\0\1", 4);
	at = digest_offset(s1, scheme);
	digest_of(s1, at, server_key, s1 + at);
	memcpy(full, server_key, sizeof(server_key) - 1);
	memcpy(full + sizeof(server_key) - 1, tail, sizeof(tail));
	hmac(full, sizeof(full), c1 + digest_offset(c1, scheme), DIGEST, NULL, 0, key);
	fill_random(s2, S2_BYTES);
	hmac(key, sizeof(key), s2, S2_BYTES - DIGEST, NULL, 0, s2 + S2_BYTES - DIGEST);
}

int
rtmp_handshake_input(struct rtmp_handshake *h, const uint8_t *in, size_t len, size_t *consumed,
    uint8_t *reply, size_t *reply_len)
{
	const size_t first = sizeof(h->c0c1), all = first + RTMP_C1_BYTES;
	size_t n = 0;

	*consumed = *reply_len = 0;
	if (h->have < first) {
		n = len < first - h->have ? len : first - h->have;
		memcpy(h->c0c1 + h->have, in, n);
		h->have += n;
		if (h->have > 0 && h->c0c1[0] != 3) {	/* RTMPE, HTTP, TLS ... */
			errno = EPROTO;
			return -1;
		}
		if (h->have == first) {
			answer(h, reply);
			*reply_len = 1 + 2 * RTMP_C1_BYTES;
		}
	}
	if (h->have >= first) {
		size_t c2 = len - n < all - h->have ? len - n : all - h->have;

		h->have += c2;
		n += c2;
	}
	*consumed = n;
	return h->have == all;
}
