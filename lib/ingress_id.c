/*
 * ingress_id.c - an ingress' id (contract in ingress_id.h). Called by the supervisor, which makes
 * keys, and by webhooks, which name it.
 */
#include "ingress_id.h"

#include <nettle/sha2.h>
#include <string.h>

#include "util.h"

const char *
ingress_id(const char *name, char buf[INGRESS_ID])
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	sha256_update(&ctx, 8, (const uint8_t *)"ingress");
	sha256_update(&ctx, strlen(name), (const uint8_t *)name);
	sha256_digest(&ctx, sizeof digest, digest);
	memcpy(buf, "IN_", 3);
	hex_format(buf + 3, digest, (INGRESS_ID - 4) / 2);
	return buf;
}
