/*
 * redis_files.c - the embedded Redis' files: its configuration, its data that must not be
 * forgotten when redis.url changes, and the shape of its log lines. Starts nothing.
 *
 * Durability is the point of the settings: with appendfsync always a kill loses nothing,
 * with everysec thousands of acknowledged writes. Pure but for reading folders. Called by
 * redis.c.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "supervisor/redis.h"
#include "util.h"

#define SOCKET_NAME "redis.sock"

/* A path between double quotes, as redis.conf has it. */
static char *
quote(const char *s)
{
	char *out = xcalloc(2 * strlen(s) + 3, 1), *p = out;

	*p++ = '"';
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			*p++ = '\\';
		*p++ = *s;
	}
	*p = '"';
	return out;
}

char *
redis_conf_text(const char *dir, const char *run_dir)
{
	char *text, *data, *run;

	if (strlen(run_dir) + 1 + strlen(SOCKET_NAME) >=
	    sizeof(((struct sockaddr_un *)0)->sun_path)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	data = quote(dir);
	run = quote(run_dir);
	/* The closing quote gives way to the file's name. */
	text = xasprintf("port 0\nunixsocket %.*s/" SOCKET_NAME "\"\nunixsocketperm 700\n"
	    "dir %s\npidfile %.*s/redis.pid\"\ndaemonize no\nlogfile \"\"\nloglevel notice\n"
	    "databases 1\nmaxclients 1000\nsave \"\"\nappendonly yes\nappendfsync always\n"
	    "aof-load-truncated yes\nmaxmemory-policy noeviction\n",
	    (int)strlen(run) - 1, run, data, (int)strlen(data) - 1, data);
	free(data);
	free(run);
	return text;
}

bool
redis_log_is_overcommit(const char *text)
{
	return strcasestr(text, "overcommit") != NULL;
}

static bool
gone_wrong(const char *text)
{
	static const char *const words[] = { "error", "fatal", "fail", "can't", "cannot", "can not",
		"could not", "unable", "bad ", "corrupt", "invalid", "denied", "out of memory", "crash" };
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasestr(text, words[i]) != NULL)
			return true;
	return false;
}

const char *
redis_log_line(const char *line, bool running, enum log_level *level)
{
	char mark = '*';
	int at = 0;

	/* "77:M 21 Nov 2026 07:00:00.123 * Ready to accept connections" */
	*level = LOG_LEVEL_DEBUG;
	if (sscanf(line, "%*d:%*c %*d %*3s %*d %*s %c %n", &mark, &at) != 1 || at == 0) {
		if (gone_wrong(line))
			*level = LOG_LEVEL_WARN;
		return line;
	}
	if (mark == '#' && !redis_log_is_overcommit(line) && (running || gone_wrong(line + at)))
		*level = LOG_LEVEL_WARN;
	return line + at;
}

static void
append_file(FILE *out, const char *dir, const char *name, const char *shown, int *n)
{
	size_t len = strlen(name);
	char path[600];
	struct stat st;

	if (len < 4 || (strcmp(name + len - 4, ".aof") != 0 && strcmp(name + len - 4, ".rdb") != 0))
		return;
	if (path_join(path, sizeof(path), dir, name) == -1 || stat(path, &st) == -1 ||
	    !S_ISREG(st.st_mode) || st.st_size == 0)
		return;
	fprintf(out, "%s%s%s (%lld bytes)", (*n)++ > 0 ? ", " : "", shown, name,
	    (long long)st.st_size);
}

static void
append_dir(FILE *out, const char *dir, const char *shown, int *n)
{
	struct dirent *e;
	DIR *d = opendir(dir);

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL)
		append_file(out, dir, e->d_name, shown, n);
	closedir(d);
}

char *
redis_data_files(const char *dir)
{
	char *text = NULL, sub[600];
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int n = 0;

	if (out == NULL)
		return xstrdup("");
	append_dir(out, dir, "", &n);
	if (path_join(sub, sizeof(sub), dir, "appendonlydir") == 0)
		append_dir(out, sub, "appendonlydir/", &n);
	fclose(out);
	return text;
}
