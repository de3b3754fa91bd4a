/*
 * accept.c - see accept.h. A type's weight is that of the most exact range that fits it; what
 * can't be understood is passed over. Called by recordings.c.
 */
#include <string.h>
#include <strings.h>

#include "workers/http/accept.h"

/* "0.875" in thousandths; 1000 if there is no q. One range ends at end. */
static int
weight(const char *p, const char *end)
{
	int v, unit = 100;

	for (; p < end; p++) {
		if (*p != ';')
			continue;
		p += 1 + strspn(p + 1, " \t");
		if (strncasecmp(p, "q=", 2) != 0)
			continue;
		v = p[2] == '1' ? 1000 : 0;
		p += p[2] != '\0' && p[3] == '.' ? 4 : 3;
		for (; v < 1000 && p < end && *p >= '0' && *p <= '9'; p++, unit /= 10)
			v += (*p - '0') * unit;
		return v;
	}
	return 1000;
}

/* How exactly a range of n bytes names the type: 3 wholly, 2 "text/" and a star, 1 both stars, 0 not at all. */
static int
fits(const char *range, size_t n, const char *type)
{
	size_t main_part = (size_t)(strchr(type, '/') - type) + 1;

	if (n == strlen(type) && strncasecmp(range, type, n) == 0)
		return 3;
	if (n == main_part + 1 && range[n - 1] == '*' && strncasecmp(range, type, main_part) == 0)
		return 2;
	return n == 3 && memcmp(range, "*/*", 3) == 0 ? 1 : 0;
}

static int
weight_of(const char *accept, const char *type)
{
	int best = 0, out = 0, exact;
	const char *end;

	for (; *accept != '\0'; accept = end) {
		accept += strspn(accept, ", \t");
		end = accept + strcspn(accept, ",");
		exact = fits(accept, strcspn(accept, ",; \t"), type);
		if (exact > best) {
			best = exact;
			out = weight(accept, end);
		}
	}
	return out;
}

bool
accept_prefers_html(const char *accept)
{
	return accept != NULL && weight_of(accept, "text/html") > weight_of(accept, "application/json");
}
