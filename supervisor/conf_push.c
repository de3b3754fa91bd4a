/*
 * conf_push.c - the key `push`: a list of maps, each a server that streams are sent on to. In:
 * YAML nodes. Out: {stream, app, id, url, transcode, verify}, in the file's order, which counts:
 * of those that fit a stream and have the same id, it gets the first.
 *
 * Every member is read as if it were a key of its own (conf_read). A URL is never part of a
 * message: its end may be a key. Called by conf_type.c only.
 */
#include <string.h>

#include "obj.h"
#include "supervisor/conf_table.h"
#include "supervisor/push_url.h"

#define TARGETS_MAX 1000
#define PATTERN_MAX 64
#define PATTERN_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-*?"

static const struct member {
	const char *name, *standard;
	struct conf_key key;
} members[] = {
	{ "id", NULL, { .path = "push.id", .type = CONF_TEXT } },
	{ "url", NULL, { .path = "push.url", .type = CONF_TEXT } },
	{ "stream", "*", { .path = "push.stream", .type = CONF_TEXT } },
	{ "app", "*", { .path = "push.app", .type = CONF_TEXT } },
	{ "transcode", "no", { .path = "push.transcode", .type = CONF_BOOL } },
	{ "verify", "yes", { .path = "push.verify", .type = CONF_BOOL } },
};
#define NMEMBERS (sizeof(members) / sizeof(members[0]))

static void
read_member(json_t *target, const struct conf_node *n, struct conf_errors *e)
{
	json_t *value;

	for (size_t i = 0; i < NMEMBERS; i++)
		if (strcmp(members[i].name, n->key) == 0) {
			if (!conf_node_is_null(n) && (value = conf_read(&members[i].key, n, e)) != NULL)
				json_object_set_new(target, n->key, value);
			return;
		}
	conf_error(e, n->line, "push: \"%s\" is not known here: want id, url, stream, app, transcode or verify",
	    n->key);
}

static void
fill_defaults(json_t *target)
{
	for (size_t i = 0; i < NMEMBERS; i++)
		if (json_object_get(target, members[i].name) == NULL && members[i].standard != NULL)
			json_object_set_new(target, members[i].name, members[i].key.type == CONF_BOOL ?
			    json_boolean(members[i].standard[0] == 'y') : json_string(members[i].standard));
}

static void
check_pattern(const json_t *target, const char *name, unsigned line, struct conf_errors *e)
{
	const char *text = obj_str(target, name);
	size_t n = strlen(text);

	if (n == 0 || n > PATTERN_MAX || strspn(text, PATTERN_CHARS) != n)
		conf_error(e, line, "push.%s: \"%.80s\": want a name, in which * stands for any letters and ? for one",
		    name, text);
}

static void
check_target(const json_t *list, const json_t *target, unsigned line, struct conf_errors *e)
{
	static const char *const same[] = { "id", "stream", "app" };
	const char *id = obj_str(target, "id"), *wrong;
	const json_t *other;
	size_t i, k;

	if (id[0] == '\0' || obj_str(target, "url")[0] == '\0') {
		conf_error(e, line, "push: a target without %s: want {id: youtube, url: \"rtmp://HOST/APP/KEY\"}",
		    id[0] == '\0' ? "id" : "url");
		return;
	}
	if ((wrong = push_id_wrong(id)) != NULL)
		conf_error(e, line, "push.id: \"%.40s\": %s", id, wrong);
	if ((wrong = push_url_wrong(obj_str(target, "url"))) != NULL)
		conf_error(e, line, "push.url of %.40s: %s", id, wrong);
	check_pattern(target, "stream", line, e);
	check_pattern(target, "app", line, e);
	json_array_foreach(list, i, other) {
		for (k = 0; k < 3 && strcmp(obj_str(target, same[k]), obj_str(other, same[k])) == 0; k++)
			;
		if (k == 3)
			conf_error(e, line, "push: the id %s is given twice for the same streams", id);
	}
}

static void
read_target(json_t *list, const struct conf_node *map, struct conf_errors *e)
{
	json_t *target = json_object();
	unsigned before = e->count;

	for (const struct conf_node *n = map->kind == CONF_MAP ? map->first : NULL; n != NULL; n = n->next)
		read_member(target, n, e);
	if (e->count == before) {
		fill_defaults(target);
		check_target(list, target, map->line, e);
	}
	json_array_append_new(list, target);
}

json_t *
conf_read_push(const struct conf_key *k, const struct conf_node *n, struct conf_errors *e)
{
	json_t *list = json_array();
	unsigned before = e->count;

	if (n->kind == CONF_LIST)
		for (const struct conf_node *one = n->first; one != NULL; one = one->next)
			read_target(list, one, e);
	else
		read_target(list, n, e);
	if (e->count == before && json_array_size(list) > TARGETS_MAX)
		conf_error(e, n->line, "%s: %zu targets; at most %d are possible", k->path, json_array_size(list),
		    TARGETS_MAX);
	if (e->count == before)
		return list;
	json_decref(list);
	return NULL;
}
