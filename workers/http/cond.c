/*
 * cond.c - see cond.h. ETags of ours are strong; a weak one in If-None-Match still matches
 * (weak comparison), in If-Range it never does. Called by answer.c only.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "workers/http/cond.h"

static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug",
	"Sep", "Oct", "Nov", "Dec" };

/* Not strftime: that one follows the locale. */
const char *
http_date(time_t t, char out[HTTP_DATE_MAX])
{
	struct tm tm;

	gmtime_r(&t, &tm);
	snprintf(out, HTTP_DATE_MAX, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday],
	    tm.tm_mday, months[tm.tm_mon], (tm.tm_year + 1900) % 10000, tm.tm_hour, tm.tm_min,
	    tm.tm_sec);
	return out;
}

static int
month_parse(const char *s)
{
	for (int i = 0; i < 12; i++)
		if (strcmp(months[i], s) == 0)
			return i;
	return -1;
}

/* IMF-fixdate, RFC 850 with its two-digit year, and asctime (RFC 9110 5.6.7). */
time_t
http_date_parse(const char *s)
{
	struct tm tm = { 0 };
	char mon[4] = "";
	int n = 0;

	if (sscanf(s, "%*3[A-Za-z], %2d %3s %4d %2d:%2d:%2d GMT%n", &tm.tm_mday, mon,
	    &tm.tm_year, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &n) == 6 && n) {
		tm.tm_year -= 1900;
	} else if (sscanf(s, "%*9[A-Za-z], %2d-%3s-%2d %2d:%2d:%2d GMT%n", &tm.tm_mday, mon,
	    &tm.tm_year, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &n) == 6 && n) {
		tm.tm_year += tm.tm_year < 70 ? 100 : 0;
	} else if (sscanf(s, "%*3[A-Za-z] %3s %2d %2d:%2d:%2d %4d%n", mon, &tm.tm_mday,
	    &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &tm.tm_year, &n) == 6 && n) {
		tm.tm_year -= 1900;
	} else {
		return -1;
	}
	tm.tm_mon = month_parse(mon);
	if (tm.tm_mon < 0 || s[n] != '\0')
		return -1;
	return timegm(&tm);
}

/* A list of entity tags: *, "a", W/"b". */
static bool
etag_listed(const char *list, const char *etag)
{
	size_t len = strlen(etag);

	if (strcmp(list, "*") == 0)
		return true;
	while (*list) {
		const char *end;

		list += strspn(list, " \t,");
		if (strncmp(list, "W/", 2) == 0)
			list += 2;
		if (*list != '"' || (end = strchr(list + 1, '"')) == NULL)
			return false;
		if ((size_t)(end + 1 - list) == len && memcmp(list, etag, len) == 0)
			return true;
		list = end + 1;
	}
	return false;
}

bool
cond_not_modified(const char *etag, time_t mtime, const char *if_none_match,
    const char *if_modified_since)
{
	time_t since;

	if (if_none_match)
		return etag_listed(if_none_match, etag);
	if (!if_modified_since)
		return false;
	since = http_date_parse(if_modified_since);
	return since != -1 && mtime <= since;
}

bool
cond_if_range(const char *etag, time_t mtime, const char *if_range)
{
	if (!if_range)
		return true;
	if (if_range[0] == '"')
		return strcmp(if_range, etag) == 0;
	return http_date_parse(if_range) == mtime;
}

/* Digits of at most 18 places: no overflow. -1 if there are none or too many. */
static int64_t
number(const char **p)
{
	int64_t v = 0;
	int n = 0;

	for (; **p >= '0' && **p <= '9'; (*p)++, n++)
		if (n < 18)
			v = v * 10 + (**p - '0');
	return n == 0 || n > 18 ? -1 : v;
}

enum range_result
range_parse(const char *range, int64_t size, int64_t *from, int64_t *to)
{
	int64_t a = -1, b = -1;

	if (!range || strncasecmp(range, "bytes=", 6) != 0)
		return RANGE_NONE;
	range += 6;
	if (*range != '-' && (a = number(&range)) < 0)
		return RANGE_NONE;
	if (*range++ != '-')
		return RANGE_NONE;
	if (*range != '\0' && (b = number(&range)) < 0)
		return RANGE_NONE;
	if (*range != '\0' || (a < 0 && b < 0) || (a >= 0 && b >= 0 && b < a))
		return RANGE_NONE;
	if (a < 0) {			/* the last b bytes */
		*from = b < size ? size - b : 0;
		*to = size;
		return b == 0 || size == 0 ? RANGE_BAD : RANGE_OK;
	}
	*from = a;
	*to = b < 0 || b >= size ? size : b + 1;
	return a >= size ? RANGE_BAD : RANGE_OK;
}
