/* auth.h - what streams_claim.c and the tests need of auth.c beyond supervisor.h. */
#ifndef MILLRACE_AUTH_H
#define MILLRACE_AUTH_H

#include <stddef.h>
#include <stdint.h>

#define AUTH_VALUE_MAX 256	/* a longer key is no key */
#define AUTH_IDENTITY 32

/* The decoded value of name in "a=b&c=d" (a leading '?' is skipped); -1: absent, empty, torn, too long. */
int auth_param(const char *query, const char *name, char *out, size_t size);
/* Who a (checked) query is: equal for the same key, or for any two signatures; zeros without either. */
void auth_identity(const char *query, uint8_t out[AUTH_IDENTITY]);
#endif
