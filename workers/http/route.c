/*
 * route.c - see route.h. The path is compared as it came, component by component; only
 * captures are decoded, so "%2F" or "%2e%2e" can never add or remove a component.
 */
#include <string.h>

#include "request.h"
#include "workers/http/route.h"

static int
match(const char *pattern, const char *path, struct route_match *out)
{
	size_t n = 0;

	for (; *pattern; pattern++) {
		if (*pattern == '*')
			return 0;
		if (*pattern != '@') {
			if (*path++ != *pattern)
				return -1;
			continue;
		}
		size_t len = strcspn(path, "/");

		if (len == 0 || n == ROUTE_ARGS ||
		    request_decode(path, len, out->arg[n++], ROUTE_ARG_MAX) < 0)
			return -1;
		path += len;
	}
	return *path == '\0' ? 0 : -1;
}

int
route_find(const struct route *table, const char *path, struct route_match *out)
{
	for (const struct route *r = table; r->pattern; r++) {
		if (match(r->pattern, path, out) == 0) {
			out->route = r;
			return 0;
		}
	}
	return -1;
}
