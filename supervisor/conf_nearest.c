/*
 * conf_nearest.c - which key was meant: the smallest edit distance to a known key, or the
 * known key of the same name in another section. Pure; called by conf.c for unknown keys.
 */
#include <string.h>

#include "supervisor/conf_table.h"

#define NEAREST_MAX (CONF_NAME - 1)	/* longer names are nobody's typing error */

static unsigned
min3(unsigned a, unsigned b, unsigned c)
{
	if (b < a)
		a = b;
	return c < a ? c : a;
}

/* Levenshtein's distance; a and b at most NEAREST_MAX long. */
static unsigned
distance(const char *a, size_t alen, const char *b, size_t blen)
{
	unsigned row[NEAREST_MAX + 1], diagonal, above;
	size_t i, j;

	for (j = 0; j <= blen; j++)
		row[j] = (unsigned)j;
	for (i = 1; i <= alen; i++) {
		diagonal = row[0];
		row[0] = (unsigned)i;
		for (j = 1; j <= blen; j++) {
			above = row[j];
			row[j] = min3(row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[blen];
}

static const char *
last_part(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot != NULL ? dot + 1 : path;
}

/* Twice the distance, so that something fits between one typing error and two. */
static unsigned
score(const char *path, const char *known)
{
	const char *a = last_part(path), *b = last_part(known);
	size_t n = strlen(path), k = strlen(known);
	unsigned d;

	if (n > NEAREST_MAX || k > NEAREST_MAX)
		return ~0u;
	d = distance(path, n, known, k);
	/* The right name in the wrong section is nearer than a wrong name, but for one letter in the right one. */
	if (strcmp(a, b) == 0 && d > 1)
		return 3;
	return 2 * d;
}

/* Takes the first len bytes of known for the best answer if they are nearer than the last. */
static void
consider(const char *path, const char *known, size_t len, unsigned *least, char best[CONF_NAME])
{
	char name[CONF_NAME];
	unsigned d;

	if (len >= sizeof(name))
		return;
	memcpy(name, known, len);
	name[len] = '\0';
	d = score(path, name);
	if (d < *least) {
		*least = d;
		memcpy(best, name, len + 1);
	}
}

const char *
conf_nearest(const char *path, char buf[CONF_NAME])
{
	unsigned least = ~0u;
	size_t i, len = strlen(last_part(path));	/* a section's name is no merit */
	const char *known, *dot;

	buf[0] = '\0';
	for (i = 0; i < conf_nkeys; i++) {
		known = conf_keys[i].path;
		consider(path, known, strlen(known), &least, buf);
		for (dot = strchr(known, '.'); dot != NULL; dot = strchr(dot + 1, '.'))
			consider(path, known, (size_t)(dot - known), &least, buf);
	}
	/* Two typing errors in a word of three letters are another word. */
	return least <= (len < 5 ? 3 : 4) || least <= 2 * (len / 3) ? buf : NULL;
}
