/*
 * cli_verbs.c - the verbs that tell the supervisor something: kick, reload, loglevel, stop.
 *
 * Each is one message of lib/proto.h and its REPLY; words for what came of it, exit code 0
 * only if it was done.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"
#include "msg.h"
#include "stream_name.h"
#include "supervisor/cli.h"
#include "util.h"

#define STOP_WAIT_MS 15000

int
cli_kick(struct cli *c, int argc, char **argv)
{
	int rc;

	if (argc != 2)
		return cli_usage_error("kick", "which stream?");
	if (!stream_name_ok(argv[1], strlen(argv[1])))
		return cli_usage_error("kick", "that can't be a stream's name");
	if (cli_locate(c) == -1)
		return CLI_USAGE;
	rc = cli_ask(c, MSG_KICK, json_pack("{s:s}", "name", argv[1]), NULL);
	if (rc == 0)
		printf("%s: its publisher was disconnected\n", argv[1]);
	else if (rc == ENOENT)
		fprintf(stderr, "millrace: no publisher of %s on this host; `millrace streams` lists them\n", argv[1]);
	else if (rc != -1)
		fprintf(stderr, "millrace: kick %s: %s\n", argv[1], strerror(rc));
	return rc == 0 ? CLI_OK : CLI_FAILING;
}

/* The size of one list of the plan. */
static size_t
print_part(const json_t *plan, const char *key, const char *title)
{
	const json_t *list = json_object_get(plan, key), *line;
	size_t i;

	if (json_array_size(list) > 0)
		printf("%s:\n", title);
	json_array_foreach(list, i, line)
		printf("  %s\n", json_string_value(line) != NULL ? json_string_value(line) : "?");
	return json_array_size(list);
}

static int
print_plan(const json_t *body, bool dry_run)
{
	const json_t *plan = json_object_get(body, "plan"), *errors = json_object_get(body, "errors"), *e;
	size_t i, n, failed;

	json_array_foreach(errors, i, e)
		fprintf(stderr, "%s\n", json_string_value(e));
	if (json_array_size(errors) > 0) {
		fprintf(stderr, "millrace: nothing was changed\n");
		return CLI_FAILING;
	}
	json_array_foreach(json_object_get(body, "warnings"), i, e)
		fprintf(stderr, "%s\n", json_string_value(e));
	n = print_part(plan, "now", dry_run ? "would change at once" : "changed now");
	n += print_part(plan, "new_streams", dry_run ? "would hold for new streams" :
	    "holds for new streams, running ones keep the old value");
	n += print_part(plan, "restart", dry_run ? "would need a restart" :
	    "needs a restart of millraced, until then the old value holds");
	failed = print_part(plan, "failed", "could not be changed, the old value holds");
	if (n + failed == 0)
		printf("nothing differs from what millraced uses\n");
	return failed == 0 ? CLI_OK : CLI_FAILING;
}

int
cli_reload(struct cli *c, int argc, char **argv)
{
	bool dry_run = argc == 2 && strcmp(argv[1], "--dry-run") == 0;
	json_t *body = NULL;
	int rc, code;

	if (argc > 1 && !dry_run)
		return cli_unknown_argument(argv, argv[1]);
	if (cli_locate(c) == -1)
		return CLI_FAILING;
	rc = cli_ask(c, MSG_RELOAD, json_pack("{s:b}", "dry_run", dry_run), &body);
	if (rc == -1)
		return CLI_FAILING;
	code = print_plan(body, dry_run);
	json_decref(body);
	if (rc != 0 && code == CLI_OK)
		fprintf(stderr, "millrace: reload: %s\n", strerror(rc));
	return rc == 0 ? code : CLI_FAILING;
}

int
cli_loglevel(struct cli *c, int argc, char **argv)
{
	enum log_level level;
	int rc;

	if (argc != 2 || log_level_parse(argv[1], &level) == -1)
		return cli_usage_error("loglevel", "want error, warn, info or debug");
	if (cli_locate(c) == -1)
		return CLI_USAGE;
	rc = cli_ask(c, MSG_LOGLEVEL, json_pack("{s:s}", "level", argv[1]), NULL);
	if (rc == 0)
		printf("log level is %s until the next restart or reload\n", argv[1]);
	else if (rc != -1)
		fprintf(stderr, "millrace: loglevel: %s\n", strerror(rc));
	return rc == 0 ? CLI_OK : CLI_FAILING;
}

/* A pidfd, so that the end is seen whoever has yet to reap it, and no other process is meant. */
static int
open_supervisor(const struct cli *c)
{
	struct cli_snap s;
	int fd = -1;

	if (cli_snap_read(&s, c->run_dir) == -1)
		return -1;
	if (s.state >= CLI_STATE_HUNG)
		fd = (int)syscall(SYS_pidfd_open, s.h.pid, 0);
	cli_snap_free(&s);
	return fd;
}

int
cli_stop(struct cli *c, int argc, char **argv)
{
	struct pollfd p = { .fd = -1, .events = POLLIN };
	int64_t began = now_ms();
	char took[CLI_FORMAT];
	int rc;

	if (argc != 1)
		return cli_usage_error("stop", "it takes no argument");
	if (cli_locate(c) == -1)
		return CLI_USAGE;
	p.fd = open_supervisor(c);
	rc = cli_ask(c, MSG_SHUTDOWN, json_object(), NULL);
	if (rc == 0 && p.fd != -1 && poll(&p, 1, STOP_WAIT_MS) == 0) {
		fprintf(stderr, "millrace: still stopping after %d s; `millrace status` shows what it waits for\n",
		    STOP_WAIT_MS / 1000);
		rc = ETIMEDOUT;
	} else if (rc == 0)
		printf("stopped after %s\n", cli_age(now_ms() - began, took));
	if (p.fd != -1)
		close(p.fd);
	return rc == 0 ? CLI_OK : CLI_FAILING;
}
