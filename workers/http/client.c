/*
 * client.c - see client.h. A hop's text is foreign: at most CLIENT_HOPS are read and each is
 * parsed as a numeric address, nothing is ever resolved. Called by dispatch.c.
 */
#include <string.h>
#include <strings.h>

#include "workers/http/client.h"

#define CLIENT_HOPS 16

bool
client_trusted(const struct net_addr *a, const json_t *proxies)
{
	size_t i;
	json_t *v;

	json_array_foreach(proxies, i, v) {
		const char *cidr = json_string_value(v);

		if (cidr && net_in_cidr((const struct sockaddr *)&a->ss, cidr) == 1)
			return true;
	}
	return false;
}

/* "1.2.3.4", "1.2.3.4:5", "::1", "[::1]", "[::1]:5". */
static int
hop_address(const char *s, size_t len, struct net_addr *out)
{
	char text[NET_TEXT + 8];
	const char *colon = memchr(s, ':', len);
	bool bare6 = colon && s[0] != '[' && memchr(colon + 1, ':', s + len - colon - 1);
	bool port = s[0] == '[' ? s[len - 1] != ']' : colon && !bare6;

	if (len == 0 || len + 5 > sizeof(text))
		return -1;
	snprintf(text, sizeof(text), "%s%.*s%s%s", bare6 ? "[" : "", (int)len, s,
	    bare6 ? "]" : "", port ? "" : ":1");
	return s[0] == ':' && !bare6 ? -1 : net_parse(text, out);
}

/* The `for` parameter of one Forwarded element, without quotes. */
static bool
forwarded_for(const char **s, size_t *len)
{
	const char *p = *s, *end = *s + *len;

	while (p < end) {
		const char *semi = memchr(p, ';', end - p), *stop = semi ? semi : end;

		p += strspn(p, " \t");
		if (stop - p > 4 && strncasecmp(p, "for=", 4) == 0) {
			p += 4;
			if (*p == '"' && stop - p >= 2 && stop[-1] == '"')
				p++, stop--;
			*s = p;
			*len = stop - p;
			return *len > 0;
		}
		p = semi ? semi + 1 : end;
	}
	return false;
}

/* Cuts the last element off a comma list of *len bytes; NULL when none is left. */
static const char *
last_element(const char *list, size_t *len, size_t *elen)
{
	size_t end = *len, start;

	while (end > 0 && strchr(" \t,", list[end - 1]))
		end--;
	if (end == 0)
		return NULL;
	for (start = end; start > 0 && list[start - 1] != ','; start--)
		;
	*len = start;
	start += strspn(list + start, " \t");
	*elen = end - start;
	return list + start;
}

int
client_address(const struct net_addr *peer, const json_t *proxies, const char *xff,
    const char *forwarded, struct net_addr *out)
{
	const char *list = xff ? xff : forwarded, *hop;
	size_t len = list ? strlen(list) : 0, hlen;

	*out = *peer;
	for (int i = 0; i < CLIENT_HOPS && client_trusted(out, proxies); i++) {
		struct net_addr a;

		if ((hop = last_element(list ? list : "", &len, &hlen)) == NULL)
			return 0;
		if (!xff && !forwarded_for(&hop, &hlen))
			return -1;
		if (hop_address(hop, hlen, &a) < 0)
			return -1;
		*out = a;
	}
	return 0;
}
