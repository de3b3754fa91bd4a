/*
 * stun.c - see stun.h. Called by ice.c for every datagram and frame that begins like STUN, and by
 * test clients. A message is walked once; a length that lies makes it malformed, never a read
 * outside of it. The order is that of the cost: lengths, CRC, and the HMAC only by stun_verify(),
 * when the name in it is known.
 */
#include "rtc/stun.h"

#include <netinet/in.h>
#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <string.h>

#include "be.h"

#define COOKIE 0x2112a442u
#define ATTR_HEAD 4
#define INTEGRITY_BYTES SHA1_DIGEST_SIZE
#define FINGERPRINT_ALL (ATTR_HEAD + 4)
#define FINGERPRINT_XOR 0x5354554eu
#define FAMILY_4 1
#define FAMILY_6 2

/* CRC-32 of ISO 3309 by nibbles: a table of 16 serves messages of 100 bytes. */
static uint32_t
crc32(const uint8_t *p, size_t n)
{
	static const uint32_t table[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
		0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};
	uint32_t crc = 0xffffffff;

	while (n-- > 0) {
		crc = table[(crc ^ *p) & 15] ^ crc >> 4;
		crc = table[(crc ^ *p++ >> 4) & 15] ^ crc >> 4;
	}
	return ~crc;
}

/* HMAC-SHA1 over the first n bytes, with `length` in the head's length field (RFC 8489 section 14.5). */
static void
integrity(const uint8_t *p, size_t n, size_t length, const char *pwd, uint8_t out[INTEGRITY_BYTES])
{
	uint8_t head[STUN_HEAD];
	struct hmac_sha1_ctx ctx;

	memcpy(head, p, STUN_HEAD);
	be_put(head + 2, 2, length);
	hmac_sha1_set_key(&ctx, strlen(pwd), (const uint8_t *)pwd);
	hmac_sha1_update(&ctx, STUN_HEAD, head);
	hmac_sha1_update(&ctx, n - STUN_HEAD, p + STUN_HEAD);
	hmac_sha1_digest(&ctx, INTEGRITY_BYTES, out);
}

/* An address is hidden from NATs that rewrite what looks like one: RFC 8489 section 14.2. head: cookie and id. */
static int
read_address(struct sockaddr_storage *out, const uint8_t *v, size_t n, const uint8_t *head)
{
	struct sockaddr_in *in = (struct sockaddr_in *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
	uint16_t port;

	if (n < 8 || (v[1] != FAMILY_4 && v[1] != FAMILY_6) || n != (v[1] == FAMILY_4 ? 8u : 20u))
		return -1;
	port = htons((uint16_t)(be_get(v + 2, 2) ^ COOKIE >> 16));
	memset(out, 0, sizeof(*out));
	if (v[1] == FAMILY_4) {
		in->sin_family = AF_INET;
		in->sin_port = port;
		in->sin_addr.s_addr = htonl(be_get(v + 4, 4) ^ COOKIE);
		return 0;
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = port;
	for (int i = 0; i < 16; i++)
		in6->sin6_addr.s6_addr[i] = v[4 + i] ^ head[i];
	return 0;
}

/* One attribute before MESSAGE-INTEGRITY; 0 or -1. */
static int
read_attr(struct stun *s, const uint8_t *p, uint16_t attr, const uint8_t *v, size_t n)
{
	switch (attr) {
	case STUN_USERNAME:
		s->user = (const char *)v;
		s->user_len = n;
		return 0;
	case STUN_USE_CANDIDATE:
		s->use_candidate = true;
		return n == 0 ? 0 : -1;
	case STUN_CONTROLLED:
		s->controlled = true;
		return n == 8 ? 0 : -1;
	case STUN_PRIORITY:
		return n == 4 ? 0 : -1;
	case STUN_XOR_MAPPED_ADDRESS:
		return read_address(&s->mapped, v, n, p + 4);
	case STUN_ERROR_CODE:
		s->error = n >= 4 ? (uint16_t)((v[2] & 7) * 100 + v[3]) : 0;
		return n >= 4 ? 0 : -1;
	case STUN_MAPPED_ADDRESS:
	case STUN_UNKNOWN:
		return 0;
	}
	if (attr < 0x8000 && s->nunknown < STUN_UNKNOWN_MAX)
		s->unknown[s->nunknown++] = attr;
	return 0;
}

int
stun_parse(struct stun *s, const uint8_t *p, size_t n)
{
	size_t end, len;
	uint16_t attr;

	memset(s, 0, sizeof(*s));
	if (n < STUN_HEAD + FINGERPRINT_ALL || n > STUN_MAX || n % 4 != 0 || be_get(p, 2) & ~0x110u & ~1u ||
	    (p[1] & 1) == 0 || be_get(p + 4, 4) != COOKIE || be_get(p + 2, 2) != n - STUN_HEAD)
		return -1;
	end = n - FINGERPRINT_ALL;
	if (be_get(p + end, 2) != STUN_FINGERPRINT || be_get(p + end + 2, 2) != 4 ||
	    be_get(p + end + ATTR_HEAD, 4) != (crc32(p, end) ^ FINGERPRINT_XOR))
		return -1;
	s->type = (uint16_t)be_get(p, 2);
	memcpy(s->id, p + 8, STUN_ID);
	for (size_t at = STUN_HEAD; at < end; at += ATTR_HEAD + (len + 3) / 4 * 4) {
		attr = (uint16_t)be_get(p + at, 2);
		len = be_get(p + at + 2, 2);
		if ((len + 3) / 4 * 4 > end - at - ATTR_HEAD)
			return -1;
		if (s->integrity_at != 0)
			continue;
		if (attr == STUN_INTEGRITY && len == INTEGRITY_BYTES)
			s->integrity_at = at;
		else if (attr == STUN_INTEGRITY || read_attr(s, p, attr, p + at + ATTR_HEAD, len) < 0)
			return -1;
	}
	return 0;
}

bool
stun_verify(const struct stun *s, const uint8_t *p, const char *pwd)
{
	uint8_t want[INTEGRITY_BYTES];

	if (s->integrity_at == 0)
		return false;
	integrity(p, s->integrity_at, s->integrity_at + ATTR_HEAD + INTEGRITY_BYTES - STUN_HEAD, pwd, want);
	return memeql_sec(want, p + s->integrity_at + ATTR_HEAD, INTEGRITY_BYTES);
}

void
stun_begin(struct stun_out *o, uint16_t type, const uint8_t id[STUN_ID])
{
	be_put(o->p, 2, type);
	be_put(o->p + 2, 2, 0);
	be_put(o->p + 4, 4, COOKIE);
	memcpy(o->p + 8, id, STUN_ID);
	o->n = STUN_HEAD;
	o->over = false;
}

void
stun_add(struct stun_out *o, uint16_t attr, const void *value, size_t n)
{
	size_t all = ATTR_HEAD + (n + 3) / 4 * 4;

	if (n > STUN_MAX || all > sizeof(o->p) - o->n) {
		o->over = true;
		return;
	}
	memset(o->p + o->n, 0, all);
	be_put(o->p + o->n, 2, attr);
	be_put(o->p + o->n + 2, 2, n);
	if (n > 0)
		memcpy(o->p + o->n + ATTR_HEAD, value, n);
	o->n += all;
	be_put(o->p + 2, 2, o->n - STUN_HEAD);
}

/* v4-mapped as IPv4. */
static void
add_address(struct stun_out *o, uint16_t attr, const struct sockaddr *sa)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)sa;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;
	bool mapped = sa->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr);
	bool four = sa->sa_family == AF_INET || mapped;
	uint8_t v[20] = { 0, four ? FAMILY_4 : FAMILY_6 };
	size_t n = four ? 4 : 16;

	be_put(v + 2, 2, ntohs(sa->sa_family == AF_INET ? in->sin_port : in6->sin6_port) ^ COOKIE >> 16);
	if (sa->sa_family == AF_INET)
		memcpy(v + 4, &in->sin_addr, n);
	else
		memcpy(v + 4, in6->sin6_addr.s6_addr + (mapped ? 12 : 0), n);
	for (size_t i = 0; i < n; i++)
		v[4 + i] ^= o->p[4 + i];	/* the cookie, then the id */
	stun_add(o, attr, v, 4 + n);
}

size_t
stun_end(struct stun_out *o, const char *pwd)
{
	uint8_t value[INTEGRITY_BYTES];

	if (pwd != NULL) {
		integrity(o->p, o->n, o->n + ATTR_HEAD + INTEGRITY_BYTES - STUN_HEAD, pwd, value);
		stun_add(o, STUN_INTEGRITY, value, INTEGRITY_BYTES);
	}
	be_put(o->p + 2, 2, o->n + FINGERPRINT_ALL - STUN_HEAD);	/* the CRC is over this length, too */
	be_put(value, 4, crc32(o->p, o->n) ^ FINGERPRINT_XOR);
	stun_add(o, STUN_FINGERPRINT, value, 4);
	return o->over ? 0 : o->n;
}

size_t
stun_success(struct stun_out *o, const struct stun *req, const struct sockaddr *from, const char *pwd)
{
	stun_begin(o, STUN_SUCCESS, req->id);
	add_address(o, STUN_XOR_MAPPED_ADDRESS, from);
	return stun_end(o, pwd);
}

size_t
stun_error(struct stun_out *o, const struct stun *req, unsigned code, const char *pwd)
{
	const char *reason = code == 487 ? "Role Conflict" : "Unknown Attribute";
	uint8_t v[4 + 32] = { 0, 0, (uint8_t)(code / 100), (uint8_t)(code % 100) };
	size_t n = strlen(reason);

	stun_begin(o, STUN_ERROR, req->id);
	memcpy(v + 4, reason, n);
	stun_add(o, STUN_ERROR_CODE, v, 4 + n);
	for (unsigned i = 0; i < req->nunknown; i++)
		be_put(v + 2 * i, 2, req->unknown[i]);
	if (code == 420)
		stun_add(o, STUN_UNKNOWN, v, 2 * req->nunknown);
	return stun_end(o, pwd);
}
