/*
 * sign.c - signatures of requests (contract in sign.h). Pure: bytes in, text out.
 */
#include "sign.h"

#include <jansson.h>
#include <nettle/base64.h>
#include <nettle/hmac.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

#define JWT_LIFE_SEC 300	/* clocks differ, and the request takes its time */

char *
sign_header(const char *secret, int64_t now_sec, const void *body, size_t len)
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	char hex[2 * SHA256_DIGEST_SIZE + 1], t[24];
	struct hmac_sha256_ctx ctx;

	snprintf(t, sizeof t, "%lld", (long long)now_sec);
	hmac_sha256_set_key(&ctx, strlen(secret), (const uint8_t *)secret);
	hmac_sha256_update(&ctx, strlen(t), (const uint8_t *)t);
	hmac_sha256_update(&ctx, 1, (const uint8_t *)".");
	hmac_sha256_update(&ctx, len, body);
	hmac_sha256_digest(&ctx, sizeof digest, digest);
	hex_format(hex, digest, sizeof digest);
	return xasprintf("t=%s,v1=%s", t, hex);
}

/* Base64 of URLs without padding (RFC 4648 section 5); free(). */
static char *
base64url(const void *in, size_t len)
{
	char *out = xmalloc(BASE64_ENCODE_RAW_LENGTH(len) + 1), *p;

	base64_encode_raw(out, len, in);
	out[BASE64_ENCODE_RAW_LENGTH(len)] = '\0';
	for (p = out; *p != '\0'; p++)
		*p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
	while (p > out && p[-1] == '=')
		*--p = '\0';
	return out;
}

static char *
claims(const char *key, int64_t now_sec, const void *body, size_t len)
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	char hash[BASE64_ENCODE_RAW_LENGTH(SHA256_DIGEST_SIZE) + 1], *text, *out;
	struct sha256_ctx ctx;
	json_t *o;

	sha256_init(&ctx);
	sha256_update(&ctx, len, body);
	sha256_digest(&ctx, sizeof digest, digest);
	base64_encode_raw(hash, sizeof digest, digest);
	hash[sizeof hash - 1] = '\0';
	o = json_pack("{s:s, s:I, s:I, s:s}", "iss", key, "nbf", (json_int_t)now_sec - JWT_LIFE_SEC, "exp",
	    (json_int_t)now_sec + JWT_LIFE_SEC, "sha256", hash);
	text = json_dumps(o, JSON_COMPACT);
	out = base64url(text ? text : "", text ? strlen(text) : 0);
	free(text);
	json_decref(o);
	return out;
}

char *
sign_jwt(const char *key, const char *secret, int64_t now_sec, const void *body, size_t len)
{
	static const char head[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
	uint8_t digest[SHA256_DIGEST_SIZE];
	char *first = base64url(head, sizeof head - 1), *second = claims(key, now_sec, body, len);
	char *signed_part = xasprintf("%s.%s", first, second), *third, *out;
	struct hmac_sha256_ctx ctx;

	hmac_sha256_set_key(&ctx, strlen(secret), (const uint8_t *)secret);
	hmac_sha256_update(&ctx, strlen(signed_part), (const uint8_t *)signed_part);
	hmac_sha256_digest(&ctx, sizeof digest, digest);
	third = base64url(digest, sizeof digest);
	out = xasprintf("%s.%s", signed_part, third);
	free(first);
	free(second);
	free(third);
	free(signed_part);
	return out;
}
