/*
 * conf_find.c - looking a key up in the table of conf_keys.c, and what a section of it has. Called by
 * the conf*.c files and the CLI's help.
 */
#include <stdlib.h>
#include <string.h>

#include "supervisor/conf_table.h"
#include "util.h"

int
conf_find(const char *path)
{
	size_t i;

	for (i = 0; i < conf_nkeys; i++)
		if (strcmp(conf_keys[i].path, path) == 0)
			return (int)i;
	return -1;
}

/* The part of path below section up to the next dot; its length in *len, 0 if path is elsewhere. */
static const char *
child_of(const char *path, const char *section, size_t *len)
{
	size_t n = strlen(section);

	*len = 0;
	if (n > 0 && (strncmp(path, section, n) != 0 || path[n++] != '.'))
		return path;
	*len = strcspn(path + n, ".");
	return path + n;
}

/* A section's keys need not stand together. */
static bool
is_known(const char *name, size_t len, const char *section, size_t before)
{
	const char *other;
	size_t i, n;

	for (i = 0; i < before; i++) {
		other = child_of(conf_keys[i].path, section, &n);
		if (n == len && strncmp(name, other, len) == 0)
			return true;
	}
	return false;
}

char *
conf_children(const char *section)
{
	char *all = xstrdup(""), *longer;
	const char *name;
	size_t i, len;

	for (i = 0; i < conf_nkeys; i++) {
		name = child_of(conf_keys[i].path, section, &len);
		if (len == 0 || is_known(name, len, section, i))
			continue;
		longer = xasprintf("%s%s%.*s", all, all[0] != '\0' ? ", " : "", (int)len, name);
		free(all);
		all = longer;
	}
	return all;
}

bool
conf_is_section(const char *path)
{
	size_t i, n = strlen(path);

	for (i = 0; i < conf_nkeys; i++)
		if (strncmp(conf_keys[i].path, path, n) == 0 && conf_keys[i].path[n] == '.')
			return true;
	return false;
}
