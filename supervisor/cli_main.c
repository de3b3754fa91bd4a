/*
 * cli_main.c - millrace: options, then the verb.
 *
 * A verb is a function of cli.h; it gets its arguments and gives the exit code. Exit codes:
 * 0 done or healthy, 1 failed or something is wrong, 2 wrong usage or config, 3 not running.
 */
#include <stdio.h>
#include <unistd.h>

#include "log.h"
#include "supervisor/cli.h"

static int
no_such_verb(const char *name)
{
	fprintf(stderr, "millrace: there is no \"%s\"\n", name);
	cli_print_usage(stderr);
	return CLI_USAGE;
}

int
main(int argc, char **argv)
{
	struct cli c = { 0 };
	const struct cli_verb *v;
	int ch, code;

	log_init("millrace");
	/* "+": options of a verb are the verb's. */
	while ((ch = getopt(argc, argv, "+c:r:hV")) != -1)
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
	v = cli_find_verb(argv[optind]);
	if (v == NULL)
		return no_such_verb(argv[optind]);
	code = v->run(&c, argc - optind, argv + optind);
	json_decref(c.conf);
	json_decref(c.peeked);
	return code;
}
