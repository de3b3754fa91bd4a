/*
 * stream_name.c - the one check of a stream's name. Bytes in, verdict out; no locale:
 * the set is ASCII whatever setlocale() says, since names become paths and Redis keys.
 */
#include "stream_name.h"

static bool
name_byte(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	    c == '.' || c == '_' || c == '-';
}

bool
stream_name_ok(const char *s, size_t len)
{
	if (len < 1 || len > STREAM_NAME_MAX || s[0] == '.')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!name_byte((unsigned char)s[i]))
			return false;
	return true;
}

uint32_t
stream_name_hash(const char *name)
{
	uint32_t h = UINT32_C(2166136261);

	for (; *name != '\0'; name++)
		h = (h ^ (unsigned char)*name) * UINT32_C(16777619);
	return h;
}
