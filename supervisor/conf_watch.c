/*
 * conf_watch.c - the key `watch`: a list of maps, each a folder that is watched and where its
 * files go. In: YAML nodes. Out: {dir, extensions, recursive, bucket, prefix, layout, poll}.
 *
 * Every member is read as if it were a key of its own (conf_read), so that durations,
 * variables and comma lists are the same here as everywhere. Whether a folder exists is not
 * looked at: it may be mounted later. Called by conf_type.c only.
 */
#include <ctype.h>
#include <string.h>

#include "supervisor/conf_table.h"
#include "util.h"

#define FOLDERS_MAX 64
#define DIR_BYTES 1024
#define PREFIX_BYTES 512
#define BUCKET_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

static const struct member {
	const char *name;
	struct conf_key key;
} members[] = {
	{ "dir", { .path = "watch.dir", .type = CONF_PATH } },
	{ "extensions", { .path = "watch.extensions", .type = CONF_EXTENSIONS, .standard = "[mp4, mkv]",
	    .min = 1, .max = 64 } },
	{ "recursive", { .path = "watch.recursive", .type = CONF_BOOL, .standard = "false" } },
	{ "to", { .path = "watch.to", .type = CONF_TEXT, .standard = "\"s3:\"" } },
	{ "layout", { .path = "watch.layout", .type = CONF_CHOICE, .standard = "object", .choices = "object|chunks" } },
	{ "poll", { .path = "watch.poll", .type = CONF_DURATION, .standard = "0s", .max = 86400000 } },
};
#define NMEMBERS (sizeof(members) / sizeof(members[0]))

static const struct member *
member_find(const char *name)
{
	for (size_t i = 0; i < NMEMBERS; i++)
		if (strcmp(members[i].name, name) == 0)
			return &members[i];
	return NULL;
}

static json_t *
standard(const struct member *m, struct conf_errors *e)
{
	struct conf_node *n = conf_yaml_parse(m->key.standard, strlen(m->key.standard), e);
	json_t *value = n != NULL ? conf_read(&m->key, n, e) : NULL;

	conf_yaml_free(&n);
	return value;
}

/* Without slashes at the end; one that leads back up, or twice the same slash, would have two names. */
static void
clean_dir(json_t *folder, unsigned line, struct conf_errors *e)
{
	const char *text = json_string_value(json_object_get(folder, "dir"));
	char dir[DIR_BYTES + 8];
	size_t n = strlen(text);

	while (n > 1 && text[n - 1] == '/')
		n--;
	if (n > DIR_BYTES) {
		conf_error(e, line, "watch.dir: longer than %d characters", DIR_BYTES);
		return;
	}
	snprintf(dir, sizeof(dir), "%.*s/", (int)n, text);
	if (n < 2 || strstr(dir, "//") != NULL || strstr(dir, "/./") != NULL || strstr(dir, "/../") != NULL)
		conf_error(e, line, "watch.dir: \"%s\": want the folder's plain path, not /, without //, . and ..",
		    text);
	dir[n] = '\0';
	json_object_set_new(folder, "dir", json_string(dir));
}

/* "s3://BUCKET/PREFIX/" or "s3:PREFIX/" taken apart. */
static void
split_to(json_t *folder, unsigned line, struct conf_errors *e)
{
	const char *text = json_string_value(json_object_get(folder, "to")), *p = text + 3;
	char prefix[PREFIX_BYTES + 8];
	size_t bucket = 0, n;

	if (strncmp(text, "s3:", 3) == 0 && strncmp(p, "//", 2) == 0) {
		p += 2;
		bucket = strcspn(p, "/");
	}
	if (strncmp(text, "s3:", 3) != 0 || (p > text + 3 && (bucket < 3 || bucket > 63 ||
	    strspn(p, BUCKET_CHARS) < bucket)) || strcspn(p + bucket, "\r\n\t") != strlen(p + bucket)) {
		conf_error(e, line, "watch.to: \"%s\": want s3://BUCKET/PREFIX/, or s3:PREFIX/ for storage.s3.bucket",
		    text);
		return;
	}
	if (bucket == 0 && p[0] == '/') {
		conf_error(e, line, "watch.to: \"%s\" has one slash: want s3://%s for a bucket of that name, or "
		    "s3:%s for storage.s3.bucket", text, p + strspn(p, "/"), p + strspn(p, "/"));
		return;
	}
	json_object_set_new(folder, "bucket", json_stringn(p, bucket));
	p += bucket;
	p += strspn(p, "/");
	n = strlen(p);
	if (n > PREFIX_BYTES)
		conf_error(e, line, "watch.to: longer than %d characters", PREFIX_BYTES);
	snprintf(prefix, sizeof(prefix), "%.*s%s", PREFIX_BYTES, p, n > 0 && p[n - 1] != '/' ? "/" : "");
	json_object_set_new(folder, "prefix", json_string(prefix));
	json_object_del(folder, "to");
}

/* They are compared without case: kept in small letters, each once. */
static void
lower_extensions(json_t *folder)
{
	json_t *list = json_object_get(folder, "extensions"), *v;
	char text[64];
	size_t i, k;

	json_array_foreach(list, i, v) {
		str_copy(text, json_string_value(v), sizeof(text));
		for (k = 0; text[k] != '\0'; k++)
			text[k] = (char)tolower((unsigned char)text[k]);
		json_array_set_new(list, i, json_string(text));
	}
}

static bool
inside(const char *dir, const char *parent)
{
	size_t n = strlen(parent);

	return strncmp(dir, parent, n) == 0 && dir[n] == '/';
}

/* A file must not be two folders' file: which of them would say where it goes? */
static void
check_overlap(const json_t *list, const json_t *folder, unsigned line, struct conf_errors *e)
{
	const char *dir = json_string_value(json_object_get(folder, "dir")), *other;
	json_t *one;
	size_t i;

	json_array_foreach(list, i, one) {
		other = json_string_value(json_object_get(one, "dir"));
		if (strcmp(dir, other) == 0)
			conf_error(e, line, "watch: \"%s\" is given twice", dir);
		else if ((inside(dir, other) && json_is_true(json_object_get(one, "recursive"))) ||
		    (inside(other, dir) && json_is_true(json_object_get(folder, "recursive"))))
			conf_error(e, line, "watch: \"%s\" and \"%s\": one is inside the other, which is recursive",
			    other, dir);
	}
}

static void
read_member(json_t *folder, const struct conf_node *n, struct conf_errors *e)
{
	const struct member *m = member_find(n->key);
	json_t *value;

	if (m == NULL)
		conf_error(e, n->line, "watch: \"%s\" is not known here: want dir, extensions, recursive, to, layout"
		    " or poll", n->key);
	else if (!conf_node_is_null(n) && (value = conf_read(&m->key, n, e)) != NULL)
		json_object_set_new(folder, m->name, value);
}

static void
read_folder(json_t *list, const struct conf_node *map, struct conf_errors *e)
{
	json_t *folder = json_object();
	unsigned before = e->count;

	for (const struct conf_node *n = map->kind == CONF_MAP ? map->first : NULL; n != NULL; n = n->next)
		read_member(folder, n, e);
	if (e->count == before && json_object_get(folder, "dir") == NULL)
		conf_error(e, map->line, "watch: a folder without dir: want {dir: /PATH, to: s3://BUCKET/PREFIX/}");
	for (size_t i = 1; i < NMEMBERS && e->count == before; i++)
		if (json_object_get(folder, members[i].name) == NULL)
			json_object_set_new(folder, members[i].name, standard(&members[i], e));
	if (e->count == before) {
		clean_dir(folder, map->line, e);
		split_to(folder, map->line, e);
		lower_extensions(folder);
		check_overlap(list, folder, map->line, e);
	}
	if (e->count == before)
		json_array_append(list, folder);
	json_decref(folder);
}

json_t *
conf_read_watch(const struct conf_key *k, const struct conf_node *n, struct conf_errors *e)
{
	json_t *list = json_array();
	unsigned before = e->count;

	if (n->kind == CONF_LIST)
		for (const struct conf_node *one = n->first; one != NULL; one = one->next)
			read_folder(list, one, e);
	else
		read_folder(list, n, e);
	if (e->count == before && json_array_size(list) > FOLDERS_MAX)
		conf_error(e, n->line, "%s: %zu folders; at most %d are possible", k->path, json_array_size(list),
		    FOLDERS_MAX);
	if (e->count == before)
		return list;
	json_decref(list);
	return NULL;
}
