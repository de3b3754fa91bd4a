/*
 * conf_plan.c - what a reload would do: every key that differs, with its old and new value,
 * sorted by when the change takes effect. Secrets are shown as ***. Pure.
 *
 * Called by control.c for `millrace reload` and for SIGHUP.
 */
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "net.h"
#include "supervisor/conf_table.h"
#include "supervisor/push_url.h"
#include "supervisor/supervisor.h"
#include "util.h"

#define SHOWN_MAX 300		/* of a URL */

static const char *
member(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s != NULL ? s : "";
}

/* "/srv/in to s3://media/in/ (mp4 mkv, recursive)": all that a change can be in. */
static char *
show_folder(const json_t *f)
{
	const char *bucket = member(f, "bucket");
	char *extensions = xstrdup(""), *longer, poll[CONF_FORMAT];
	json_t *one;
	size_t i;

	json_array_foreach(json_object_get(f, "extensions"), i, one) {
		longer = xasprintf("%s%s%s", extensions, i > 0 ? " " : "", json_string_value(one));
		free(extensions);
		extensions = longer;
	}
	longer = xasprintf("%s to s3:%s%s%s%s (%s%s%s%s%s)", member(f, "dir"), bucket[0] != '\0' ? "//" : "", bucket,
	    bucket[0] != '\0' ? "/" : "", member(f, "prefix"), extensions,
	    json_is_true(json_object_get(f, "recursive")) ? ", recursive" : "",
	    strcmp(member(f, "layout"), "object") != 0 ? ", chunks" : "",
	    json_integer_value(json_object_get(f, "poll")) > 0 ? ", poll " : "",
	    json_integer_value(json_object_get(f, "poll")) > 0 ?
	    conf_format_duration(json_integer_value(json_object_get(f, "poll")), poll) : "");
	free(extensions);
	return longer;
}

/* "youtube of * to rtmp://host/app/" and stars for the rest. */
static char *
show_push(const json_t *target)
{
	char url[SHOWN_MAX], app[80];

	push_url_show(member(target, "url"), url, sizeof(url));
	snprintf(app, sizeof(app), strcmp(member(target, "app"), "*") != 0 ? " of app %s" : "", member(target, "app"));
	return xasprintf("%s of %s%s to %s%s%s", member(target, "id"), member(target, "stream"), app, url,
	    json_is_true(json_object_get(target, "transcode")) ? " (transcode)" : "",
	    json_is_false(json_object_get(target, "verify")) ? " (no verify)" : "");
}

static char *
show_entry(const json_t *entry)
{
	if (json_object_get(entry, "dir") != NULL)
		return show_folder(entry);
	if (json_object_get(entry, "url") != NULL)
		return show_push(entry);
	if (json_is_object(entry))
		return xasprintf("%s%s", member(entry, "address"),
		    json_is_true(json_object_get(entry, "proxy_protocol")) ? " (proxy_protocol)" : "");
	return xstrdup(json_string_value(entry));
}

static char *
show_list(const json_t *list)
{
	char *all = xstrdup("["), *longer, *one;
	const json_t *entry;
	size_t i;

	json_array_foreach(list, i, entry) {
		one = show_entry(entry);
		longer = xasprintf("%s%s%s", all, i > 0 ? ", " : "", one);
		free(one);
		free(all);
		all = longer;
	}
	longer = xasprintf("%s]", all);
	free(all);
	return longer;
}

/* user:password@ of an URL is not for eyes. */
static char *
show_url(const char *url)
{
	const char *slashes = strstr(url, "://"), *at = strrchr(url, '@');

	if (url[0] == '\0')
		return xstrdup("\"\"");
	if (slashes == NULL || at == NULL || at < slashes)
		return xstrdup(url);
	return xasprintf("%.*s://***%s", (int)(slashes - url), url, at);
}

static char *
show(const struct conf_key *k, const json_t *v)
{
	char buf[CONF_FORMAT], url[SHOWN_MAX];

	if (k->secret && json_is_string(v) && strncmp(json_string_value(v), "rtmp", 4) == 0) {
		push_url_show(json_string_value(v), url, sizeof(url));
		return xstrdup(url);
	}
	if (k->secret && k->type != CONF_PUSH)
		return xstrdup(json_is_string(v) && json_string_value(v)[0] == '\0' ? "\"\"" : "***");
	switch (k->type) {
	case CONF_DURATION:
		return xstrdup(conf_format_duration(json_integer_value(v), buf));
	case CONF_SIZE:
		return xstrdup(conf_format_size(json_integer_value(v), buf));
	case CONF_BITRATE:
		return xstrdup(conf_format_bitrate(json_integer_value(v), buf));
	case CONF_REDIS:
	case CONF_URL:
	case CONF_BASE_URL:
		return show_url(json_string_value(v));
	default:
		break;
	}
	if (json_is_array(v))
		return show_list(v);
	return json_dumps(v, JSON_ENCODE_ANY);
}

static char *
count_keys(const json_t *keys)
{
	size_t n = json_object_size(keys);

	return n == 0 ? xstrdup("none") : xasprintf("%zu key%s", n, n == 1 ? "" : "s");
}

/* " (alice: another one, bob: added)": whose, and never what. */
static char *
whose_keys(const json_t *old, const json_t *new)
{
	char *all = xstrdup(""), *longer;
	json_t *names = json_copy((json_t *)old), *hashes;
	const char *name;

	json_object_update_missing(names, (json_t *)new);
	json_object_foreach(names, name, hashes) {
		const json_t *was = json_object_get(old, name), *is = json_object_get(new, name);

		if (json_equal(was, is))
			continue;
		longer = xasprintf("%s%s%s: %s", all, all[0] != '\0' ? ", " : " (", name,
		    was == NULL ? "added" : is == NULL ? "removed" : "another one");
		free(all);
		all = longer;
	}
	longer = xasprintf("%s)", all);
	json_decref(names);
	free(all);
	return longer;
}

static void
add(json_t *list, const struct conf_key *k, const json_t *old, const json_t *new)
{
	bool keys = k->type == CONF_KEYS;
	char *a = keys ? count_keys(old) : show(k, old), *b = keys ? count_keys(new) : show(k, new), *line;
	char *more = keys ? whose_keys(old, new) : xstrdup(strcmp(a, b) == 0 ? " (another one)" : "");

	line = xasprintf("%s: %s -> %s%s", k->path, a, b, more);
	json_array_append_new(list, json_string(line));
	free(more);
	free(a);
	free(b);
	free(line);
}

static bool
listens_at(const json_t *list, const char *address)
{
	const json_t *l;
	size_t i;

	json_array_foreach(list, i, l)
		if (strcmp(member(l, "address"), address) == 0)
			return true;
	return false;
}

/* All interfaces and one of them exclude each other on a port: it is not free until all who have it have left. */
bool
conf_listen_moves(const json_t *old, const json_t *new)
{
	struct net_addr a, b;
	const json_t *o, *n;
	size_t i, j;

	json_array_foreach(old, i, o)
		json_array_foreach(new, j, n)
			if (net_parse(member(o, "address"), &a) == 0 && net_parse(member(n, "address"), &b) == 0 &&
			    net_collide(&a, &b) && !listens_at(new, member(o, "address")) &&
			    !listens_at(old, member(n, "address")))
				return true;
	return false;
}

json_t *
conf_plan(const json_t *from, const json_t *to)
{
	json_t *plan = json_pack("{s:[], s:[], s:[], s:[]}", "now", "new_streams", "restart",
	    "failed");
	json_t *lists[] = {
		[CONF_LIVE] = json_object_get(plan, "now"),
		[CONF_NEW_STREAMS] = json_object_get(plan, "new_streams"),
		[CONF_RESTART] = json_object_get(plan, "restart"),
	};
	const struct conf_key *k;
	json_t *old, *new;
	size_t i;

	for (i = 0; i < conf_nkeys; i++) {
		k = &conf_keys[i];
		old = conf_get(from, k->path);
		new = conf_get(to, k->path);
		if (!json_equal(old, new))
			add(lists[k->type == CONF_LISTENERS && conf_listen_moves(old, new) ? CONF_RESTART : k->class],
			    k, old, new);
	}
	return plan;
}
