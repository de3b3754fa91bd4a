/* cli_format.c - ages, sizes, rates and wrapped text as people read them. Pure; used by all views. */
#include <string.h>

#include "supervisor/cli.h"

const char *
cli_age(int64_t ms, char buf[CLI_FORMAT])
{
	long long s = ms < 0 ? 0 : ms / 1000;

	if (s < 10)
		snprintf(buf, CLI_FORMAT, "%.1fs", ms < 0 ? 0.0 : (double)ms / 1000);
	else if (s < 60)
		snprintf(buf, CLI_FORMAT, "%llds", s);
	else if (s < 3600)
		snprintf(buf, CLI_FORMAT, "%lldm%02llds", s / 60, s % 60);
	else if (s < 86400)
		snprintf(buf, CLI_FORMAT, "%lldh%02lldm", s / 3600, s / 60 % 60);
	else
		snprintf(buf, CLI_FORMAT, "%lldd%lldh", s / 86400, s / 3600 % 24);
	return buf;
}

/* Three digits and a unit. */
static const char *
scaled(int64_t n, double base, const char *units, char buf[CLI_FORMAT])
{
	double v = (double)n;
	size_t i = 0;

	if (v < base) {
		snprintf(buf, CLI_FORMAT, "%lld%.1s", (long long)n, units[0] == ' ' ? "" : units);
		return buf;
	}
	while (v >= base && units[i + 1] != '\0') {
		v /= base;
		i++;
	}
	snprintf(buf, CLI_FORMAT, "%.*f%c", v < 10 ? 2 : v < 100 ? 1 : 0, v, units[i]);
	return buf;
}

const char *
cli_bytes(int64_t bytes, char buf[CLI_FORMAT])
{
	return scaled(bytes, 1024, "BKMGT", buf);
}

const char *
cli_rate(int64_t bps, char buf[CLI_FORMAT])
{
	return scaled(bps, 1000, " kMG", buf);
}

const char *
cli_seconds(int64_t ms, char buf[CLI_FORMAT])
{
	if (ms < 10000)
		snprintf(buf, CLI_FORMAT, "%.1f", (double)ms / 1000);
	else
		snprintf(buf, CLI_FORMAT, "%lld", (long long)((ms + 500) / 1000));
	return buf;
}

/* Prints n bytes; what a terminal would obey becomes '?'. */
static void
put_safe(FILE *out, const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		fputc((unsigned char)s[i] < 0x20 || (unsigned char)s[i] >= 0x7f ? '?' : s[i], out);
}

/* The word at s; "30 s" is one, a unit does not stand alone. */
static size_t
word_len(const char *s)
{
	size_t n = strcspn(s, " ");

	while (s[n] == ' ' && s[n + 1] != ' ' && s[n + 1] != '\0' && (s[n + 2] == ' ' || s[n + 2] == '\0'))
		n += 2;
	return n;
}

void
cli_wrap(FILE *out, const char *first, int indent, const char *s)
{
	int column = (int)strlen(first);
	bool line_start = true;
	size_t n;

	fputs(first, out);
	for (s += strspn(s, " "); *s != '\0'; s += strspn(s, " ")) {
		n = word_len(s);
		if (!line_start && column + 1 + (int)n > CLI_WIDTH) {
			fprintf(out, "\n%*s", indent, "");
			column = indent;
			line_start = true;
		}
		if (!line_start)
			fputc(' ', out);
		put_safe(out, s, n);
		column += (int)n + !line_start;
		line_start = false;
		s += n;
	}
	fputc('\n', out);
}
