/*
 * conf_type.c - one value: a YAML node and its line of the table in, normalised JSON out.
 *
 * A table by type says who reads it. Environment variables are replaced here, so that a
 * variable is checked exactly as text in the file is. Where a list is wanted a scalar is
 * taken as a comma list (that is what a variable can hold). Called by conf.c only.
 */
#include <stdlib.h>
#include <string.h>

#include "supervisor/conf_table.h"
#include "util.h"

/* The words of choices ("a|b") contain text. */
static bool
is_choice(const char *choices, const char *text)
{
	size_t n = strlen(text), len;
	const char *p;

	for (p = choices; *p != '\0'; p += len + (p[len] == '|')) {
		len = strcspn(p, "|");
		if (len == n && strncmp(p, text, n) == 0)
			return true;
	}
	return false;
}

/* With a host, which is all that can be seen of it here. */
static bool
is_url(const char *text)
{
	const char *host = strncmp(text, "http://", 7) == 0 ? text + 7 :
	    strncmp(text, "https://", 8) == 0 ? text + 8 : "";

	return host[0] != '\0' && strchr("/?#", host[0]) == NULL;
}

static json_t *
as_text(const struct conf_key *k, const char *text, unsigned line, struct conf_errors *e)
{
	json_t *value;

	if (k->type == CONF_PATH && text[0] != '/') {
		conf_error(e, line, "%s: \"%s\" is not an absolute path", k->path, text);
		return NULL;
	}
	if (k->type == CONF_SECRET && text[0] != '\0' && strlen(text) < (size_t)k->min) {
		conf_error(e, line, "%s: shorter than %d characters; `openssl rand -hex 16` makes one",
		    k->path, (int)k->min);
		return NULL;
	}
	if (k->type == CONF_URL && text[0] != '\0' && !is_url(text)) {
		conf_error(e, line, "%s: \"%s\" does not begin with http://HOST or https://HOST", k->path,
		    k->secret ? "***" : text);
		return NULL;
	}
	if ((k->type == CONF_REDIS && conf_check_redis(text, line, e) == -1) ||
	    (k->type == CONF_ADDRESS && conf_check_listener(k->path, text, line, e) == -1) ||
	    (k->type == CONF_PORTS && conf_check_ports(k->path, text, line, e) == -1))
		return NULL;
	value = json_string(text);
	if (value == NULL)	/* only a variable can hold such bytes */
		conf_error(e, line, "%s: not UTF-8 text", k->path);
	return value;
}

/* Whoever adds a path to it begins that with a slash. */
static json_t *
as_base_url(const struct conf_key *k, const char *text, unsigned line, struct conf_errors *e)
{
	size_t n = strlen(text);
	char *bare;
	json_t *value;

	while (n > 0 && text[n - 1] == '/')
		n--;
	bare = xasprintf("%.*s", (int)n, text);
	if (text[0] != '\0' && strncmp(bare, "http://", 7) != 0 && strncmp(bare, "https://", 8) != 0) {
		conf_error(e, line, "%s: \"%s\" does not begin with http:// or https://", k->path, text);
		value = NULL;
	} else
		value = as_text(k, bare, line, e);
	free(bare);
	return value;
}

static json_t *
as_choice(const struct conf_key *k, const char *text, unsigned line, struct conf_errors *e)
{
	if (is_choice(k->choices, text))
		return json_string(text);
	conf_error(e, line, "%s: \"%s\" is not one of %s", k->path, text, k->choices);
	return NULL;
}

static json_t *
as_bool(const struct conf_key *k, const char *text, unsigned line, struct conf_errors *e)
{
	if (is_choice("true|yes|on", text))
		return json_true();
	if (is_choice("false|no|off", text))
		return json_false();
	conf_error(e, line, "%s: \"%s\" is neither true nor false", k->path, text);
	return NULL;
}

static const char *
show(const struct conf_key *k, int64_t n, char buf[CONF_FORMAT])
{
	if (k->type == CONF_DURATION)
		return conf_format_duration(n, buf);
	if (k->type == CONF_SIZE)
		return conf_format_size(n, buf);
	if (k->type == CONF_BITRATE)
		return conf_format_bitrate(n, buf);
	snprintf(buf, CONF_FORMAT, "%lld", (long long)n);
	return buf;
}

static json_t *
as_number(const struct conf_key *k, const char *text, unsigned line, struct conf_errors *e)
{
	static const struct {
		int (*parse)(const char *, int64_t *);
		const char *what;
	} kinds[] = {
		[CONF_INT] = { conf_parse_int, "a whole number" },
		[CONF_DURATION] = { conf_parse_duration, "a duration (5s, 250ms, 2m, 1h)" },
		[CONF_SIZE] = { conf_parse_size, "a size (64KiB, 8MiB, 1GiB, or bytes)" },
		[CONF_BITRATE] = { conf_parse_bitrate, "a bit rate (96k, 2M, or bits a second)" },
	};
	char a[CONF_FORMAT], b[CONF_FORMAT];
	int64_t n;

	if (kinds[k->type].parse(text, &n) == -1)
		conf_error(e, line, "%s: \"%s\" is not %s", k->path, text, kinds[k->type].what);
	else if (n < k->min || n > k->max)
		conf_error(e, line, "%s: %s is not between %s and %s", k->path, text, show(k, k->min, a),
		    show(k, k->max, b));
	else
		return json_integer(n);
	return NULL;
}

/* --- lists --- */

/* A port alone, as WS_PORT has it, is one of all interfaces, and no mistake if it is listed already. */
static void
add_listener(json_t *list, const struct conf_key *k, const char *text, bool proxied, unsigned line,
    struct conf_errors *e)
{
	char port[16];
	json_t *entry;
	size_t i;

	if (text[0] != '\0' && strlen(text) < 6 && strspn(text, "0123456789") == strlen(text)) {
		snprintf(port, sizeof(port), ":%s", text);
		text = port;
	}
	if (conf_check_listener(k->path, text, line, e) == -1)
		return;
	json_array_foreach(list, i, entry)
		if (strcmp(json_string_value(json_object_get(entry, "address")), text) == 0) {
			if (text != port)
				conf_error(e, line, "%s: \"%s\" is given twice", k->path, text);
			return;
		}
	json_array_append_new(list, json_pack("{s:s, s:b}", "address", text, "proxy_protocol", proxied));
}

static void
add_item(json_t *list, const struct conf_key *k, const char *text, unsigned line,
    struct conf_errors *e)
{
	json_t *entry, *value = NULL;
	size_t i;

	if (k->type == CONF_LISTENERS) {
		add_listener(list, k, text, false, line, e);
		return;
	}
	if (k->type == CONF_PATTERNS ? conf_check_pattern(text, line, e) == 0 :
	    k->type == CONF_NETS ? conf_check_net(k->path, text, line, e) == 0 :
	    k->type == CONF_ADDRESSES ? conf_check_address(k->path, text, line, e) == 0 :
	    k->type == CONF_ICE_SERVERS ? conf_check_ice_server(k->path, text, line, e) == 0 :
	    k->type == CONF_ORIGINS ? conf_check_origin(k->path, text, line, e) == 0 :
	    k->type == CONF_EXTENSIONS ? conf_check_extension(k->path, text, line, e) == 0 :
	    k->type == CONF_PATTERN_LIST ? conf_check_pattern_name(k->path, text, line, e) == 0 : true)
		value = k->type == CONF_CHOICES ? as_choice(k, text, line, e) : json_string(text);
	if (value == NULL)
		return;
	json_array_foreach(list, i, entry)
		if (json_equal(entry, value)) {
			conf_error(e, line, "%s: \"%s\" is given twice", k->path, text);
			json_decref(value);
			return;
		}
	json_array_append_new(list, value);
}

/* {address: ..., proxy_protocol: true} */
static void
add_listener_map(json_t *list, const struct conf_key *k, const struct conf_node *map,
    struct conf_errors *e)
{
	const struct conf_key flag = { .path = "proxy_protocol", .type = CONF_BOOL };
	const struct conf_node *n;
	json_t *proxied = NULL;
	char *address = NULL, *text;

	for (n = map->first; n != NULL; n = n->next) {
		text = n->kind == CONF_SCALAR ? conf_env_expand(n->text, n->line, e) : NULL;
		if (text != NULL && address == NULL && strcmp(n->key, "address") == 0) {
			address = text;
			continue;
		}
		if (text != NULL && proxied == NULL && strcmp(n->key, "proxy_protocol") == 0)
			proxied = as_bool(&flag, text, n->line, e);
		else if (text != NULL || n->kind != CONF_SCALAR)
			conf_error(e, n->line, "%s: \"%s\" is not known here: want address and proxy_protocol",
			    k->path, n->key);
		free(text);
	}
	if (address != NULL)
		add_listener(list, k, address, json_is_true(proxied), map->line, e);
	else
		conf_error(e, map->line, "%s: a listener without address", k->path);
	free(address);
	json_decref(proxied);
}

static void
add_comma_list(json_t *list, const struct conf_key *k, const struct conf_node *n,
    struct conf_errors *e)
{
	char *text = conf_env_expand(n->text, n->line, e), *save = NULL, *item, *end;

	if (text == NULL)
		return;
	for (item = strtok_r(text, ",", &save); item != NULL; item = strtok_r(NULL, ",", &save)) {
		item += strspn(item, " ");
		for (end = item + strlen(item); end > item && end[-1] == ' '; end--)
			end[-1] = '\0';
		if (item[0] != '\0')
			add_item(list, k, item, n->line, e);
	}
	free(text);
}

static void
add_member(json_t *list, const struct conf_key *k, const struct conf_node *n, struct conf_errors *e)
{
	char *text;

	if (n->kind == CONF_MAP && k->type == CONF_LISTENERS)
		add_listener_map(list, k, n, e);
	else if (n->kind != CONF_SCALAR)
		conf_error(e, n->line, "%s: a list inside the list", k->path);
	else if ((text = conf_env_expand(n->text, n->line, e)) != NULL) {
		add_item(list, k, text, n->line, e);
		free(text);
	}
}

static json_t *
read_list(const struct conf_key *k, const struct conf_node *n, struct conf_errors *e)
{
	json_t *list = json_array();
	const struct conf_node *member;
	unsigned before = e->count;
	size_t size;

	if (n->kind == CONF_SCALAR)
		add_comma_list(list, k, n, e);
	else if (n->kind == CONF_MAP)
		add_member(list, k, n, e);
	for (member = n->kind == CONF_LIST ? n->first : NULL; member != NULL; member = member->next)
		add_member(list, k, member, e);
	size = json_array_size(list);
	if (e->count == before && (size < (size_t)k->min || size > (size_t)k->max))
		conf_error(e, n->line, "%s: %zu entries; between %d and %d are possible", k->path, size,
		    (int)k->min, (int)k->max);
	if (e->count == before)
		return list;
	json_decref(list);
	return NULL;
}

/* --- authorize.keys: NAME: hash, or NAME: [hash, hash] --- */

static json_t *
read_hashes(const struct conf_node *n, struct conf_errors *e)
{
	const struct conf_node *one = n->kind == CONF_LIST ? n->first : n;
	json_t *list = json_array();
	char *text;

	for (; one != NULL; one = n->kind == CONF_LIST ? one->next : NULL) {
		text = one->kind == CONF_SCALAR ? conf_env_expand(one->text, one->line, e) : NULL;
		if (one->kind != CONF_SCALAR)
			conf_error(e, one->line, "authorize.keys: %s wants a hash or a list of hashes", n->key);
		else if (text != NULL && conf_check_hash(n->key, text, one->line, e) == 0)
			json_array_append_new(list, json_string(text));
		free(text);
	}
	return list;
}

static json_t *
read_keys(const struct conf_key *k, const struct conf_node *n, struct conf_errors *e)
{
	const struct conf_node *entry;
	unsigned before = e->count;
	json_t *keys;

	if (n->kind != CONF_MAP) {
		conf_error(e, n->line, "%s wants NAME: hash, one a line; `millrace key NAME` prints such a line",
		    k->path);
		return NULL;
	}
	keys = json_object();
	for (entry = n->first; entry != NULL; entry = entry->next)
		json_object_set_new(keys, entry->key, read_hashes(entry, e));
	if (e->count == before)
		return keys;
	json_decref(keys);
	return NULL;
}

json_t *
conf_read(const struct conf_key *k, const struct conf_node *n, struct conf_errors *e)
{
	static json_t *(*const scalars[])(const struct conf_key *, const char *, unsigned,
	    struct conf_errors *) = {
		[CONF_TEXT] = as_text, [CONF_PATH] = as_text, [CONF_REDIS] = as_text,
		[CONF_URL] = as_text, [CONF_BASE_URL] = as_base_url, [CONF_SECRET] = as_text, [CONF_BOOL] = as_bool,
		[CONF_CHOICE] = as_choice, [CONF_INT] = as_number, [CONF_DURATION] = as_number,
		[CONF_SIZE] = as_number, [CONF_BITRATE] = as_number, [CONF_ADDRESS] = as_text, [CONF_PORTS] = as_text,
	};
	json_t *value;
	char *text;

	if (k->type == CONF_KEYS)
		return read_keys(k, n, e);
	if (k->type == CONF_PUSH)
		return conf_read_push(k, n, e);
	if (k->type == CONF_WATCH)
		return conf_read_watch(k, n, e);
	if (k->type == CONF_HOOKS)
		return conf_read_hooks(k, n, e);
	if (k->type >= CONF_LISTENERS)
		return read_list(k, n, e);
	if (n->kind != CONF_SCALAR) {
		conf_error(e, n->line, "%s wants one value, not a %s", k->path,
		    n->kind == CONF_LIST ? "list" : "section");
		return NULL;
	}
	text = conf_env_expand(n->text, n->line, e);
	if (text == NULL)
		return NULL;
	value = scalars[k->type](k, text, n->line, e);
	free(text);
	return value;
}
