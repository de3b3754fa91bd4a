/* redis_files.c: the embedded server's settings, its log lines, the data it leaves behind. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/redis.h"

static void
settings_that_lose_nothing(void **state)
{
	static const char *const want[] = { "port 0\n", "unixsocket \"/run/m/redis.sock\"\n",
		"unixsocketperm 700\n", "dir \"/data/redis\"\n", "pidfile \"/data/redis/redis.pid\"\n",
		"appendonly yes\n", "appendfsync always\n", "aof-load-truncated yes\n", "save \"\"\n",
		"maxmemory-policy noeviction\n", "daemonize no\n" };
	char *text = redis_conf_text("/data/redis", "/run/m");
	size_t i;

	assert_non_null(text);
	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		assert_non_null(strstr(text, want[i]));
	free(text);
}

static void
paths_are_quoted(void **state)
{
	char *text = redis_conf_text("/d \"x\"\\y", "/r\" y");

	assert_non_null(strstr(text, "dir \"/d \\\"x\\\"\\\\y\"\n"));
	assert_non_null(strstr(text, "unixsocket \"/r\\\" y/redis.sock\"\n"));
	free(text);
}

static void
a_socket_path_has_its_limit(void **state)
{
	char run[128];

	memset(run, 'r', sizeof(run));
	run[0] = '/';
	run[96] = '\0';		/* 96 + "/redis.sock" = 107, the longest that fits */
	free(redis_conf_text("/data", run));
	run[96] = 'r';
	run[97] = '\0';
	errno = 0;
	assert_null(redis_conf_text("/data", run));
	assert_int_equal(errno, ENAMETOOLONG);
}

static void
log_lines(void **state)
{
	enum log_level level;

	assert_string_equal(redis_log_line("77:M 21 Nov 2026 07:00:00.123 * Ready to accept connections",
	    false, &level), "Ready to accept connections");
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	assert_string_equal(redis_log_line("77:C 21 Nov 2026 07:00:00.123 # Out of room", true, &level),
	    "Out of room");
	assert_int_equal(level, LOG_LEVEL_WARN);
	redis_log_line("77:C 21 Nov 2026 07:00:00.123 # oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo", false, &level);
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	redis_log_line("77:M 21 Nov 2026 07:00:00.123 # Bad file format reading the append only file", false, &level);
	assert_int_equal(level, LOG_LEVEL_WARN);
	assert_true(redis_log_is_overcommit(redis_log_line("77:M 21 Nov 2026 07:00:00.123 # WARNING Memory overcommit"
	    " must be enabled! Without it, a background save or replication may fail", true, &level)));
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	assert_string_equal(redis_log_line("77:M 21 Nov 2026 07:00:00.123 - Accepted", true, &level), "Accepted");
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	assert_string_equal(redis_log_line("*** FATAL CONFIG FILE ERROR ***", false, &level),
	    "*** FATAL CONFIG FILE ERROR ***");
	assert_int_equal(level, LOG_LEVEL_WARN);
	assert_string_equal(redis_log_line("", false, &level), "");
}

static void
put(const char *dir, const char *name, const char *text)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd != -1);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void
data_left_behind(void **state)
{
	char dir[] = "/tmp/millrace-test-XXXXXX", sub[64], cmd[80], *files;

	assert_non_null(mkdtemp(dir));
	snprintf(sub, sizeof(sub), "%s/appendonlydir", dir);
	assert_int_equal(mkdir(sub, 0700), 0);
	put(dir, "redis.conf", "port 0\n");
	put(sub, "appendonly.aof.1.incr.aof", "");
	put(sub, "appendonly.aof.manifest", "file x\n");
	files = redis_data_files(dir);
	assert_string_equal(files, "");
	free(files);
	put(sub, "appendonly.aof.1.incr.aof", "*1\r\n");
	files = redis_data_files(dir);
	assert_string_equal(files, "appendonlydir/appendonly.aof.1.incr.aof (4 bytes)");
	free(files);
	put(dir, "dump.rdb", "REDIS");
	files = redis_data_files(dir);
	assert_non_null(strstr(files, "dump.rdb (5 bytes)"));
	free(files);
	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	assert_int_equal(system(cmd), 0);
	files = redis_data_files(dir);
	assert_string_equal(files, "");
	free(files);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_that_lose_nothing),
		cmocka_unit_test(paths_are_quoted),
		cmocka_unit_test(a_socket_path_has_its_limit),
		cmocka_unit_test(log_lines),
		cmocka_unit_test(data_left_behind),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
