/*
 * cli_push.c - millrace push: servers that streams are sent on to, listed, added and removed
 * while live. Asks the supervisor; a URL goes in, and what comes back has no keys.
 *
 * A URL on the command line can be seen by other users of the host: "-" reads it from stdin.
 */
#include <errno.h>
#include <string.h>

#include "msg.h"
#include "obj.h"
#include "supervisor/cli.h"
#include "supervisor/push_url.h"
#include "util.h"

#define PAGES_MAX 1000
#define ASK_MS 5000

static int
ask(const struct cli *c, const char *verb, json_t *args, json_t **body)
{
	*body = NULL;
	return cli_ask(c, MSG_CALL, json_pack("{s:s, s:s, s:o, s:i}", "to", "supervisor", "verb", verb, "args", args,
	    "deadline_ms", ASK_MS), body);
}

static int
failed(int rc, const json_t *body, const char *name, const char *id)
{
	if (rc == ENOENT)
		fprintf(stderr, "millrace: %s has no push %s; `millrace push list %s` lists them\n", name, id, name);
	else if (rc != -1)
		fprintf(stderr, "millrace: push %s of %s: %s\n", id, name, obj_str(body, "text")[0] != '\0' ?
		    obj_str(body, "text") : strerror(rc));
	return CLI_FAILING;
}

/* --- list --- */

static json_t *
ask_all(const struct cli *c, const char *name)
{
	json_t *all = json_array(), *body;
	char cursor[32] = "";
	int page, rc;

	for (page = 0; page < PAGES_MAX; page++) {
		rc = ask(c, "push_list", json_pack("{s:s, s:s}", "name", name, "cursor", cursor), &body);
		if (rc != 0) {
			failed(rc, body, name, "list");
			json_decref(body);
			json_decref(all);
			return NULL;
		}
		json_array_extend(all, json_object_get(body, "pushes"));
		str_copy(cursor, obj_str(body, "cursor"), sizeof(cursor));
		json_decref(body);
		if (cursor[0] == '\0')
			break;
	}
	return all;
}

/* "backoff", or "2 up, 1 backoff" when several streams have it. */
static void
state_cell(struct cli_table *t, const json_t *push)
{
	json_t *states = json_object_get(push, "states"), *count;
	const char *state;
	char text[200] = "";
	size_t n = 0;

	if (json_object_size(states) == 1 && json_integer_value(json_object_get(push, "live")) == 1) {
		cli_table_cell(t, "%s", json_object_iter_key(json_object_iter(states)));
		return;
	}
	json_object_foreach(states, state, count)
		if (n < sizeof(text))
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%lld %s", n > 0 ? ", " : "",
			    (long long)json_integer_value(count), state);
	cli_table_cell(t, "%s", n > 0 ? text : "not live");
}

static void
print_table(const json_t *list, bool one_stream)
{
	static const struct cli_column columns[] = { { "STREAMS", false, 8 }, { "ID", false, 0 },
		{ "TARGET", false, 20 }, { "FROM", false, 0 }, { "STATE", false, 0 }, { NULL, false, 0 } };
	struct cli_table *t = cli_table_new(columns);
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o) {
		cli_table_cell(t, strcmp(obj_str(o, "app"), "*") == 0 ? "%s" : "%s of app %s", obj_str(o, "stream"),
		    obj_str(o, "app"));
		cli_table_cell(t, "%s", obj_str(o, "id"));
		cli_table_cell(t, "%s%s", obj_str(o, "target"), json_is_true(json_object_get(o, "transcode")) ?
		    " (transcode)" : "");
		cli_table_cell(t, "%s", obj_str(o, "from"));
		if (one_stream)
			cli_table_cell(t, "%s", obj_str(o, "state")[0] != '\0' ? obj_str(o, "state") : "not live");
		else
			state_cell(t, o);
	}
	cli_table_print(t, stdout, cli_width(stdout));
}

static int
list(struct cli *c, const char *name, bool as_json)
{
	json_t *all, *o;

	if (cli_locate(c) == -1)
		return CLI_USAGE;
	all = ask_all(c, name);
	if (all == NULL)
		return CLI_FAILING;
	if (as_json) {
		o = json_pack("{s:O}", "pushes", all);
		json_dumpf(o, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(o);
	} else if (json_array_size(all) == 0)
		printf("nothing is pushed%s%s\n", name[0] != '\0' ? " of " : "", name);
	else
		print_table(all, name[0] != '\0');
	json_decref(all);
	return CLI_OK;
}

/* --- add, remove --- */

/* "-": a line of stdin. */
static const char *
read_url(const char *given, char buf[PUSH_URL_MAX])
{
	if (strcmp(given, "-") != 0)
		return given;
	if (fgets(buf, PUSH_URL_MAX, stdin) == NULL)
		return "";
	buf[strcspn(buf, "\r\n")] = '\0';
	return buf;
}

static int
add(struct cli *c, int argc, char **argv)
{
	char buf[PUSH_URL_MAX], *words[3];
	bool transcode = false, verify = true;
	int i, n = 0, rc;
	json_t *body;

	for (i = 2; i < argc; i++)
		if (strcmp(argv[i], "--transcode") == 0)
			transcode = true;
		else if (strcmp(argv[i], "--no-verify") == 0)
			verify = false;
		else if (n < 3 && (argv[i][0] != '-' || strcmp(argv[i], "-") == 0))
			words[n++] = argv[i];
		else
			return cli_unknown_argument(argv, argv[i]);
	if (n < 3)
		return cli_usage_error("push", "add wants NAME, ID and URL (- reads it from stdin)");
	if (cli_locate(c) == -1)
		return CLI_USAGE;
	rc = ask(c, "push_add", json_pack("{s:s, s:s, s:s, s:b, s:b}", "name", words[0], "id", words[1], "url",
	    read_url(words[2], buf), "transcode", transcode, "verify", verify), &body);
	if (rc == 0)
		printf("%s is pushed to %s%s\n", words[0], obj_str(body, "target"),
		    json_is_true(json_object_get(body, "live")) ? "" : " as soon as it is live");
	else
		failed(rc, body, words[0], words[1]);
	json_decref(body);
	return rc == 0 ? CLI_OK : CLI_FAILING;
}

static int
drop(struct cli *c, const char *name, const char *id)
{
	json_t *body;
	int rc;

	if (cli_locate(c) == -1)
		return CLI_USAGE;
	rc = ask(c, "push_remove", json_pack("{s:s, s:s}", "name", name, "id", id), &body);
	if (rc == 0 && json_is_true(json_object_get(body, "config")))
		printf("push %s of %s has ended; it is in the config and comes back with a restart, or when\n"
		    "the list there changes: remove it there, too\n", id, name);
	else if (rc == 0)
		printf("push %s of %s was removed\n", id, name);
	else
		failed(rc, body, name, id);
	json_decref(body);
	return rc == 0 ? CLI_OK : CLI_FAILING;
}

int
cli_push(struct cli *c, int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "list", *name = "";
	bool as_json = false;
	int i;

	if (strcmp(verb, "add") == 0)
		return add(c, argc, argv);
	if (strcmp(verb, "remove") == 0)
		return argc == 4 ? drop(c, argv[2], argv[3]) : cli_usage_error("push", "remove wants NAME and ID");
	if (strcmp(verb, "list") != 0)
		return cli_usage_error("push", "want list, add or remove");
	for (i = 2; i < argc; i++)
		if (strcmp(argv[i], "--json") == 0)
			as_json = true;
		else if (name[0] == '\0' && argv[i][0] != '-')
			name = argv[i];
		else
			return cli_unknown_argument(argv, argv[i]);
	return list(c, name, as_json);
}
