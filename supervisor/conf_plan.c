/*
 * conf_plan.c - what a reload would do: every key that differs, with its old and new value,
 * sorted by when the change takes effect. Secrets are shown as ***. Pure.
 *
 * Called by control.c for `millrace reload` and for SIGHUP.
 */
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "supervisor/conf_table.h"
#include "supervisor/supervisor.h"
#include "util.h"

static char *
show_list(const json_t *list)
{
	const json_t *entry, *address;
	char *all = xstrdup("["), *longer;
	size_t i;

	json_array_foreach(list, i, entry) {
		address = json_is_object(entry) ? json_object_get(entry, "address") : entry;
		if (address == NULL)
			address = json_object_get(entry, "dir");
		longer = xasprintf("%s%s%s%s", all, i > 0 ? ", " : "", json_string_value(address),
		    json_is_true(json_object_get(entry, "proxy_protocol")) ? " (proxy_protocol)" : "");
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
	char buf[CONF_FORMAT];

	if (k->secret)
		return xstrdup(json_is_string(v) && json_string_value(v)[0] == '\0' ? "\"\"" : "***");
	switch (k->type) {
	case CONF_DURATION:
		return xstrdup(conf_format_duration(json_integer_value(v), buf));
	case CONF_SIZE:
		return xstrdup(conf_format_size(json_integer_value(v), buf));
	case CONF_REDIS:
	case CONF_URL:
		return show_url(json_string_value(v));
	default:
		break;
	}
	if (json_is_array(v))
		return show_list(v);
	return json_dumps(v, JSON_ENCODE_ANY);
}

static void
add(json_t *list, const struct conf_key *k, const json_t *old, const json_t *new)
{
	char *a = show(k, old), *b = show(k, new), *line;

	line = xasprintf("%s: %s -> %s", k->path, a, b);
	json_array_append_new(list, json_string(line));
	free(a);
	free(b);
	free(line);
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
			add(lists[k->class], k, old, new);
	}
	return plan;
}
