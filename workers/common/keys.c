/*
 * keys.c - names of keys in Redis (keys.h), made in one place.
 *
 * Makes strings, speaks to nobody. Called by every worker that speaks Redis.
 */
#include "workers/common/keys.h"

#include <stdio.h>

#include "log.h"

const char *
key_make(char out[KEY_BYTES], const char *prefix, const char *key, const char *name)
{
	if (snprintf(out, KEY_BYTES, "%s%s%s", prefix, key, name) >= KEY_BYTES)
		fatalx("redis.prefix is too long");
	return out;
}
