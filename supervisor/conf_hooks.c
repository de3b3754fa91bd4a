/*
 * conf_hooks.c - the key `hooks.urls`: a list of maps, each a URL that events are sent to. In:
 * YAML nodes. Out: {id, url, events, streams, style, secret, key}, in the file's order.
 *
 * Every member is read as if it were a key of its own (conf_read). What waits for a URL is kept
 * by its id, which is made of URL and style if none is given: with an id of its own, a URL can be
 * changed and what waits goes to the new one. Of a URL a message has scheme and host: the rest may hold a key.
 * Called by conf_type.c only.
 */
#include <nettle/sha2.h>
#include <string.h>

#include "conf.h"
#include "obj.h"
#include "supervisor/conf_table.h"
#include "supervisor/supervisor.h"
#include "url.h"
#include "util.h"

#define URL_BYTES 1024
#define ID_MAX 31
#define ID_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
#define PATTERN_MAX 64
#define PATTERN_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-*?"
#define EVENTS "publish|unpublish|ended|play|stop|record|segment|job|error"
#define STYLES "native|nginx-rtmp|srs|mediamtx|livekit|livekit-ingress"

static const struct member {
	const char *name;
	struct conf_key key;
} members[] = {
	{ "url", { .path = "hooks.urls.url", .type = CONF_URL, .secret = true } },
	{ "id", { .path = "hooks.urls.id", .type = CONF_TEXT, .standard = "\"\"" } },
	{ "events", { .path = "hooks.urls.events", .type = CONF_CHOICES, .choices = EVENTS, .min = 1, .max = 9,
	    .standard = "[publish, unpublish, ended, play, stop, record, job, error]" } },
	{ "streams", { .path = "hooks.urls.streams", .type = CONF_PATTERN_LIST, .standard = "\"*\"", .min = 1,
	    .max = 64 } },
	{ "style", { .path = "hooks.urls.style", .type = CONF_CHOICE, .choices = STYLES, .standard = "native" } },
	{ "secret", { .path = "hooks.urls.secret", .type = CONF_SECRET, .standard = "\"\"", .min = 16 } },
	{ "key", { .path = "hooks.urls.key", .type = CONF_TEXT, .standard = "\"\"" } },
};
#define NMEMBERS (sizeof(members) / sizeof(members[0]))

static void
read_member(json_t *hook, const struct conf_node *n, struct conf_errors *e)
{
	json_t *value;

	for (size_t i = 0; i < NMEMBERS; i++)
		if (strcmp(members[i].name, n->key) == 0) {
			if (!conf_node_is_null(n) && (value = conf_read(&members[i].key, n, e)) != NULL)
				json_object_set_new(hook, n->key, value);
			return;
		}
	conf_error(e, n->line, "hooks.urls: \"%s\" is not known here: want url, id, events, streams, style, secret "
	    "or key", n->key);
}

static void
fill_defaults(json_t *hook, struct conf_errors *e)
{
	for (size_t i = 0; i < NMEMBERS; i++) {
		const struct conf_key *k = &members[i].key;
		struct conf_node *n;

		if (json_object_get(hook, members[i].name) != NULL || k->standard == NULL)
			continue;
		n = conf_yaml_parse(k->standard, strlen(k->standard), e);
		json_object_set_new(hook, members[i].name, conf_read(k, n, e));
		conf_yaml_free(&n);
	}
}

void
conf_hook_id(const char *url, const char *style, char out[CONF_HOOK_ID])
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	sha256_update(&ctx, strlen(style) + 1, (const uint8_t *)style);
	sha256_update(&ctx, strlen(url), (const uint8_t *)url);
	sha256_digest(&ctx, sizeof(digest), digest);
	hex_format(out, digest, (CONF_HOOK_ID - 1) / 2);
}

const char *
conf_hook_show(const char *url, char out[CONF_HOOK_SHOWN])
{
	const char *slashes = strstr(url, "://"), *host;
	size_t n;

	host = url_host(url, &n);
	snprintf(out, CONF_HOOK_SHOWN, "%.*s%.*s%s", slashes != NULL ? (int)(slashes + 3 - url) : 0, url, (int)n, host,
	    host[n] != '\0' && strcmp(host + n, "/") != 0 ? "/..." : "");
	return out;
}

static void
give_id(json_t *hook)
{
	char id[CONF_HOOK_ID];

	if (obj_str(hook, "id")[0] != '\0')
		return;
	conf_hook_id(obj_str(hook, "url"), obj_str(hook, "style"), id);
	json_object_set_new(hook, "id", json_string(id));
}

static void
check_hook(const json_t *list, const json_t *hook, bool given_id, unsigned line, struct conf_errors *e)
{
	char shown[CONF_HOOK_SHOWN];
	const char *id = obj_str(hook, "id"), *url = obj_str(hook, "url");
	const json_t *other;
	size_t i;

	if (strlen(url) >= URL_BYTES || strpbrk(url, " \t\r\n") != NULL)
		conf_error(e, line, "hooks.urls: a URL of over %d characters, or with spaces in it", URL_BYTES - 1);
	if (strlen(id) > ID_MAX || strspn(id, ID_CHARS) != strlen(id))
		conf_error(e, line, "hooks.urls.id: \"%.40s\": want at most %d letters, digits or _", id, ID_MAX);
	json_array_foreach(list, i, other)
		if (strcmp(obj_str(other, "id"), id) == 0)
			conf_error(e, line, "hooks.urls: %s%.200s is given twice; the same URL twice wants an id each",
			    given_id ? "the id " : "", given_id ? id : conf_hook_show(url, shown));
	if (strcmp(obj_str(hook, "style"), "livekit") == 0 && obj_str(hook, "secret")[0] != '\0' &&
	    obj_str(hook, "key")[0] == '\0')
		conf_error(e, line, "hooks.urls: style livekit with a secret wants key, too: the API key whose "
		    "secret it is");
}

int
conf_check_pattern_name(const char *path, const char *text, unsigned line, struct conf_errors *e)
{
	size_t n = strlen(text);

	if (n > 0 && n <= PATTERN_MAX && strspn(text, PATTERN_CHARS) == n)
		return 0;
	conf_error(e, line, "%s: \"%.80s\": want a name, in which * stands for any letters and ? for one", path, text);
	return -1;
}

static void
read_hook(json_t *list, const struct conf_node *map, struct conf_errors *e)
{
	unsigned before = e->count;
	json_t *hook = json_object();
	bool given_id;

	for (const struct conf_node *n = map->kind == CONF_MAP ? map->first : NULL; n != NULL; n = n->next)
		read_member(hook, n, e);
	if (e->count == before && obj_str(hook, "url")[0] == '\0')
		conf_error(e, map->line, "hooks.urls: an entry without url: want {url: \"https://HOST/PATH\"}");
	if (e->count == before) {
		fill_defaults(hook, e);
		given_id = obj_str(hook, "id")[0] != '\0';
		give_id(hook);
		check_hook(list, hook, given_id, map->line, e);
	}
	json_array_append_new(list, hook);
}

json_t *
conf_read_hooks(const struct conf_key *k, const struct conf_node *n, struct conf_errors *e)
{
	json_t *list = json_array();
	unsigned before = e->count;

	if (n->kind == CONF_LIST)
		for (const struct conf_node *one = n->first; one != NULL; one = one->next)
			read_hook(list, one, e);
	else
		read_hook(list, n, e);
	if (e->count == before && json_array_size(list) > CONF_HOOKS_MAX)
		conf_error(e, n->line, "%s: %zu URLs; at most %d are possible", k->path, json_array_size(list),
		    CONF_HOOKS_MAX);
	if (e->count == before)
		return list;
	json_decref(list);
	return NULL;
}

json_t *
conf_wanted_events(const json_t *conf)
{
	const json_t *hooks = conf_get(conf, "hooks.urls"), *hook, *event;
	json_t *wanted = json_object();
	size_t i, k;

	json_array_foreach(hooks, i, hook)
		json_array_foreach(json_object_get(hook, "events"), k, event)
			json_object_set_new(wanted, json_string_value(event), json_true());
	return wanted;
}
