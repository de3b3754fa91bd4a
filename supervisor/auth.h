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
#define AUTH_SALT 17		/* hex digits with their NUL */

/* The decoded value of name in "a=b&c=d" (a leading '?' is skipped); -1: absent, empty, torn, too long. */
int auth_param(const char *query, const char *name, char *out, size_t size);
/* Has key this hash ("sha256:SALT:HEX")? */
bool auth_key_fits(const json_t *hash, const char *key);
/* A new random salt, and auth_hash_key() with one. */
void auth_salt(char salt[AUTH_SALT]);
char *auth_hash_key_salted(const char *key, const char *salt);
/* Who a (checked) query is: equal for the same key, or for any two signatures; zeros without either. */
void auth_identity(const char *query, uint8_t out[AUTH_IDENTITY]);
#endif
