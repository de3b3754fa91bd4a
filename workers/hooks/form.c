/*
 * form.c - forms and queries of requests (contract in form.h). Pure.
 */
#include "form.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

static char *
escape(const char *in)
{
	char *out = xmalloc(3 * strlen(in) + 1), *p = out;

	for (; *in != '\0'; in++) {
		unsigned char c = (unsigned char)*in;

		if ((c < 0x80 && isalnum(c)) || strchr("-._~", c))
			*p++ = (char)c;
		else
			p += snprintf(p, 4, "%%%02X", c);
	}
	*p = '\0';
	return out;
}

void
form_add(char **form, const char *name, const char *value)
{
	char *text = escape(value), *old = *form;

	*form = xasprintf("%s%s%s=%s", old ? old : "", old && old[0] != '\0' ? "&" : "", name, text);
	free(text);
	free(old);
}

char *
form_url(const char *url, const char *form)
{
	size_t n = strcspn(url, "#");	/* a fragment is never sent */
	bool has_query = memchr(url, '?', n) != NULL;

	return xasprintf("%.*s%s%s", (int)n, url, has_query ? "&" : "?", form);
}
