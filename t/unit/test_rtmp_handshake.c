/* rtmp_handshake.c: the plain and the digest form, at every split; what is not RTMP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <nettle/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/rtmp_handshake.h"

#define C1 RTMP_C1_BYTES
#define ALL (1 + 2 * C1)
#define DIGEST 32

static const char player[] = "Genuine Adobe Flash Player 001", server[] = "Genuine Adobe Flash Media Server 001";
static const uint8_t tail[32] = {
	0xf0, 0xee, 0xc2, 0x4a, 0x80, 0x68, 0xbe, 0xe8, 0x2e, 0x00, 0xd0, 0xd1, 0x02, 0x9e, 0x7e, 0x57,
	0x6e, 0xec, 0x5d, 0x2d, 0x29, 0x80, 0x6f, 0xab, 0x93, 0xb8, 0xe6, 0x36, 0xcf, 0xeb, 0x31, 0xae,
};

struct run { struct rtmp_handshake h; uint8_t reply[ALL]; size_t reply_len, used; int rc; };

/* cut as in the other tests: 0 in single bytes, else two pieces. */
static void
feed(struct run *r, const uint8_t *in, size_t len, size_t cut)
{
	uint8_t out[ALL], *piece;
	size_t n, used, got;

	memset(r, 0, sizeof(*r));
	for (size_t at = 0; at < len && r->rc == 0; at += n) {
		n = cut == 0 ? 1 : at == 0 && cut < len ? cut : len - at;
		piece = malloc(n);
		memcpy(piece, in + at, n);
		r->rc = rtmp_handshake_input(&r->h, piece, n, &used, out, &got);
		free(piece);
		r->used += used;
		if (r->rc == 0)
			assert_int_equal(used, n);
		if (r->rc < 0)
			assert_int_equal(got, 0);
		if (got > 0) {
			assert_int_equal(r->reply_len, 0);	/* once only */
			assert_true(at + n >= 1 + C1);
			memcpy(r->reply, out, got);
			r->reply_len = got;
		}
	}
}

static void
counting(uint8_t in[ALL + 5])
{
	for (size_t i = 0; i < ALL + 5; i++)
		in[i] = (uint8_t)(i * 7 + i / 256);
	in[0] = 3;
	memset(in + 1, 0, 8);
}

static void
plain(void **state)
{
	uint8_t in[ALL + 5];
	struct run r;

	counting(in);
	for (size_t cut = 0; cut < ALL + 5; cut++) {
		feed(&r, in, ALL + 5, cut);
		assert_int_equal(r.rc, 1);
		assert_int_equal(r.used, ALL);		/* what follows is chunks */
		assert_int_equal(r.reply_len, ALL);
		assert_int_equal(r.reply[0], 3);
		assert_memory_equal(r.reply + 1 + C1, in + 1, C1);
		assert_false(r.h.digest);
	}
	feed(&r, in, ALL - 1, ALL);
	assert_int_equal(r.rc, 0);
}

static void
s1_is_random(void **state)
{
	uint8_t in[ALL + 5];
	struct run a, b;

	counting(in);
	feed(&a, in, ALL, ALL);
	feed(&b, in, ALL, ALL);
	assert_memory_not_equal(a.reply + 9, b.reply + 9, C1 - 8);
	assert_memory_equal(a.reply + 1 + 4, "\0\0\0\0", 4);
}

static size_t
offset(const uint8_t *c1, size_t base)
{
	return ((size_t)c1[base] + c1[base + 1] + c1[base + 2] + c1[base + 3]) % 728 + base + 4;
}

static void
digest(const uint8_t *c1, size_t at, const char *key, uint8_t out[DIGEST])
{
	struct hmac_sha256_ctx ctx;

	hmac_sha256_set_key(&ctx, strlen(key), (const uint8_t *)key);
	hmac_sha256_update(&ctx, at, c1);
	hmac_sha256_update(&ctx, C1 - at - DIGEST, c1 + at + DIGEST);
	hmac_sha256_digest(&ctx, DIGEST, out);
}

/* S1 must carry the server's digest, S2 end with a proof that C1's was read. */
static void
check_digest_reply(const uint8_t *c1, const struct run *r, size_t base)
{
	const uint8_t *s1 = r->reply + 1, *s2 = s1 + C1;
	uint8_t want[DIGEST], key[DIGEST], full[sizeof(server) - 1 + sizeof(tail)];
	struct hmac_sha256_ctx ctx;

	digest(s1, offset(s1, base), server, want);
	assert_memory_equal(s1 + offset(s1, base), want, DIGEST);
	assert_memory_not_equal(s1 + 4, "\0\0\0\0", 4);
	memcpy(full, server, sizeof(server) - 1);
	memcpy(full + sizeof(server) - 1, tail, sizeof(tail));
	hmac_sha256_set_key(&ctx, sizeof(full), full);
	hmac_sha256_update(&ctx, DIGEST, c1 + offset(c1, base));
	hmac_sha256_digest(&ctx, DIGEST, key);
	hmac_sha256_set_key(&ctx, DIGEST, key);
	hmac_sha256_update(&ctx, C1 - DIGEST, s2);
	hmac_sha256_digest(&ctx, DIGEST, want);
	assert_memory_equal(s2 + C1 - DIGEST, want, DIGEST);
}

static void
digest_forms(void **state)
{
	static const size_t bases[] = { 8, 772 }, cuts[] = { 0, 1, 2, 1536, 1537, 1538, 3072, ALL };
	uint8_t in[ALL + 5], *c1 = in + 1;
	struct run r;

	for (size_t i = 0; i < 2; i++)
		for (unsigned shift = 0; shift < 4; shift++) {
			counting(in);
			memcpy(c1 + 4, "\x80\0\x07\x02", 4);
			memset(c1 + bases[i], shift == 3 ? 255 : (int)(shift * 60 + 2), 4);
			digest(c1, offset(c1, bases[i]), player, c1 + offset(c1, bases[i]));
			for (size_t k = 0; k < sizeof(cuts) / sizeof(cuts[0]); k++) {
				feed(&r, in, ALL, cuts[k]);
				assert_int_equal(r.rc, 1);
				assert_true(r.h.digest);
				check_digest_reply(c1, &r, bases[i]);
			}
		}
}

static void
a_wrong_digest_gets_the_plain_form(void **state)
{
	uint8_t in[ALL + 5], *c1 = in + 1;
	struct run r;

	counting(in);
	memcpy(c1 + 4, "\x80\0\x07\x02", 4);
	digest(c1, offset(c1, 8), player, c1 + offset(c1, 8));
	c1[1000] ^= 1;
	feed(&r, in, ALL, ALL);
	assert_int_equal(r.rc, 1);
	assert_false(r.h.digest);
	assert_memory_equal(r.reply + 1 + C1, c1, C1);
}

static void
what_is_not_rtmp(void **state)
{
	static const uint8_t firsts[] = { 'G', 0x16, 6, 0, 2, 4, 0xff };
	uint8_t in[ALL + 5];
	struct run r;

	counting(in);
	for (size_t i = 0; i < sizeof(firsts); i++) {
		in[0] = firsts[i];
		feed(&r, in, ALL, 0);		/* the first byte settles it */
		assert_int_equal(r.rc, -1);
		feed(&r, in, ALL, ALL);
		assert_int_equal(r.rc, -1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),
		cmocka_unit_test(s1_is_random),
		cmocka_unit_test(digest_forms),
		cmocka_unit_test(a_wrong_digest_gets_the_plain_form),
		cmocka_unit_test(what_is_not_rtmp),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
