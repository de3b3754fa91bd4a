/*
 * name.c - names of files in watched folders (contract in name.h). Sees text, never a disk.
 * Called by scan.c and notify.c before a name is looked at, by tell.c for the object's key.
 */
#include "workers/watch/name.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "util.h"

static bool
ends_in(const char *name, const char *end)
{
	size_t n = strlen(name), k = strlen(end);

	return n >= k && strcasecmp(name + n - k, end) == 0;
}

bool
name_is_temporary(const char *name)
{
	static const char *const ends[] = { ".part", ".partial", ".tmp", ".filepart", ".crdownload", "~" };

	if (name[0] == '.' || name[0] == '\0')
		return true;
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
		if (ends_in(name, ends[i]))
			return true;
	return false;
}

bool
name_has_extension(const char *name, const char *const *extensions)
{
	size_t n = strlen(name), k;

	for (; *extensions != NULL; extensions++) {
		k = strlen(*extensions);
		if (n > k + 1 && name[n - k - 1] == '.' && strcasecmp(name + n - k, *extensions) == 0)
			return true;
	}
	return false;
}

bool
name_is_text(const char *name)
{
	const uint8_t *s = (const uint8_t *)name;
	size_t left = strlen(name), n;

	for (; left > 0; s += n, left -= n) {
		n = utf8_sequence(s, left);
		if (n == 0 || s[0] < 0x20 || s[0] == 0x7f)
			return false;
	}
	return true;
}

int
name_object(const char *prefix, const char *rel, char out[NAME_OBJECT_BYTES])
{
	int n = snprintf(out, NAME_OBJECT_BYTES, "%s%s", prefix, rel);

	return n > 0 && n < NAME_OBJECT_BYTES ? 0 : -1;
}

int
name_depth(const char *rel)
{
	int n = 0;

	for (; *rel != '\0'; rel++)
		n += *rel == '/';
	return n;
}
