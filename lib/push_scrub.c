/*
 * push_scrub.c - takes what may be a key of a push's URL out of foreign text (contract in push_scrub.h): what
 * is behind the first part of its path, its query, its user and password. Called by the supervisor's
 * output_push.c and the jobs worker's push.c.
 */
#include "push_scrub.h"

#include <stddef.h>
#include <string.h>

#include "log.h"

#define SECRET_MIN 4	/* shorter words would star half of any sentence */

/* Every `word` of n bytes becomes stars; the text never grows. */
static void
star(char *text, const char *word, size_t n)
{
	char *p;

	if (n < SECRET_MIN)
		return;
	while ((p = memmem(text, strlen(text), word, n)) != NULL) {
		memcpy(p, "***", 3);
		memmove(p + 3, p + n, strlen(p + n) + 1);
		text = p + 3;
	}
}

/* "a=1&b=2": each value, and all of it. */
static void
star_query(char *text, const char *query)
{
	size_t n, name;

	star(text, query, strlen(query));
	for (; *query != '\0'; query += n + (query[n] != '\0')) {
		n = strcspn(query, "&");
		name = strcspn(query, "=&");
		if (query[name] == '=')
			star(text, query + name + 1, n - name - 1);
	}
}

void
push_scrub(const char *url, char *text)
{
	const char *host = strstr(url, "://"), *path, *at, *key, *part;
	size_t n;

	if (host != NULL) {
		host += 3;
		path = host + strcspn(host, "/?#");
		at = memrchr(host, '@', (size_t)(path - host));
		if (at != NULL)
			star(text, host, (size_t)(at - host));
		key = *path == '/' ? path + 1 + strcspn(path + 1, "/?#") : path;
		key += *key != '\0';
		star(text, key, strlen(key));
		for (part = key; *part != '\0' && part[-1] != '?'; part += n + (part[n] != '\0')) {
			n = strcspn(part, "/?#");
			star(text, part, n);
		}
		if (strchr(path, '?') != NULL)
			star_query(text, strchr(path, '?') + 1);
	}
	log_redact(text);
}
