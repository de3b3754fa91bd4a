/* auth.h - what streams_claim.c and the tests need of auth.c beyond supervisor.h. */
#ifndef MILLRACE_AUTH_H
#define MILLRACE_AUTH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/supervisor.h"

#define AUTH_VALUE_MAX 256	/* a longer key is no key */
#define AUTH_IDENTITY 32

/* The decoded value of name in "a=b&c=d" (a leading '?' is skipped); -1: absent, empty, torn, too long. */
int auth_param(const char *query, const char *name, char *out, size_t size);
/* Has key this hash ("sha256:SALT:HEX")? */
bool auth_key_fits(const json_t *hash, const char *key);
/* auth_check() with more hashes that let NAME's publisher in, a list or NULL: with any it is not open. */
enum auth_verdict auth_check_also(const json_t *keys, const json_t *more, const char *secret, const char *name,
    const char *query, int64_t now_sec);
/* Who a (checked) query is: equal for the same key, or for any two signatures; zeros without either. */
void auth_identity(const char *query, uint8_t out[AUTH_IDENTITY]);
#endif
