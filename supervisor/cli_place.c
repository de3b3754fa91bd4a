/*
 * cli_place.c - which config, which run_dir: -c and -r, $MILLRACE_CONFIG, the config that
 * scripts/run wrote for this user, the system's.
 *
 * The config is read with this shell's environment; where the server got its variables from
 * elsewhere, -r RUN_DIR needs none of it. The system's config is readable by root and the
 * server only (it may hold secrets): others look in the default run_dir.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "supervisor/cli.h"
#include "supervisor/conf_table.h"
#include "supervisor/supervisor.h"
#include "util.h"

/* ${XDG_STATE_HOME:-~/.local/state}/millrace/millrace.yaml, or "". */
static const char *
own_config(char *buf, size_t size)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	buf[0] = '\0';
	if (state != NULL && state[0] == '/')
		snprintf(buf, size, "%s/millrace/millrace.yaml", state);
	else if (home != NULL && home[0] == '/')
		snprintf(buf, size, "%s/.local/state/millrace/millrace.yaml", home);
	return buf;
}

static int
find_config(struct cli *c)
{
	static char own[512];
	const char *env = getenv("MILLRACE_CONFIG");

	if (env != NULL && env[0] != '\0')
		c->conf_path = env;
	else if (access(own_config(own, sizeof(own)), F_OK) == 0) {
		c->conf_path = own;
		c->conf_own = true;
	}
	if (c->conf_path == NULL && (access(CLI_SYSTEM_CONF, F_OK) == 0 || errno == EACCES))
		c->conf_path = CLI_SYSTEM_CONF;
	if (c->conf_path != NULL)
		return 0;
	fprintf(stderr, "millrace: no config found: neither -c FILE, $MILLRACE_CONFIG, %s nor " CLI_SYSTEM_CONF
	    "\nSay which: millrace -c FILE ..., or where the server runs: millrace -r RUN_DIR ...\n", own);
	return -1;
}

static void
print_errors(const json_t *errors)
{
	const json_t *e;
	size_t i;

	json_array_foreach(errors, i, e)
		fprintf(stderr, "%s\n", json_string_value(e));
}

static bool
unreadable(const struct cli *c)
{
	return access(c->conf_path, R_OK) == -1 && errno == EACCES;
}

int
cli_config(struct cli *c)
{
	json_t *errors = json_array();

	if (c->conf_path != NULL || find_config(c) == 0)
		c->conf = conf_load(c->conf_path, errors);
	if (c->conf_path != NULL && unreadable(c))
		fprintf(stderr, "millrace: %s: not readable by you: use sudo\n", c->conf_path);
	else
		print_errors(errors);
	json_decref(errors);
	return c->conf != NULL ? 0 : -1;
}

/* run_dir of a config whose other keys may be wrong, or NULL after an error. */
static json_t *
peek_run_dir(const char *text, size_t len, struct conf_errors *e)
{
	const struct conf_key *k = &conf_keys[conf_find("run_dir")];
	struct conf_node *top = conf_yaml_parse(text, len, e), *n;
	json_t *found = NULL;

	for (n = top != NULL ? top->first : NULL; n != NULL; n = n->next)
		if (n->key != NULL && strcmp(n->key, k->path) == 0 && !conf_node_is_null(n))
			break;
	if (n != NULL)
		found = conf_read(k, n, e);
	else if (top != NULL)
		found = json_string(k->standard);
	conf_yaml_free(&top);
	return found;
}

/* The same of a text that is no YAML: a line that says it is read for itself, else it is the default. */
static json_t *
scan_run_dir(const char *text, struct conf_errors *e)
{
	const char *line;

	for (line = text; strncmp(line, "run_dir:", strlen("run_dir:")) != 0; line++) {
		line += strcspn(line, "\n");
		if (*line == '\0')
			return json_string(conf_keys[conf_find("run_dir")].standard);
	}
	return peek_run_dir(line, strcspn(line, "\n"), e);
}

/* Whoever edits the config must still see the status of the server that runs on the old one. */
static int
locate_without(struct cli *c, const json_t *errors)
{
	struct conf_errors e = { .file = c->conf_path, .list = json_array() };
	char *text;
	size_t len;

	text = file_read(c->conf_path, CONF_FILE_MAX, &len);
	if (text != NULL)
		c->peeked = peek_run_dir(text, len, &e);
	if (text != NULL && c->peeked == NULL)
		c->peeked = scan_run_dir(text, &e);
	free(text);
	json_decref(e.list);
	if (c->peeked == NULL) {
		print_errors(errors);
		fprintf(stderr, "millrace: mend the config, or skip it with -r RUN_DIR\n");
		return -1;
	}
	c->run_dir = json_string_value(c->peeked);
	fprintf(stderr, "millrace: %s has errors (millraced -t shows them); only its run_dir is used: %s\n",
	    c->conf_path, c->run_dir);
	return 0;
}

/* What members of control.group see: the directory must be there, what is in it says the rest. */
static int
locate_default(struct cli *c)
{
	const char *run_dir = conf_keys[conf_find("run_dir")].standard;

	if (strcmp(c->conf_path, CLI_SYSTEM_CONF) == 0 && access(run_dir, F_OK) == 0) {
		c->run_dir = run_dir;
		return 0;
	}
	fprintf(stderr, "millrace: %s: not readable by you: use sudo, or -r RUN_DIR\n", c->conf_path);
	return -1;
}

int
cli_locate(struct cli *c)
{
	json_t *errors;
	int rc = 0;

	if (c->run_dir != NULL)
		return 0;
	if (c->conf_path == NULL && find_config(c) == -1)
		return -1;
	if (unreadable(c))
		return locate_default(c);
	errors = json_array();
	c->conf = conf_load(c->conf_path, errors);
	if (c->conf != NULL)
		c->run_dir = conf_str(c->conf, "run_dir");
	else
		rc = locate_without(c, errors);
	json_decref(errors);
	return rc;
}
