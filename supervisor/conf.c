/*
 * conf.c - the config: YAML in, one checked and normalised JSON tree out, or all errors.
 *
 * Walks the YAML tree (conf_yaml.c) along the table (conf_keys.c), fills in the defaults by
 * reading them as if they stood in the file, then checks what must hold between keys, those aside
 * that were not understood. Nothing is half taken over: with one error there is no tree. Called by
 * main.c, control.c and the CLI; conf_load_buffer also by tests and the fuzzer, so any bytes must
 * be survived.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "supervisor/conf_table.h"
#include "supervisor/supervisor.h"
#include "util.h"

#define PATH_MAX_LEN 200

struct loader {
	struct conf_errors errors;
	json_t *root;
	unsigned *lines;	/* by index of conf_keys; 0 = not in the file, or CONF_UNREAD */
};

void
conf_error(struct conf_errors *e, unsigned line, const char *fmt, ...)
{
	char *text, *whole;
	va_list ap;

	e->count++;
	if (json_array_size(e->list) >= CONF_ERRORS_MAX)
		return;
	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) == -1)
		text = xstrdup("out of memory");
	va_end(ap);
	whole = line > 0 ? xasprintf("%s:%u: %s", e->file, line, text) :
	    xasprintf("%s: %s", e->file, text);
	json_array_append_new(e->list, msg_text(whole, strlen(whole)));
	free(text);
	free(whole);
}

void
conf_set(json_t *root, const char *path, json_t *value)
{
	char part[CONF_NAME];
	const char *dot;
	json_t *next;

	for (; (dot = strchr(path, '.')) != NULL; path = dot + 1, root = next) {
		str_copy(part, path, sizeof(part));
		part[dot - path] = '\0';
		next = json_object_get(root, part);
		if (next == NULL) {
			next = json_object();
			json_object_set_new(root, part, next);
		}
	}
	json_object_set_new(root, path, value);
}

/* A key, or all of a section: what was meant is not known, so nothing is concluded from it. */
static void
unread(struct loader *l, const char *path)
{
	size_t n = strlen(path), i;

	for (i = 0; i < conf_nkeys; i++)
		if (strncmp(conf_keys[i].path, path, n) == 0 && strchr(".", conf_keys[i].path[n]) != NULL)
			l->lines[i] = CONF_UNREAD;
}

static void
unknown_key(struct loader *l, const char *path, unsigned line)
{
	char buf[CONF_NAME], section[PATH_MAX_LEN], *all;
	const char *near = conf_nearest(path, buf), *dot = strrchr(path, '.');

	if (near != NULL) {
		unread(l, near);
		conf_error(&l->errors, line, "unknown key \"%s\"; did you mean %s?", path, near);
		return;
	}
	snprintf(section, sizeof(section), "%.*s", dot != NULL ? (int)(dot - path) : 0, path);
	all = conf_children(section);
	conf_error(&l->errors, line, "unknown key \"%s\"; %s%s %s", path,
	    dot != NULL ? section : "at the top", dot != NULL ? " has" : " there are", all);
	free(all);
}

static void walk(struct loader *l, const struct conf_node *map, const char *prefix);

static void
take(struct loader *l, const struct conf_node *n, const char *path)
{
	int i = conf_find(path);
	json_t *value;

	if (i == -1 && !conf_is_section(path))
		unknown_key(l, path, n->line);
	else if (conf_node_is_null(n))
		return;
	else if (i == -1 && n->kind == CONF_MAP)
		walk(l, n, path);
	else if (i == -1) {
		unread(l, path);
		conf_error(&l->errors, n->line, "%s is a section: its keys go below it, indented", path);
	} else if (l->lines[i] == 0 || l->lines[i] == CONF_UNREAD) {	/* a second one was reported by the reader */
		l->lines[i] = n->line;
		value = conf_read(&conf_keys[i], n, &l->errors);
		if (value != NULL)
			conf_set(l->root, path, value);
		else
			l->lines[i] = CONF_UNREAD;
	}
}

static void
walk(struct loader *l, const struct conf_node *map, const char *prefix)
{
	const struct conf_node *n;
	char path[PATH_MAX_LEN];

	for (n = map->first; n != NULL; n = n->next) {
		if ((size_t)snprintf(path, sizeof(path), "%s%s%s", prefix, prefix[0] != '\0' ? "." : "",
		    n->key) >= sizeof(path) || strchr(n->key, '.') != NULL)
			conf_error(&l->errors, n->line, "unknown key \"%.60s\": write sections, not dots", n->key);
		else
			take(l, n, path);
	}
}

/* Defaults are read as if they stood in the file, so that one code knows their form. */
static void
fill_default(struct loader *l, const struct conf_key *k)
{
	struct conf_node *n = conf_yaml_parse(k->standard, strlen(k->standard), &l->errors);

	if (n != NULL)
		conf_set(l->root, k->path, conf_read(k, n, &l->errors));
	conf_yaml_free(&n);
}

static void
load(struct loader *l, const char *text, size_t len)
{
	struct conf_node *top = conf_yaml_parse(text, len, &l->errors);
	bool understood = top != NULL && (conf_node_is_null(top) || top->kind == CONF_MAP);
	size_t i;

	if (top != NULL && !conf_node_is_null(top)) {
		if (top->kind == CONF_MAP)
			walk(l, top, "");
		else
			conf_error(&l->errors, top->line, "want \"key: value\" lines");
	}
	conf_yaml_free(&top);
	for (i = 0; i < conf_nkeys && understood; i++)
		if (conf_get(l->root, conf_keys[i].path) == NULL)
			fill_default(l, &conf_keys[i]);
	if (understood)
		conf_check_relations(l->root, l->lines, &l->errors);
}

json_t *
conf_load_buffer(const char *file, const char *text, size_t len, json_t *errors)
{
	struct loader l = { .errors = { .file = file, .list = errors }, .root = json_object() };

	l.lines = xcalloc(conf_nkeys, sizeof(*l.lines));
	load(&l, text, len);
	free(l.lines);
	if (l.errors.count == 0)
		return l.root;
	json_decref(l.root);
	return NULL;
}

json_t *
conf_load(const char *path, json_t *errors)
{
	struct conf_errors e = { .file = path, .list = errors };
	json_t *conf;
	size_t len;
	char *text, who[64];

	text = file_read(path, CONF_FILE_MAX, &len);
	if (text == NULL) {
		if (errno == ENOENT)
			conf_error(&e, 0, "no such file; copy etc/millrace.yaml (installed: "
			    "/usr/share/doc/millrace/millrace.yaml) there, it works as it stands");
		else if (errno == EACCES)
			conf_error(&e, 0, "not readable by %s: give it that account's group, and mode 640",
			    account_name(who, sizeof(who)));
		else
			conf_error(&e, 0, "%s", strerror(errno));
		return NULL;
	}
	conf = conf_load_buffer(path, text, len, errors);
	free(text);
	return conf;
}

unsigned
conf_line(const char *file, const char *key)
{
	json_t *errors = json_array();
	struct conf_errors e = { .file = file, .list = errors };
	const struct conf_node *n;
	struct conf_node *top;
	unsigned line = 0;
	size_t len, part;
	char *text = file_read(file, CONF_FILE_MAX, &len);

	top = text != NULL ? conf_yaml_parse(text, len, &e) : NULL;
	for (n = top; n != NULL && key[0] != '\0'; key += part + (key[part] == '.')) {
		part = strcspn(key, ".");
		for (n = n->kind == CONF_MAP ? n->first : NULL; n != NULL; n = n->next)
			if (strlen(n->key) == part && strncmp(n->key, key, part) == 0)
				break;
		line = n != NULL ? n->line : 0;
	}
	conf_yaml_free(&top);
	free(text);
	json_decref(errors);
	return line;
}
