/*
 * cli_hooks.c - millrace hooks: the URLs that events are sent to, what waits for each, and dead
 * letters; retry and drop of one, or of all of a URL.
 *
 * Asks this host's worker of webhooks, which asks Redis, page by page: all of it is the same on
 * every host of a Redis. URLs come without what may be secret in them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "msg.h"
#include "obj.h"
#include "supervisor/cli.h"
#include "util.h"

#define PAGES_MAX 5000

/* All pages of list or dead; *last the last one, a new reference, NULL pointer: not wanted. NULL after a message. */
static json_t *
ask_all(const struct cli *c, const char *verb, const char *key, json_t **last)
{
	json_t *all = json_array(), *body;
	char cursor[64] = "";
	int page, rc;

	for (page = 0; page < PAGES_MAX; page++) {
		body = NULL;
		rc = cli_call(c, "hooks", verb, json_pack("{s:s}", "cursor", cursor), &body);
		if (rc != 0) {
			cli_call_failed("hooks", rc, body);
			json_decref(body);
			json_decref(all);
			return NULL;
		}
		json_array_extend(all, json_object_get(body, key));
		str_copy(cursor, obj_str(body, "cursor"), sizeof(cursor));
		if (last != NULL) {
			json_decref(*last);
			*last = json_incref(body);
		}
		json_decref(body);
		if (cursor[0] == '\0')
			break;
	}
	return all;
}

static void
print_urls(const json_t *hooks)
{
	static const struct cli_column columns[] = { { "ID", false, 0 }, { "STATE", false, 0 }, { "WAITING", true, 0 },
		{ "LOST", true, 0 }, { "STYLE", false, 0 }, { "URL", false, 24 }, { NULL, false, 0 } };
	struct cli_table *t = cli_table_new(columns);
	char age[CLI_FORMAT];
	const json_t *h;
	size_t i;

	json_array_foreach(hooks, i, h) {
		cli_table_cell(t, "%s", obj_str(h, "id"));
		if (obj_int(h, "again_ms") > 0)
			cli_table_cell(t, "%s, again in %s", obj_str(h, "state"), cli_age(obj_int(h, "again_ms"), age));
		else
			cli_table_cell(t, "%s", obj_str(h, "state"));
		cli_table_cell(t, "%lld", (long long)obj_int(h, "waiting"));
		cli_table_cell(t, obj_int(h, "lost") > 0 ? "%lld" : "", (long long)obj_int(h, "lost"));
		cli_table_cell(t, "%s", obj_str(h, "style"));
		cli_table_cell(t, "%s%s", obj_str(h, "url"), json_is_true(json_object_get(h, "registered")) ?
		    " (registered)" : "");
	}
	cli_table_print(t, stdout, cli_width(stdout));
	json_array_foreach(hooks, i, h) {
		char *line;

		if (obj_str(h, "error")[0] == '\0')
			continue;
		line = xasprintf("%s: %s", obj_str(h, "id"), obj_str(h, "error"));
		cli_printable(line);
		printf("%s\n", line);
		free(line);
	}
}

static void
print_dead(const json_t *dead)
{
	static const struct cli_column columns[] = { { "DEAD LETTER", false, 0 }, { "HOOK", false, 0 },
		{ "EVENT", false, 0 }, { "STREAM", false, 8 }, { "TIME", false, 0 }, { "TRIES", true, 0 },
		{ "ERROR", false, 20 }, { NULL, false, 0 } };
	static const char *const keys[] = { "id", "hook", "event", "name", "time" };
	struct cli_table *t = cli_table_new(columns);
	const json_t *d;
	size_t i, k;

	if (json_array_size(dead) > 0)
		printf("\n");
	json_array_foreach(dead, i, d) {
		for (k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
			cli_table_cell(t, "%s", obj_str(d, keys[k]));
		cli_table_cell(t, "%lld", (long long)obj_int(d, "tries"));
		cli_table_cell(t, "%s", obj_str(d, "error"));
	}
	cli_table_print(t, stdout, cli_width(stdout));
}

static int
list(const struct cli *c, bool as_json)
{
	json_t *last = NULL, *hooks = ask_all(c, "list", "hooks", &last);
	json_t *dead = hooks != NULL ? ask_all(c, "dead", "dead", NULL) : NULL, *o;
	int64_t lost = obj_int(last, "lost");

	if (dead != NULL && as_json) {
		o = json_pack("{s:O, s:O, s:O?, s:I}", "hooks", hooks, "dead", dead, "leader",
		    json_object_get(last, "leader"), "lost", (json_int_t)lost);
		json_dumpf(o, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(o);
	} else if (dead != NULL) {
		if (json_array_size(hooks) == 0)
			printf("no URL is told of events; `millrace help hooks` tells how\n");
		print_urls(hooks);
		if (lost > 0)
			printf("%lld events were lost to all of them: hooks.max_waiting were there that nobody had "
			    "read\n", (long long)lost);
		print_dead(dead);
	}
	json_decref(last);
	json_decref(hooks);
	json_decref(dead);
	return dead != NULL ? CLI_OK : CLI_FAILING;
}

static int
change(const struct cli *c, const char *verb, const char *id)
{
	json_t *body = NULL;
	int rc = cli_call(c, "hooks", verb, json_pack("{s:s}", "id", id), &body);

	if (rc == 0)
		printf("%s: %lld %s\n", id, (long long)obj_int(body, "n"), strcmp(verb, "retry") == 0 ?
		    "to be tried again now" : "dropped");
	else if (rc == ENOENT)
		fprintf(stderr, "millrace: there is no URL and no dead letter %s; `millrace hooks` lists them\n", id);
	else
		cli_call_failed("hooks", rc, body);
	json_decref(body);
	return rc == 0 ? CLI_OK : CLI_FAILING;
}

int
cli_hooks(struct cli *c, int argc, char **argv)
{
	bool as_json = argc == 2 && strcmp(argv[1], "--json") == 0;

	if (argc == 3 && (strcmp(argv[1], "retry") == 0 || strcmp(argv[1], "drop") == 0))
		return cli_locate(c) == -1 ? CLI_USAGE : change(c, argv[1], argv[2]);
	if (argc > 1 && (strcmp(argv[1], "retry") == 0 || strcmp(argv[1], "drop") == 0))
		return cli_usage_error("hooks", "which one? An ID of `millrace hooks`");
	if (argc > 1 && !as_json)
		return cli_unknown_argument(argv, argv[strcmp(argv[1], "--json") == 0 ? 2 : 1]);
	return cli_locate(c) == -1 ? CLI_USAGE : list(c, as_json);
}
