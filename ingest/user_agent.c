/* user_agent.c - see user_agent.h. Called by ws_publish.c and whip_publish.c. */
#include "user_agent.h"

#include <stdio.h>
#include <string.h>

#include "util.h"

void
user_agent_say(const char *field, char *out, size_t size)
{
	static const char *const browsers[] = { "Edg/", "OPR/", "Firefox/", "Chrome/", "Safari/" };
	const char *at = NULL;

	out[0] = '\0';
	if (field == NULL)
		return;
	for (size_t i = 0; i < sizeof(browsers) / sizeof(browsers[0]) && at == NULL; i++)
		at = strstr(field, browsers[i]);
	if (at != NULL)
		snprintf(out, size, "%.*s", (int)strcspn(at, " "), at);
	else
		str_copy(out, field, size);
}
