/*
 * conf_value.c - durations, sizes, bit rates and whole numbers: text to number and back. Pure.
 *
 * Called by conf_type.c when reading, by conf_plan.c when showing, by the CLI for --for.
 * A duration needs its unit (so that 5 is never taken for 5 ms); a size may do without.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/conf_table.h"

#define NUMBER_MAX 9007199254740992.0	/* 2^53: exact in a double */

struct unit {
	const char *name;
	int64_t factor;
};
static const struct unit durations[] = {
	{ "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "min", 60000 }, { "s", 1000 }, { "ms", 1 },
	{ NULL, 0 },
};
static const struct unit sizes[] = {
	{ "TiB", 1LL << 40 }, { "GiB", 1 << 30 }, { "MiB", 1 << 20 }, { "KiB", 1 << 10 },
	{ "TB", 1000000000000LL }, { "GB", 1000000000 }, { "MB", 1000000 }, { "kB", 1000 }, { "KB", 1000 },
	{ "B", 1 }, { "", 1 }, { NULL, 0 },
};

static const struct unit bitrates[] = { { "M", 1000000 }, { "k", 1000 }, { "", 1 }, { NULL, 0 } };

static int
parse(const char *text, const struct unit *units, int64_t *out)
{
	size_t digits = strspn(text, "0123456789."), i;
	double number;
	char *end;

	if (digits == 0 || digits > 20 || text[0] == '.')
		return -1;
	number = strtod(text, &end);
	if (end != text + digits)
		return -1;
	for (i = 0; units[i].name != NULL; i++)
		if (strcmp(units[i].name, end) == 0)
			break;
	if (units[i].name == NULL || number * (double)units[i].factor > NUMBER_MAX)
		return -1;
	*out = (int64_t)(number * (double)units[i].factor + 0.5);
	return 0;
}

int
conf_parse_duration(const char *text, int64_t *ms)
{
	if (strcmp(text, "0") == 0) {
		*ms = 0;
		return 0;
	}
	return parse(text, durations, ms);
}

int
conf_parse_size(const char *text, int64_t *bytes)
{
	return parse(text, sizes, bytes);
}

int
conf_parse_bitrate(const char *text, int64_t *bps)
{
	return parse(text, bitrates, bps);
}

int
conf_parse_int(const char *text, int64_t *out)
{
	size_t n = strlen(text);

	if (n == 0 || n > 15 || strspn(text, "0123456789") != n)
		return -1;
	*out = strtoll(text, NULL, 10);
	return 0;
}

int
conf_parse_ports(const char *text, unsigned *first, unsigned *last)
{
	const char *dash = strchr(text, '-');
	char low[8] = "";
	int64_t a, b;

	if (dash != NULL && (size_t)(dash - text) < sizeof(low))
		memcpy(low, text, (size_t)(dash - text));
	if (conf_parse_int(dash != NULL ? low : text, &a) == -1 ||
	    conf_parse_int(dash != NULL ? dash + 1 : text, &b) == -1 || a < 1 || b < a || b > 65535)
		return -1;
	*first = (unsigned)a;
	*last = (unsigned)b;
	return 0;
}

/* In the first unit that divides n. */
static const char *
format(int64_t n, const struct unit *units, char buf[CONF_FORMAT])
{
	size_t i;

	for (i = 0; n % units[i].factor != 0; i++)
		;
	snprintf(buf, CONF_FORMAT, "%lld%s", (long long)(n / units[i].factor), units[i].name);
	return buf;
}

const char *
conf_format_duration(int64_t ms, char buf[CONF_FORMAT])
{
	if (ms != 0)
		return format(ms, durations, buf);
	snprintf(buf, CONF_FORMAT, "0s");
	return buf;
}

const char *
conf_format_size(int64_t bytes, char buf[CONF_FORMAT])
{
	if (bytes != 0)
		return format(bytes, sizes, buf);
	snprintf(buf, CONF_FORMAT, "0B");
	return buf;
}

const char *
conf_format_bitrate(int64_t bps, char buf[CONF_FORMAT])
{
	return format(bps, bitrates, buf);
}
