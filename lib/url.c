/*
 * url.c - where the host stands in a URL (contract in url.h). Called by whoever compares or shows a host, and by
 * who must not show what is in front of it.
 */
#include "url.h"

#include <string.h>

const char *
url_host(const char *url, size_t *len)
{
	const char *host = strstr(url, "://"), *at;

	host = host != NULL ? host + 3 : url;
	*len = strcspn(host, "/?#");
	at = memrchr(host, '@', *len);
	if (at == NULL)
		return host;
	*len -= (size_t)(at + 1 - host);
	return at + 1;
}

size_t
url_host_name(const char *host, size_t len)
{
	const char *end = memchr(host, host[0] == '[' ? ']' : ':', len);

	return end != NULL ? (size_t)(end - host) + (host[0] == '[') : len;
}
