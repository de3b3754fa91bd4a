/*
 * log_redact.c - takes secrets out of text that other programs or peers wrote.
 *
 * Three shapes: NAME=value where NAME ends in one of the words below, user:pass@ of a
 * URL, and everything behind the first path element of an rtmp URL (there the key lives).
 * It works in place and never makes the text longer. Called by log.c for foreign lines
 * and by whoever prints a URL he was given.
 */
#include "log.h"

#include <string.h>
#include <strings.h>

static const char *const secret_words[] = { "key", "sig", "token", "pass", "password", "passwd",
	"secret" };

/* Behind these a value or URL is over. */
static size_t
value_length(const char *s)
{
	return strcspn(s, "& \t\r\n\"'<>;,)]}");
}

/* "key=..." tells people what to write. */
static int
stands_for(const char *value)
{
	return value_length(value) == 3 && strncmp(value, "...", 3) == 0;
}

/* n bytes at s become at most three stars; returns what lies behind them. */
static char *
star(char *s, size_t n)
{
	size_t stars = n < 3 ? n : 3;

	memset(s, '*', stars);
	memmove(s + stars, s + n, strlen(s + n) + 1);
	return s + stars;
}

/* Does the text before `at` end in a word whose value is secret? */
static int
names_secret(const char *start, const char *at)
{
	for (size_t i = 0; i < sizeof secret_words / sizeof secret_words[0]; i++) {
		size_t n = strlen(secret_words[i]);

		if ((size_t)(at - start) >= n && strncasecmp(at - n, secret_words[i], n) == 0)
			return 1;
	}
	return 0;
}

/* p is behind "://". Stars the user part, and the key of an rtmp URL; returns where to go on. */
static char *
redact_url(char *start, char *p)
{
	size_t url = strcspn(p, " \t\r\n\"'<>");
	size_t host = strcspn(p, "/ \t\r\n\"'<>");
	char *at = memrchr(p, '@', host), *scheme = p - 3, *slash;

	if (at) {
		char *end = star(p, (size_t)(at - p));

		url -= (size_t)(at - end);
	}
	while (scheme > start && strchr("abcdefghijklmnopqrstuvwxyz", scheme[-1] | 0x20))
		scheme--;
	if (strncasecmp(scheme, "rtmp", 4) != 0)
		return p;
	slash = memchr(p, '/', url);
	if (slash)
		slash = memchr(slash + 1, '/', url - (size_t)(slash + 1 - p));
	if (slash)
		return star(slash + 1, url - (size_t)(slash + 1 - p));
	return p;
}

void
log_redact(char *s)
{
	for (char *p = s; *p; ) {
		if (strncmp(p, "://", 3) == 0) {
			p = redact_url(s, p + 3);
		} else if (*p == '=' && names_secret(s, p) && !stands_for(p + 1)) {
			p = star(p + 1, value_length(p + 1));
		} else {
			p++;
		}
	}
}
