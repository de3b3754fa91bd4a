/* log*.c: one line, whole, in both formats; nothing blocks; no foreign byte forges, no secret stays. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "log_quota.h"

static int real_stderr;
static char line[8192];

/* fd 2 becomes ours for one test. */
static void
stderr_is(int fd)
{
	dup2(fd, 2);
	close(fd);
	log_init("test");
}

static const char *
read_line(int fd)
{
	ssize_t n = read(fd, line, sizeof line - 1);

	line[n > 0 ? n : 0] = '\0';
	return line;
}

static int
pipe_to_log(int flags)
{
	int p[2];

	assert_int_equal(pipe2(p, flags | O_CLOEXEC), 0);
	stderr_is(p[1]);
	return p[0];
}

static void
logfmt_line(void **state)
{
	int fd = pipe_to_log(O_NONBLOCK);
	char want[64];

	log_set_stream("alice");
	log_set_peer("1.2.3.4:5");
	errno = ENOENT;
	log_warn("open \"%s\"\n", "x\x1b[31m\xff");
	assert_int_equal(errno, ENOENT);
	read_line(fd);
	snprintf(want, sizeof want, " level=warn proc=test pid=%d stream=alice peer=1.2.3.4:5 ", (int)getpid());
	assert_non_null(strstr(line, want));
	assert_int_equal(strncmp(line, "time=20", 7), 0);
	assert_non_null(strstr(line,
	    "msg=\"open \\\"x\\u001b[31m\xef\xbf\xbd\\\"\\n: No such file or directory\"\n"));
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	log_set_stream(NULL);
	log_set_peer(NULL);
	log_info("short");
	assert_null(strstr(read_line(fd), "stream="));
	close(fd);
}

static void
what_it_is_about(void **state)
{
	int fd = pipe_to_log(O_NONBLOCK);
	json_t *o;

	log_set_worker("2");
	log_set_stream("alice");
	log_set_job("1a-7", "/in/a \"b\".mp4");
	log_info("begun");
	assert_non_null(strstr(read_line(fd), " worker=2 stream=alice job=1a-7 file=\"/in/a \\\"b\\\".mp4\" msg=\"begun\"\n"));
	log_set_format(LOG_JSON);
	log_info("begun");
	o = json_loads(read_line(fd), 0, NULL);
	assert_non_null(o);
	assert_string_equal(json_string_value(json_object_get(o, "file")), "/in/a \"b\".mp4");
	assert_string_equal(json_string_value(json_object_get(o, "job")), "1a-7");
	json_decref(o);
	log_set_format(LOG_LOGFMT);
	log_apart("bob", "rec/bob/1.flv");
	log_info("beside it");
	assert_non_null(strstr(read_line(fd), " worker=2 stream=bob file=rec/bob/1.flv msg=\"beside it\"\n"));
	log_apart(NULL, NULL);
	log_info("and again");
	assert_non_null(strstr(read_line(fd), " stream=alice job=1a-7 "));
	log_set_worker(NULL);
	log_set_stream(NULL);
	log_set_job(NULL, NULL);
	log_info("over");
	assert_null(strstr(read_line(fd), "job="));
	assert_null(strstr(line, "worker="));
	close(fd);
}

static void
others_lines_are_bounded(void **state)
{
	int fd = pipe_to_log(O_NONBLOCK), torn = 0;

	log_quota_set(2);
	for (int i = 0; i < 50; i++)
		log_foreign(LOG_LEVEL_WARN, "ffmpeg hls", "torn", 4);
	log_warnx("own");	/* ours are never left out */
	for (const char *at = read_line(fd); (at = strstr(at, "torn")) != NULL; at++)
		torn++;
	assert_int_equal(torn, 2);
	assert_non_null(strstr(line, "log.foreign_lines"));
	assert_non_null(strstr(line, "own"));
	log_quota_set(100);
	close(fd);
}

static void
json_line_is_json(void **state)
{
	int fd = pipe_to_log(O_NONBLOCK);
	char text[10000];
	json_t *o;

	log_set_format(LOG_JSON);
	log_foreign(LOG_LEVEL_INFO, "ffmpeg hls", "a \"q\" \\ \x01\xc2\x9b", 11);
	o = json_loads(read_line(fd), 0, NULL);
	assert_non_null(o);
	assert_string_equal(json_string_value(json_object_get(o, "source")), "ffmpeg hls");
	assert_string_equal(json_string_value(json_object_get(o, "level")), "info");
	assert_int_equal(json_integer_value(json_object_get(o, "pid")), getpid());
	json_decref(o);
	/* Cut, but still one whole line of JSON. */
	memset(text, '"', sizeof text);
	text[sizeof text - 1] = '\0';
	log_info("%s", text);
	read_line(fd);
	assert_true(strlen(line) <= 4096 && strlen(line) > 4000);
	o = json_loads(line, 0, NULL);
	assert_non_null(o);
	json_decref(o);
	log_set_format(LOG_LOGFMT);
	close(fd);
}

static void
check_full(int fd, bool can_read)
{
	uint64_t before = log_dropped();
	char all[300000], want[40];
	uint64_t lost;

	alarm(5);	/* a line that blocks ends the test */
	for (int i = 0; i < 3000; i++)
		log_info("filling the pipe with a line of some length, number %d", i);
	alarm(0);
	lost = log_dropped() - before;
	assert_true(lost > 0 && lost < 3000);
	while (can_read && read(fd, all, sizeof all) == sizeof all)
		;
	log_info("fits again");
	snprintf(want, sizeof want, "dropped=%llu ", (unsigned long long)lost);
	for (int i = 0; i < 100 && !strstr(read_line(fd), "fits again"); i++)
		;
	assert_non_null(strstr(line, want));
	assert_non_null(strstr(line, "fits again"));
	log_info("and counts anew");
	assert_null(strstr(read_line(fd), "dropped="));
	close(fd);
}

static void
a_full_pipe_drops_and_counts(void **state)
{
	check_full(pipe_to_log(O_NONBLOCK), true);
}

static void
a_full_blocking_pipe_does_not_block(void **state)
{
	int fd = pipe_to_log(0);

	fcntl(fd, F_SETFL, O_NONBLOCK);	/* our end only; both ends have flags of their own */
	check_full(fd, true);
}

static void
a_socket_without_reader_drops(void **state)
{
	uint64_t before = log_dropped();
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	stderr_is(sv[1]);
	close(sv[0]);
	log_info("nobody there");	/* no SIGPIPE, either */
	assert_int_equal(log_dropped(), before + 1);
}

static void
opening_leaves_the_shared_description_alone(void **state)
{
	int p[2], shared;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	shared = dup(p[1]);
	dup2(p[1], 2);
	assert_int_equal(log_open(NULL), 0);
	assert_true(fcntl(2, F_GETFL) & O_NONBLOCK);
	assert_false(fcntl(shared, F_GETFL) & O_NONBLOCK);
	log_info("here");
	assert_non_null(strstr(read_line(p[0]), "here"));
	close(p[0]);
	close(p[1]);
	close(shared);
}

static void
a_file_is_appended_to(void **state)
{
	char path[] = "/tmp/test_log.XXXXXX";
	int fd = mkstemp(path);

	assert_int_equal(write(fd, "old\n", 4), 4);
	assert_int_equal(log_open(path), 0);
	log_info("new");
	lseek(fd, 0, SEEK_SET);
	read_line(fd);
	assert_int_equal(strncmp(line, "old\ntime=", 9), 0);
	unlink(path);
	close(fd);
	assert_int_equal(log_open("/nonexistent/log"), -1);
}

static int hooked;

static void
hook(enum log_level l, const char *text)
{
	hooked++;
	assert_int_equal(l, LOG_LEVEL_WARN);
	assert_string_equal(text, "last words");
}

static void
levels_and_the_hook(void **state)
{
	int fd = pipe_to_log(O_NONBLOCK);
	enum log_level l;

	log_set_hook(hook);
	log_set_level(LOG_LEVEL_ERROR);
	log_warnx("last words");
	log_info("unheard");
	log_debug("unheard");
	assert_string_equal(read_line(fd), "");
	assert_int_equal(hooked, 1);
	log_set_hook(NULL);
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("heard");
	assert_non_null(strstr(read_line(fd), "level=debug"));
	log_set_level(LOG_LEVEL_INFO);
	assert_int_equal(log_level_parse("warn", &l), 0);
	assert_int_equal(l, LOG_LEVEL_WARN);
	assert_int_equal(log_level_parse("loud", &l), -1);
	close(fd);
}

static void
secrets_become_stars(void **state)
{
	static const struct { const char *in, *out; } t[] = {
		{ "GET /x?key=abcdef&a=1", "GET /x?key=***&a=1" },
		{ "a key (NAME?key=...) or", "a key (NAME?key=...) or" }, { "?key=...a", "?key=***" },
		{ "key=a", "key=*" }, { "key=", "key=" }, { "monkeys=5", "monkeys=5" },
		{ "?exp=12&sig=0123456789", "?exp=12&sig=***" },
		{ "STREAM_TOKEN=\"x\" Token=secret1 b", "STREAM_TOKEN=\"x\" Token=*** b" },
		{ "rtmp://host/live/SECRETKEY: failed", "rtmp://host/live/***" " failed" },
		{ "'rtmps://host:443/app/a/b?c=d' x", "'rtmps://host:443/app/***' x" },
		{ "rtmp://host/live", "rtmp://host/live" },
		{ "redis://user:word@host:1/0 ok", "redis://***@host:1/0 ok" },
		{ "http://h/a@b?pass=12345", "http://h/a@b?pass=***" },
		{ "://", "://" }, { "=", "=" }, { "", "" },
	};
	char buf[200];

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		snprintf(buf, sizeof buf, "%s", t[i].in);
		log_redact(buf);
		assert_string_equal(buf, t[i].out);
	}
}

static int
setup(void **state)
{
	real_stderr = fcntl(2, F_DUPFD_CLOEXEC, 10);
	return real_stderr < 0;
}

static int
restore(void **state)
{
	dup2(real_stderr, 2);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, NULL, restore)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(logfmt_line),
		TEST(what_it_is_about),
		TEST(others_lines_are_bounded),
		TEST(json_line_is_json),
		TEST(a_full_pipe_drops_and_counts),
		TEST(a_full_blocking_pipe_does_not_block),
		TEST(a_socket_without_reader_drops),
		TEST(opening_leaves_the_shared_description_alone),
		TEST(a_file_is_appended_to),
		TEST(levels_and_the_hook),
		TEST(secrets_become_stars),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, NULL);
}
