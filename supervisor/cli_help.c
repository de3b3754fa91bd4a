/*
 * cli_help.c - the verb table of millrace, and what help prints from it and from the table of
 * config keys. Called by cli_main.c; cli_usage_error by every verb.
 */
#include <stdlib.h>
#include <string.h>

#include "supervisor/cli.h"
#include "supervisor/conf_table.h"
#include "util.h"

static const struct cli_verb verbs[] = {
	{ "status", "[--json] [--watch | --cluster]",
	    "health, streams, outputs, processes, and what is wrong; the hosts on one Redis", cli_status },
	{ "streams", "[--json] [--watch]", "the streams alone", cli_streams },
	{ "jobs", "[--failed | --done] [--json] | retry ID | cancel ID",
	    "what is done with files; a failed job again; one not at all", cli_jobs },
	{ "files", "[--json]", "where each file is: local, uploading, verified in the bucket", cli_files },
	{ "push", "[list [NAME] [--json]] | add NAME ID URL [--transcode] [--no-verify] | remove NAME ID",
	    "servers that a stream is sent on to; changes count at once", cli_push },
	{ "hooks", "[--json] | retry ID | drop ID",
	    "URLs that are told of events, what waits for them, and dead letters", cli_hooks },
	{ "kick", "NAME", "disconnect the publisher of a stream", cli_kick },
	{ "reload", "[--dry-run]", "read the config again; drops no stream; says what changes when", cli_reload },
	{ "loglevel", "LEVEL", "error, warn, info or debug, until the next restart or reload", cli_loglevel },
	{ "stop", "", "stop millraced gracefully and wait for its end", cli_stop },
	{ "sign-url", "NAME [--for 1h]", "a publishing URL that expires", cli_sign_url },
	{ "key", "NAME", "a new random key for a stream, and its line for the config", cli_key },
	{ "hash-key", "[KEY]", "the hash of a key of your own, from stdin if not given", cli_hash_key },
	{ "version", "", "print the version", cli_version },
	{ "help", "[VERB|SECTION|KEY]", "this, or one verb, a section or a key of the config", cli_help },
};
#define NVERBS (sizeof(verbs) / sizeof(verbs[0]))

void
cli_print_usage(FILE *out)
{
	char usage[100];
	size_t i;

	fprintf(out, "usage: millrace [-c FILE | -r RUN_DIR] VERB ...\n"
	    "       millrace --help | --version\n");
	for (i = 0; i < NVERBS; i++) {
		snprintf(usage, sizeof(usage), "%s %s", verbs[i].name, verbs[i].arguments);
		if (strlen(usage) > 27)
			fprintf(out, "  %s\n  %-27s %s\n", usage, "", verbs[i].doc);
		else
			fprintf(out, "  %-27s %s\n", usage, verbs[i].doc);
	}
	fprintf(out, "Without -c: $MILLRACE_CONFIG, ~/.local/state/millrace/millrace.yaml,"
	    " /etc/millrace/millrace.yaml.\n");
}

const struct cli_verb *
cli_find_verb(const char *name)
{
	size_t i;

	for (i = 0; i < NVERBS; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

int
cli_usage_error(const char *verb, const char *text)
{
	const struct cli_verb *v = cli_find_verb(verb);

	fprintf(stderr, "millrace: %s: %s\n", verb, text);
	if (v != NULL)
		fprintf(stderr, "usage: millrace %s %s\n", v->name, v->arguments);
	return CLI_USAGE;
}

int
cli_unknown_argument(char *const argv[], const char *argument)
{
	char *text = xasprintf("what is \"%s\"?", argument);
	int code;

	cli_printable(text);
	code = cli_usage_error(argv[0], text);
	free(text);
	return code;
}

static int
help_section(const char *path)
{
	char *all = conf_children(path), *text, *example;

	text = xasprintf("%s is a section; its keys: %s", path, all);
	cli_wrap(stdout, "", 4, text);
	example = xasprintf("%s.%.*s", path, (int)strcspn(all, ","), all);
	printf("%s: millrace help %s\n", conf_is_section(example) ? "A section of it" : "One of them", example);
	free(example);
	free(text);
	free(all);
	return CLI_OK;
}

static int
help_key(const char *path)
{
	static const char *const classes[] = {
		"at once", "for new streams and connections", "by a restart of millraced",
	};
	char buf[CONF_NAME], *all, *text;
	const char *near = conf_nearest(path, buf);
	int i = conf_find(path);

	if (i == -1 && conf_is_section(path))
		return help_section(path);
	if (i == -1) {
		all = near == NULL ? conf_children("") : NULL;
		text = xasprintf("millrace: \"%s\" is neither a verb nor a key; %s %s", path,
		    near != NULL ? "did you mean" : "sections and keys are", near != NULL ? near : all);
		cli_wrap(stderr, "", 4, text);
		free(text);
		free(all);
		return CLI_USAGE;
	}
	cli_wrap(stdout, "", 0, conf_keys[i].doc);
	if (conf_keys[i].choices != NULL)
		printf("one of: %s\n", conf_keys[i].choices);
	printf("default: %s\na change counts %s\n", conf_keys[i].standard, classes[conf_keys[i].class]);
	return CLI_OK;
}

int
cli_help(struct cli *c, int argc, char **argv)
{
	const struct cli_verb *v = argc > 1 ? cli_find_verb(argv[1]) : NULL;

	if (argc < 2)
		cli_print_usage(stdout);
	else if (v != NULL)
		printf("usage: millrace %s %s\n%s\n", v->name, v->arguments, v->doc);
	if (v != NULL && (conf_is_section(v->name) || conf_find(v->name) != -1)) {	/* streams, jobs; push */
		printf("\nIn the configuration:\n");
		return help_key(v->name);
	}
	if (argc > 1 && v == NULL)
		return help_key(argv[1]);
	return CLI_OK;
}

int
cli_version(struct cli *c, int argc, char **argv)
{
	printf("millrace %s\n", MILLRACE_VERSION);
	return CLI_OK;
}
