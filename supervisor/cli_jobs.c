/*
 * cli_jobs.c - millrace jobs and millrace files: what is done with files, and where each one is.
 *
 * Unlike status these ask: the first jobs worker of this host, which asks Redis, page by page.
 * A job bound to a host that is not alive (says the registry's list) waits for it, and says so.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "msg.h"
#include "obj.h"
#include "supervisor/cli.h"
#include "util.h"

#define PAGES_MAX 2000
#define CLI_FILE 256

/* All pages of a list; NULL after a message. */
static json_t *
ask_all(const struct cli *c, const char *verb, const char *state)
{
	json_t *all = json_array(), *args, *body;
	char cursor[64] = "";
	int page, rc;

	for (page = 0; page < PAGES_MAX; page++) {
		args = json_pack("{s:s}", "cursor", cursor);
		if (state != NULL)
			json_object_set_new(args, "state", json_string(state));
		body = NULL;
		rc = cli_call(c, "jobs", verb, args, &body);
		if (rc != 0) {
			cli_call_failed(verb, rc, body);
			json_decref(body);
			json_decref(all);
			return NULL;
		}
		json_array_extend(all, json_object_get(body, strcmp(verb, "files") == 0 ? "files" : "jobs"));
		str_copy(cursor, json_string_value(json_object_get(body, "cursor")) != NULL ?
		    json_string_value(json_object_get(body, "cursor")) : "", sizeof(cursor));
		json_decref(body);
		if (cursor[0] == '\0')
			break;
	}
	return all;
}

/* --- hosts --- */

/* [{id, name, age_ms}], or NULL if nobody knows. */
static json_t *
ask_hosts(const struct cli *c)
{
	json_t *body = NULL, *hosts = NULL;

	if (cli_call(c, "registry", "hosts", json_object(), &body) == 0)
		hosts = json_incref(json_object_get(body, "hosts"));
	json_decref(body);
	return hosts;
}

static const json_t *
host_by_id(const json_t *hosts, const char *id)
{
	const json_t *h, *value;
	size_t i;

	json_array_foreach(hosts, i, h) {
		value = json_object_get(h, "id");
		if (json_is_string(value) && strcmp(json_string_value(value), id) == 0)
			return h;
	}
	return NULL;
}

static bool
waits(const json_t *entry, const char *const states[])
{
	int i;

	for (i = 0; states[i] != NULL; i++)
		if (strcmp(obj_str(entry, "state"), states[i]) == 0)
			return true;
	return false;
}

/* Adds waiting_for if work on this file waits for a host that is not alive. */
static void
add_waiting(json_t *entry, const char *id, const char *name, const json_t *hosts, const char *const states[])
{
	const json_t *h = host_by_id(hosts, id);

	if (id[0] == '\0' || hosts == NULL || !waits(entry, states))
		return;
	if (h == NULL || obj_int(h, "age_ms") > CLI_HOST_DEAD_MS)
		json_object_set_new(entry, "waiting_for", json_string(name[0] != '\0' ? name : id));
}

/* --- tables --- */

static void
state_cell(struct cli_table *t, const json_t *o, int64_t wall)
{
	const char *state = obj_str(o, "state");
	char age[CLI_FORMAT];

	if (obj_str(o, "waiting_for")[0] != '\0')
		cli_table_cell(t, "waiting for %s", obj_str(o, "waiting_for"));
	else if (strcmp(state, "running") == 0 || strcmp(state, "uploading") == 0)
		cli_table_cell(t, "%s %lld %%", state, (long long)obj_int(o, "progress") / 10);
	else if (strcmp(state, "delayed") == 0 && obj_int(o, "due") > wall)
		cli_table_cell(t, "again in %s", cli_age(obj_int(o, "due") - wall, age));
	else if (strcmp(state, "verified") == 0 && obj_str(o, "bucket")[0] != '\0')
		cli_table_cell(t, json_is_false(json_object_get(o, "local")) ? "only in %s" : "verified in %s",
		    obj_str(o, "bucket"));
	else
		cli_table_cell(t, "%s", state);
}

/* Recordings without their data_dir. */
static const char *
short_path(const char *path)
{
	const char *p = strstr(path, "/recordings/");

	return p != NULL ? p + 1 : path;
}

/* Of what was sent to us: its name and what its sender calls it, not what we do. */
static const char *
job_file(const json_t *j, char buf[CLI_FILE])
{
	const char *stream = obj_str(j, "stream"), *sent_as = obj_str(j, "sent_as");

	if (obj_str(j, "upload")[0] == '\0' || (stream[0] == '\0' && sent_as[0] == '\0'))
		return short_path(obj_str(j, "file")[0] != '\0' ? obj_str(j, "file") : obj_str(j, "key"));
	snprintf(buf, CLI_FILE, "%s%s%s", stream, stream[0] != '\0' && sent_as[0] != '\0' ? ": " : "", sent_as);
	return buf;
}

static int
compare_paths(const void *a, const void *b)
{
	return strcmp(obj_str(*(const json_t *const *)a, "path"), obj_str(*(const json_t *const *)b, "path"));
}

/* Redis lists a set as it likes. New reference; list is stolen. */
static json_t *
sorted(json_t *list)
{
	size_t n = json_array_size(list), i;
	json_t **all = xcalloc(n + 1, sizeof(*all)), *out = json_array();

	for (i = 0; i < n; i++)
		all[i] = json_array_get(list, i);
	qsort(all, n, sizeof(*all), compare_paths);
	for (i = 0; i < n; i++)
		json_array_append(out, all[i]);
	free(all);
	json_decref(list);
	return out;
}

/* Whole, below the table: what is wrong is what one came for. */
static void
print_words(const json_t *list, const char *name, const char *key)
{
	const json_t *o;
	char *line;
	size_t i;

	json_array_foreach(list, i, o) {
		if (obj_str(o, key)[0] == '\0')
			continue;
		line = xasprintf("%s: %s", short_path(obj_str(o, name)), obj_str(o, key));
		cli_printable(line);
		printf("%s\n", line);
		free(line);
	}
}

static void
print_jobs(const json_t *jobs)
{
	static const struct cli_column columns[] = { { "JOB", false, 0 }, { "KIND", false, 0 }, { "STATE", false, 0 },
		{ "TRIES", true, 0 }, { "AGE", true, 0 }, { "HOST", false, 8 }, { "FILE", false, 16 },
		{ NULL, false, 0 } };
	struct cli_table *t = cli_table_new(columns);
	int64_t wall = wall_ms(), tries;
	char age[CLI_FORMAT], file[CLI_FILE];
	const json_t *j;
	size_t i;

	json_array_foreach(jobs, i, j) {
		tries = obj_int(j, "attempts") + obj_int(j, "crashes");
		cli_table_cell(t, "%s", obj_str(j, "id"));
		cli_table_cell(t, "%s", obj_str(j, "kind"));
		state_cell(t, j, wall);
		cli_table_cell(t, tries > 0 ? "%lld" : "", (long long)tries);
		cli_table_cell(t, "%s", cli_age(wall - obj_int(j, "added"), age));
		cli_table_cell(t, "%s", obj_str(j, "host_name"));
		cli_table_cell(t, "%s", job_file(j, file));
	}
	cli_table_print(t, stdout, cli_width(stdout));
	print_words(jobs, "id", "error");
}

static void
print_files(const json_t *files)
{
	static const struct cli_column columns[] = { { "FILE", false, 24 }, { "HOST", false, 8 }, { "SIZE", true, 0 },
		{ "STATE", false, 0 }, { "SINCE", true, 0 }, { "OBJECT", false, 16 }, { NULL, false, 0 } };
	struct cli_table *t = cli_table_new(columns);
	int64_t wall = wall_ms();
	char text[CLI_FORMAT];
	const json_t *f;
	size_t i;

	json_array_foreach(files, i, f) {
		cli_table_cell(t, "%s", short_path(obj_str(f, "path")));
		cli_table_cell(t, "%s", obj_str(f, "host"));
		cli_table_cell(t, "%s", cli_bytes(obj_int(f, "size"), text));
		state_cell(t, f, wall);
		cli_table_cell(t, "%s", cli_age(wall - obj_int(f, "since"), text));
		cli_table_cell(t, "%s", obj_str(f, "object"));
	}
	cli_table_print(t, stdout, cli_width(stdout));
	print_words(files, "path", "error");
	print_words(files, "path", "note");
}

static int
print_list(json_t *list, const char *key, bool as_json, const char *none, void (*print)(const json_t *))
{
	json_t *o;

	if (as_json) {
		o = json_pack("{s:O}", key, list);
		json_dumpf(o, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(o);
	} else if (json_array_size(list) == 0)
		printf("%s\n", none);
	else
		print(list);
	json_decref(list);
	return CLI_OK;
}

/* --- verbs --- */

static int
change(const struct cli *c, const char *verb, const char *id)
{
	json_t *body = NULL;
	const char *state;
	int rc, code = CLI_FAILING;

	rc = cli_call(c, "jobs", verb, json_pack("{s:s}", "id", id), &body);
	state = obj_str(body, "text");
	if (rc == 0) {
		printf("job %s %s\n", id, strcmp(verb, "retry") == 0 ? "is queued again" : "is cancelled");
		code = CLI_OK;
	} else if (rc == ENOENT)
		fprintf(stderr, "millrace: there is no job %s; `millrace jobs` lists them\n", id);
	else if (rc == EALREADY)
		fprintf(stderr, "millrace: job %s is %s: nothing to %s\n", id, state, verb);
	else
		cli_call_failed(verb, rc, body);
	json_decref(body);
	return code;
}

static int
list_jobs(const struct cli *c, const char *state, bool as_json)
{
	static const char *const waiting[] = { "queued", "delayed", NULL };
	json_t *jobs = ask_all(c, "list", state), *hosts, *job;
	size_t i;

	if (jobs == NULL)
		return CLI_FAILING;
	hosts = json_array_size(jobs) > 0 ? ask_hosts(c) : NULL;
	json_array_foreach(jobs, i, job)
		add_waiting(job, obj_str(job, "host"), obj_str(job, "host_name"), hosts, waiting);
	json_decref(hosts);
	return print_list(jobs, "jobs", as_json, state == NULL ? "no job waits or runs" :
	    strcmp(state, "failed") == 0 ? "no job has failed" : "no job is known to be done", print_jobs);
}

int
cli_jobs(struct cli *c, int argc, char **argv)
{
	const char *state = NULL;
	bool as_json = false;
	int i;

	if (argc == 3 && (strcmp(argv[1], "retry") == 0 || strcmp(argv[1], "cancel") == 0))
		return cli_locate(c) == -1 ? CLI_USAGE : change(c, argv[1], argv[2]);
	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--failed") == 0)
			state = "failed";
		else if (strcmp(argv[i], "--done") == 0)
			state = "done";
		else if (strcmp(argv[i], "--json") == 0)
			as_json = true;
		else
			return cli_unknown_argument(argv, argv[i]);
	}
	return cli_locate(c) == -1 ? CLI_USAGE : list_jobs(c, state, as_json);
}

int
cli_files(struct cli *c, int argc, char **argv)
{
	static const char *const waiting[] = { "local", "queued", "uploading", "failed", NULL };
	bool as_json = argc == 2 && strcmp(argv[1], "--json") == 0;
	json_t *files, *hosts, *file;
	size_t i;

	if (argc > 1 && !as_json)
		return cli_unknown_argument(argv, argv[strcmp(argv[1], "--json") == 0 ? 2 : 1]);
	if (cli_locate(c) == -1)
		return CLI_USAGE;
	files = ask_all(c, "files", NULL);
	if (files == NULL)
		return CLI_FAILING;
	hosts = json_array_size(files) > 0 ? ask_hosts(c) : NULL;
	json_array_foreach(files, i, file)
		add_waiting(file, obj_str(file, "host_id"), obj_str(file, "host"), hosts, waiting);
	json_decref(hosts);
	return print_list(sorted(files), "files", as_json, "no file is known", print_files);
}
