/*
 * cli_format.c - ages, sizes, rates and wrapped text as people read them, and what of foreign text
 * may go to a terminal. Knows the locale (LC_CTYPE), else pure; used by all views.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

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

#define COLUMNS_LEAST 40

int
cli_width(FILE *out)
{
	const char *columns = getenv("COLUMNS");
	struct winsize w = { .ws_col = 0 };
	int n = columns != NULL ? atoi(columns) : 0;

	if (n >= COLUMNS_LEAST && n < SHRT_MAX)
		return n;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == -1)
		return out == stdout ? INT_MAX : CLI_WIDTH;	/* a program reads it, or the caller's buffer */
	return w.ws_col > CLI_WIDTH ? w.ws_col : CLI_WIDTH;
}

/* The bytes of the character at s, 1 to n, and its columns: -1 if it may not be shown. */
static size_t
character(const char *s, size_t n, int *columns)
{
	mbstate_t state;
	wchar_t c;
	size_t len;

	memset(&state, 0, sizeof(state));
	len = mbrtowc(&c, s, n, &state);
	*columns = -1;
	if (len == 0 || len > n)	/* of no character, or cut off */
		return 1;
	/* What turns the direction of text around, or can't be seen, hides what the text is. */
	if (!(c >= 0x200b && c <= 0x200f) && !(c >= 0x2028 && c <= 0x202e) && !(c >= 0x2060 && c <= 0x206f))
		*columns = wcwidth(c);
	return len;
}

void
cli_printable(char *s)
{
	size_t left = strlen(s), n;
	char *to = s;
	int columns;

	for (; left > 0; left -= n, s += n) {
		n = character(s, left, &columns);
		if (columns < 0)
			*to++ = '?';
		else {
			memmove(to, s, n);
			to += n;
		}
	}
	*to = '\0';
}

size_t
cli_fit(const char *s, int width, int *columns)
{
	size_t done = 0, left = strlen(s), n;
	int one;

	for (*columns = 0; left > 0; left -= n, done += n) {
		n = character(s + done, left, &one);
		if (one < 0)
			one = 1;
		if (*columns + one > width)
			break;
		*columns += one;
	}
	return done;
}

/* Prints n bytes, made printable. */
static void
put_safe(FILE *out, const char *s, size_t n)
{
	char *copy = strndup(s, n);

	if (copy == NULL)
		return;
	cli_printable(copy);
	fputs(copy, out);
	free(copy);
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
