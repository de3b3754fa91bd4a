/*
 * cli_cluster.c - status --cluster: the hosts that share this host's Redis, as the registry and
 * the queue know them: when each was last heard of, its version, streams and jobs.
 *
 * A host that stopped is forgotten at once; one that died is shown for an hour, and for as long
 * as jobs wait for it. Called by cli_status.c.
 */
#include <string.h>

#include "obj.h"
#include "supervisor/cli.h"
#include "util.h"

#define PAGES_MAX 100

/* The array `key` of an answer; NULL after a message. */
static json_t *
ask(const struct cli *c, const char *to, const char *verb, const char *key)
{
	json_t *body = NULL, *list;
	int rc = cli_call(c, to, verb, json_object(), &body);

	if (rc != 0)
		cli_call_failed(verb, rc, body);
	list = rc == 0 ? json_incref(json_object_get(body, key)) : NULL;
	json_decref(body);
	return list;
}

static json_t *
host_by_id(const json_t *hosts, const char *id)
{
	json_t *h;
	size_t i;

	json_array_foreach(hosts, i, h)
		if (strcmp(obj_str(h, "id"), id) == 0)
			return h;
	return NULL;
}

/* Names of streams to the hosts that have them. */
static void
add_streams(const struct cli *c, const json_t *hosts)
{
	json_t *body, *s, *h;
	char cursor[64] = "";
	size_t i;

	json_array_foreach(hosts, i, h)
		json_object_set_new(h, "streams", json_array());
	for (int page = 0; page < PAGES_MAX; page++) {
		body = NULL;
		if (cli_call(c, "registry", "streams", json_pack("{s:s}", "cursor", cursor), &body) != 0)
			cursor[0] = '\0';
		else
			str_copy(cursor, obj_str(body, "cursor"), sizeof(cursor));
		json_array_foreach(json_object_get(body, "streams"), i, s) {
			h = host_by_id(hosts, obj_str(s, "host_id"));
			json_array_append(json_object_get(h, "streams"), json_object_get(s, "name"));
		}
		json_decref(body);
		if (cursor[0] == '\0')
			break;
	}
}

/* What each runs and what waits for it; one that only the queue remembers is dead for long. */
static void
add_jobs(json_t *hosts, const json_t *queue)
{
	json_t *h, *q;
	size_t i;

	json_array_foreach(queue, i, q)
		if (host_by_id(hosts, obj_str(q, "id")) == NULL)
			json_array_append_new(hosts, json_pack("{s:s, s:s, s:s, s:s, s:[], s:n}", "id",
			    obj_str(q, "id"), "name", obj_str(q, "name"), "url", "", "version", "", "streams",
			    "age_ms"));
	json_array_foreach(hosts, i, h) {
		q = host_by_id(queue, obj_str(h, "id"));
		json_object_set_new(h, "jobs", json_pack("{s:I, s:I}", "running", obj_int(q, "running"),
		    "waiting", obj_int(q, "waiting")));
	}
}

/* By name. New reference; hosts is given up. */
static json_t *
sorted(json_t *hosts)
{
	json_t *out = json_array(), *h;
	size_t i, k;

	json_array_foreach(hosts, i, h) {
		k = 0;
		while (k < json_array_size(out) &&
		    strcmp(obj_str(json_array_get(out, k), "name"), obj_str(h, "name")) <= 0)
			k++;
		json_array_insert(out, k, h);
	}
	json_decref(hosts);
	return out;
}

/* How many are dead. */
static int
add_alive(const json_t *hosts)
{
	const json_t *age;
	int dead = 0;
	json_t *h;
	size_t i;

	json_array_foreach(hosts, i, h) {
		age = json_object_get(h, "age_ms");
		json_object_set_new(h, "alive", json_boolean(json_is_integer(age) &&
		    json_integer_value(age) <= CLI_HOST_DEAD_MS));
		dead += json_is_false(json_object_get(h, "alive"));
	}
	return dead;
}

static void
print(const json_t *hosts, int dead)
{
	static const struct cli_column columns[] = { { "HOST", false, 12 }, { "STATE", false, 0 }, { "HEARD", true, 0 },
		{ "VERSION", false, 0 }, { "STREAMS", true, 0 }, { "RUNNING", true, 0 }, { "WAITING", true, 0 },
		{ "URL", false, 12 }, { NULL, false, 0 } };
	struct cli_table *t = cli_table_new(columns);
	char age[CLI_FORMAT];
	const json_t *h, *jobs;
	size_t i;

	json_array_foreach(hosts, i, h) {
		jobs = json_object_get(h, "jobs");
		cli_table_cell(t, "%s", obj_str(h, "name")[0] != '\0' ? obj_str(h, "name") : obj_str(h, "id"));
		cli_table_cell(t, "%s", json_is_true(json_object_get(h, "alive")) ? "alive" : "DEAD");
		cli_table_cell(t, "%s", json_is_integer(json_object_get(h, "age_ms")) ?
		    cli_age(obj_int(h, "age_ms"), age) : "long ago");
		cli_table_cell(t, "%s", obj_str(h, "version"));
		cli_table_cell(t, "%zu", json_array_size(json_object_get(h, "streams")));
		cli_table_cell(t, "%lld", (long long)obj_int(jobs, "running"));
		cli_table_cell(t, "%lld", (long long)obj_int(jobs, "waiting"));
		cli_table_cell(t, "%s", obj_str(h, "url"));
	}
	cli_table_print(t, stdout, cli_width(stdout));
	if (dead > 0)
		printf("\n%d host%s dead: its files wait for it (millrace files); start it again, with its "
		    "data_dir\n", dead, dead == 1 ? " is" : "s are");
}

int
cli_cluster(const struct cli *c, bool as_json)
{
	json_t *hosts = ask(c, "registry", "hosts", "hosts"), *queue, *o;
	int dead;

	queue = hosts != NULL ? ask(c, "jobs", "hosts", "hosts") : NULL;
	if (queue == NULL) {
		json_decref(hosts);
		return CLI_FAILING;
	}
	add_streams(c, hosts);
	add_jobs(hosts, queue);
	hosts = sorted(hosts);
	dead = add_alive(hosts);
	if (as_json) {
		o = json_pack("{s:O}", "hosts", hosts);
		json_dumpf(o, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(o);
	} else
		print(hosts, dead);
	json_decref(hosts);
	json_decref(queue);
	return dead > 0 ? CLI_FAILING : CLI_OK;
}
