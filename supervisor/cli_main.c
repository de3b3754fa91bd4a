/*
 * cli_main.c - millrace: options, then the verb (`millrace VERB --help` is `millrace help VERB`).
 *
 * A verb is a function of cli.h; it gets its arguments and gives the exit code. Exit codes:
 * 0 done or healthy, 1 failed or something is wrong, 2 wrong usage or config, 3 not running.
 */
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "supervisor/cli.h"

static int
no_such_verb(const char *name)
{
	fprintf(stderr, "millrace: there is no \"%s\"\n", name);
	cli_print_usage(stderr);
	return CLI_USAGE;
}

/* `millrace status -c FILE`: no verb has such an option, all would only say that they do not know it. */
static int
misplaced(int argc, char **argv)
{
	char text[80];
	int i;

	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-c") != 0 && strcmp(argv[i], "-r") != 0)
			continue;
		snprintf(text, sizeof(text), "%s goes before the verb: millrace %s %s %s", argv[i], argv[i],
		    argv[i][1] == 'c' ? "FILE" : "RUN_DIR", argv[0]);
		return cli_usage_error(argv[0], text);
	}
	return CLI_OK;
}

static int
run_verb(struct cli *c, int argc, char **argv)
{
	const struct cli_verb *v = cli_find_verb(argv[0]);
	char *help[] = { (char *)"help", argv[0], NULL };
	int code;

	if (v == NULL)
		return no_such_verb(argv[0]);
	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		return cli_help(c, 2, help);
	if (misplaced(argc, argv) != CLI_OK)
		return CLI_USAGE;
	code = v->run(c, argc, argv);
	json_decref(c->conf);
	json_decref(c->peeked);
	return code;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' }, { "version", no_argument, NULL, 'V' }, { NULL, 0, NULL, 0 },
	};
	struct cli c = { 0 };
	int ch;

	setlocale(LC_CTYPE, "");	/* names of files are in its characters */
	log_init("millrace");
	/* "+": options of a verb are the verb's. */
	while ((ch = getopt_long(argc, argv, "+c:r:hV", options, NULL)) != -1)
		switch (ch) {
		case 'c':
			c.conf_path = optarg;
			break;
		case 'r':
			c.run_dir = optarg;
			break;
		case 'h':
			return cli_help(&c, 1, argv);
		case 'V':
			return cli_version(&c, 1, argv);
		default:
			cli_print_usage(stderr);
			return CLI_USAGE;
		}
	if (optind == argc) {
		cli_print_usage(stderr);
		return CLI_USAGE;
	}
	return run_verb(&c, argc - optind, argv + optind);
}
