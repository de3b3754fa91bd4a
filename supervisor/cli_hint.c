/*
 * cli_hint.c - what to type next, as it works here: how this server is started, who may see it.
 *
 * A build has millraced beside us; a config of scripts/run is started by scripts/run; what is
 * installed by its service. Called by cli_status.c and cli_ask.c. Only looks at files.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "supervisor/cli.h"
#include "supervisor/conf_table.h"
#include "util.h"

/* dir/name as a shell in this directory would call it, if it is there; else "". */
static const char *
program_at(const char *dir, const char *name, char buf[PATH_MAX])
{
	char path[PATH_MAX], cwd[PATH_MAX];
	size_t n;

	buf[0] = '\0';
	if (path_join(path, sizeof(path), dir, name) == -1 || access(path, X_OK) == -1 ||
	    realpath(path, buf) == NULL) {
		buf[0] = '\0';
		return buf;
	}
	n = getcwd(cwd, sizeof(cwd)) != NULL ? strlen(cwd) : 0;
	if (n > 1 && strncmp(buf, cwd, n) == 0 && buf[n] == '/' && strchr(buf + n + 1, '/') != NULL)
		memmove(buf, buf + n + 1, strlen(buf + n + 1) + 1);
	return buf;
}

static bool
has_service(void)
{
	return access("/etc/init.d/millrace", X_OK) == 0 ||
	    access("/lib/systemd/system/millrace.service", F_OK) == 0;
}

char *
cli_start_command(const struct cli *c, const char *dir)
{
	bool standard = c->conf_path == NULL || strcmp(c->conf_path, CLI_SYSTEM_CONF) == 0;
	char beside[PATH_MAX], other[PATH_MAX];
	const char *program = program_at(dir, "millraced", beside);

	if (program[0] != '\0' && c->conf_own && program_at(dir, "../scripts/run", other)[0] != '\0')
		return xstrdup(other);
	if (program[0] == '\0' && standard && has_service())
		return xasprintf("%sservice millrace start", geteuid() == 0 ? "" : "sudo ");
	if (program[0] == '\0')
		program = program_at(dir, "../sbin/millraced", other);
	return xasprintf("%s%s%s", program[0] != '\0' ? program : "millraced",
	    standard ? "" : " -c ", standard ? "" : c->conf_path);
}

void
cli_other_runs(const struct cli *c, const char *run_dir, FILE *out)
{
	struct cli_snap s;
	bool closed;

	if (!c->conf_own || strcmp(c->run_dir, run_dir) == 0)
		return;
	closed = cli_snap_read(&s, run_dir) == -1;
	if (closed && errno != EACCES)
		return;
	if (closed || s.state >= CLI_STATE_HUNG)
		fprintf(out, "That is the one of scripts/run (%s). The installed service is up: %smillrace -c "
		    CLI_SYSTEM_CONF "\n", c->conf_path, closed ? "sudo " : "");
	if (!closed)
		cli_snap_free(&s);
}

void
cli_print_start(const struct cli *c, FILE *out)
{
	const char *service = conf_keys[conf_find("run_dir")].standard;
	char exe[PATH_MAX], *command, *slash;
	ssize_t n;

	if (c->conf_path == NULL && strcmp(c->run_dir, service) != 0) {
		fprintf(out, "With -c FILE, the config that it was started with, its run_dir is found.\n");
		return;
	}
	cli_other_runs(c, service, out);
	n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	exe[n > 0 ? n : 0] = '\0';
	slash = strrchr(exe, '/');
	if (slash != NULL)
		*slash = '\0';
	command = cli_start_command(c, slash != NULL ? exe : "/nonexistent");
	fprintf(out, "Start it: %s\n", command);
	free(command);
}

void
cli_not_permitted(const struct cli *c, const char *file)
{
	fprintf(stderr, "millrace: %s/%s: not permitted\nUse sudo. Without it: root, millraced's own user and"
	    " members of control.group may;\n`sudo millrace status` says what that group needs.\n",
	    c->run_dir, file);
}
