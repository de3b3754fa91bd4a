/*
 * cli_table.c - rows of text in aligned columns that fit a width.
 *
 * Columns are as wide as their longest cell; while the row is too wide, the widest column
 * that may be shortened loses one character (its cells then end in ".."). A column without
 * text is left out. Cells may hold foreign text: only what the locale can print is printed.
 */
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/cli.h"
#include "util.h"

#define COLUMNS_MAX 16

struct cli_table {
	const struct cli_column *columns;
	size_t ncolumns, ncells, size;
	char **cells;
	int width[COLUMNS_MAX];
};

struct cli_table *
cli_table_new(const struct cli_column *columns)
{
	struct cli_table *t = xcalloc(1, sizeof(*t));

	t->columns = columns;
	while (columns[t->ncolumns].title != NULL && t->ncolumns < COLUMNS_MAX)
		t->ncolumns++;
	return t;
}

void
cli_table_cell(struct cli_table *t, const char *fmt, ...)
{
	va_list ap;

	if (t->ncells == t->size) {
		t->size = t->size * 2 + 64;
		t->cells = xrealloc(t->cells, t->size * sizeof(*t->cells));
	}
	va_start(ap, fmt);
	if (vasprintf(&t->cells[t->ncells], fmt, ap) == -1)
		t->cells[t->ncells] = xstrdup("");
	va_end(ap);
	cli_printable(t->cells[t->ncells++]);
}

/* The natural width of each column, 0 for one without text; their sum with the gaps. */
static int
measure(struct cli_table *t)
{
	int total = 0, len;
	size_t i, c;

	for (i = 0; i < t->ncells; i++) {
		c = i % t->ncolumns;
		cli_fit(t->cells[i], INT_MAX, &len);
		if (len > t->width[c])
			t->width[c] = len;
	}
	for (c = 0; c < t->ncolumns; c++) {
		len = (int)strlen(t->columns[c].title);
		if (t->width[c] > 0 && t->width[c] < len)
			t->width[c] = len;
		total += t->width[c] > 0 ? t->width[c] + 1 : 0;
	}
	return total - 1;
}

static void
shrink(struct cli_table *t, int total, int width)
{
	size_t c, widest;

	for (; total > width; total--) {
		widest = COLUMNS_MAX;
		for (c = 0; c < t->ncolumns; c++)
			if (t->columns[c].min > 0 && t->width[c] > t->columns[c].min &&
			    (widest == COLUMNS_MAX || t->width[c] > t->width[widest]))
				widest = c;
		if (widest == COLUMNS_MAX)
			return;
		t->width[widest]--;
	}
}

static void
print_cell(FILE *out, const char *s, int width, bool right, bool last)
{
	int len, pad;
	size_t n = cli_fit(s, INT_MAX, &len);
	bool cut = len > width;

	if (cut)
		n = cli_fit(s, width - 2, &len);
	pad = width - len - (cut ? 2 : 0);
	fprintf(out, "%*s%.*s%s%*s", right ? pad : 0, "", (int)n, s, cut ? ".." : "", right || last ? 0 : pad, "");
	fputc(last ? '\n' : ' ', out);
}

static void
print_row(const struct cli_table *t, FILE *out, char *const *cells)
{
	size_t c, last = 0;

	for (c = 0; c < t->ncolumns; c++)
		if (t->width[c] > 0)
			last = c;
	for (c = 0; c <= last; c++)
		if (t->width[c] > 0)
			print_cell(out, cells != NULL ? cells[c] : t->columns[c].title, t->width[c],
			    t->columns[c].right, c == last);
}

void
cli_table_print(struct cli_table *t, FILE *out, int width)
{
	size_t i;

	if (t->ncells > 0) {
		shrink(t, measure(t), width);
		print_row(t, out, NULL);
	}
	for (i = 0; i + t->ncolumns <= t->ncells; i += t->ncolumns)
		print_row(t, out, t->cells + i);
	for (i = 0; i < t->ncells; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t);
}
