/*
 * auth.c - may this publisher be stream NAME? Keys and signed, expiring URLs.
 *
 * Pure: config and bytes in, verdict out; no clock, no socket, no logging (a query holds
 * secrets). Called by streams_claim.c for every publisher, by the CLI for `millrace
 * sign-url` and for hashing a key.
 *
 * Rules. `keys` is authorize.keys: an entry NAME applies to that stream, the entry "*" to
 * every name without one of its own. `secret` is authorize.secret. A stream to which
 * neither applies is open; else one valid proof is enough: a key, or a signature. An entry
 * that holds no usable hash lets nobody in: nothing in here fails open.
 *
 * A hash is "sha256:SALT:HEX", HEX = sha256(SALT as written, then the key). A signature is
 * HMAC-SHA256(secret, "NAME\nEXP") in lowercase hex, EXP in seconds since the epoch.
 */
#include <errno.h>
#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "log.h"
#include "supervisor/auth.h"
#include "supervisor/supervisor.h"
#include "util.h"

#define DIGEST_HEX (2 * SHA256_DIGEST_SIZE)
#define EXP_DIGITS 12	/* until the year 33658 */

/* One %XX or plain byte of *in; -1 for a torn escape or a NUL, which no key contains. */
static int
decode_byte(const char **in, const char *end)
{
	const char *p = *in;
	int hi, lo, c;

	if (*p != '%') {
		*in = p + 1;
		return (unsigned char)*p;
	}
	if (end - p < 3)
		return -1;
	hi = hex_value(p[1]);
	lo = hex_value(p[2]);
	*in = p + 3;
	c = hi == -1 || lo == -1 ? -1 : hi << 4 | lo;
	return c == 0 ? -1 : c;
}

static int
decode_value(const char *in, const char *end, char *out, size_t size)
{
	size_t n = 0;
	int c;

	while (in < end) {
		c = decode_byte(&in, end);
		if (c == -1 || n + 1 >= size)
			return -1;
		out[n++] = (char)c;
	}
	out[n] = '\0';
	return n > 0 ? 0 : -1;
}

int
auth_param(const char *query, const char *name, char *out, size_t size)
{
	size_t want = strlen(name), len;
	const char *p = query;

	if (*p == '?')
		p++;
	for (; *p != '\0'; p += len + (p[len] == '&')) {
		len = strcspn(p, "&");
		if (len > want && p[want] == '=' && strncmp(p, name, want) == 0)
			return decode_value(p + want + 1, p + len, out, size);
	}
	return -1;
}

static void
key_digest(const char *salt, size_t salt_len, const char *key, char hex[DIGEST_HEX + 1])
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	sha256_update(&ctx, salt_len, (const uint8_t *)salt);
	sha256_update(&ctx, strlen(key), (const uint8_t *)key);
	sha256_digest(&ctx, sizeof(digest), digest);
	hex_format(hex, digest, sizeof(digest));
}

/* Does key have this hash? Takes the same time for every key. */
static bool
hash_matches(const char *hash, const char *key)
{
	char hex[DIGEST_HEX + 1];
	const char *salt, *colon;

	if (hash == NULL || strncmp(hash, "sha256:", 7) != 0)
		return false;
	salt = hash + 7;
	colon = strchr(salt, ':');
	if (colon == NULL || strlen(colon + 1) != DIGEST_HEX)
		return false;
	key_digest(salt, (size_t)(colon - salt), key, hex);
	return memeql_sec(hex, colon + 1, DIGEST_HEX) != 0;
}

/* All candidates are tried, so that the time taken does not tell which one fits. */
static bool
key_matches(const json_t *entry, const char *key)
{
	const json_t *value;
	bool found = false;
	size_t i;

	if (!json_is_array(entry))
		return hash_matches(json_string_value(entry), key);
	json_array_foreach(entry, i, value)
		found |= hash_matches(json_string_value(value), key);
	return found;
}

static void
signature(const char *secret, const char *name, const char *exp, char hex[DIGEST_HEX + 1])
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct hmac_sha256_ctx ctx;

	hmac_sha256_set_key(&ctx, strlen(secret), (const uint8_t *)secret);
	hmac_sha256_update(&ctx, strlen(name), (const uint8_t *)name);
	hmac_sha256_update(&ctx, 1, (const uint8_t *)"\n");
	hmac_sha256_update(&ctx, strlen(exp), (const uint8_t *)exp);
	hmac_sha256_digest(&ctx, sizeof(digest), digest);
	hex_format(hex, digest, sizeof(digest));
}

static enum auth_verdict
check_signature(const char *secret, const char *name, const char *query, const char *sig,
    int64_t now_sec)
{
	char exp[EXP_DIGITS + 1], hex[DIGEST_HEX + 1];

	if (auth_param(query, "exp", exp, sizeof(exp)) == -1 ||
	    strspn(exp, "0123456789") != strlen(exp) || strlen(sig) != DIGEST_HEX)
		return AUTH_BAD_SIGNATURE;
	signature(secret, name, exp, hex);
	if (!memeql_sec(hex, sig, DIGEST_HEX))
		return AUTH_BAD_SIGNATURE;
	return strtoll(exp, NULL, 10) < now_sec ? AUTH_EXPIRED : AUTH_OK;
}

bool
auth_key_fits(const json_t *hash, const char *key)
{
	return hash_matches(json_string_value(hash), key);
}

enum auth_verdict
auth_check(const json_t *keys, const json_t *more, const char *secret, const char *name,
    const char *query, int64_t now_sec)
{
	char key[AUTH_VALUE_MAX], sig[DIGEST_HEX + 2];
	const json_t *entry = json_object_get(keys, name);
	bool has_key = auth_param(query, "key", key, sizeof(key)) == 0;
	bool has_secret = secret != NULL && secret[0] != '\0';

	if (entry == NULL)
		entry = json_object_get(keys, "*");
	if (entry != NULL && has_key && key_matches(entry, key))
		return AUTH_OK;
	if (more != NULL && has_key && key_matches(more, key))
		return AUTH_OK;
	if (has_secret && auth_param(query, "sig", sig, sizeof(sig)) == 0)
		return check_signature(secret, name, query, sig, now_sec);
	if (entry == NULL && more == NULL && !has_secret)
		return AUTH_OK;
	return (entry != NULL || more != NULL) && has_key ? AUTH_BAD_KEY : AUTH_NO_KEY;
}

void
auth_identity(const char *query, uint8_t out[AUTH_IDENTITY])
{
	char value[AUTH_VALUE_MAX];
	struct sha256_ctx ctx;

	memset(out, 0, AUTH_IDENTITY);
	if (auth_param(query, "key", value, sizeof(value)) == -1) {
		/* Whoever was given a signature for NAME may renew it: all of them are one. */
		out[0] = auth_param(query, "sig", value, sizeof(value)) == 0;
		return;
	}
	sha256_init(&ctx);
	sha256_update(&ctx, strlen(value), (const uint8_t *)value);
	sha256_digest(&ctx, AUTH_IDENTITY, out);
}

char *
auth_sign(const char *secret, const char *name, int64_t exp_sec)
{
	char exp[24], hex[DIGEST_HEX + 1];

	snprintf(exp, sizeof(exp), "%lld", (long long)exp_sec);
	signature(secret, name, exp, hex);
	return xasprintf("exp=%s&sig=%s", exp, hex);
}

void
auth_salt(char salt[AUTH_SALT])
{
	uint8_t random[(AUTH_SALT - 1) / 2];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		fatal("getrandom");
	hex_format(salt, random, sizeof(random));
}

char *
auth_hash_key_salted(const char *key, const char *salt)
{
	char hex[DIGEST_HEX + 1];

	key_digest(salt, strlen(salt), key, hex);
	return xasprintf("sha256:%s:%s", salt, hex);
}

char *
auth_hash_key(const char *key)
{
	char salt[AUTH_SALT];

	auth_salt(salt);
	return auth_hash_key_salted(key, salt);
}
