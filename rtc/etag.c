/* etag.c - see etag.h. Called by workers/webrtc/calls.c and ingest/whip_call.c. */
#include "rtc/etag.h"

#include <errno.h>
#include <string.h>

int
etag_match(const char *field, const char *ufrag)
{
	const char *p = field;
	size_t n = strlen(ufrag);

	if (field[strspn(field, " ")] == '\0')
		return ENODATA;
	if (strcmp(field, "*") == 0)
		return 0;
	for (; (p = strstr(p, ufrag)) != NULL; p += n)
		if (p > field && p[-1] == '"' && p[n] == '"' && (p - 1 == field || p[-2] != '/'))
			return 0;
	return ESTALE;
}
