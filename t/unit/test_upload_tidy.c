/* upload_tidy.c: what nobody asks for again goes from data_dir/uploads, and no lock while somebody relies on it. */
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
#include <sys/wait.h>
#include <unistd.h>

#include "util.h"
#include "workers/jobs/upload_check.h"
#include "workers/jobs/upload_mark.h"
#include "workers/jobs/upload_tidy.h"

#define ID(n) "0123456789abcdef0123456789abcde" #n

static char dir[] = "/tmp/millrace-tidy-XXXXXX", uploads[64];

static const char *
in(const char *name)
{
	static char path[300];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

static bool
is_there(const char *name)
{
	return access(in(name), F_OK) == 0;
}

static void
make(const char *name)
{
	close(open(in(name), O_CREAT | O_WRONLY, 0600));
}

static int
setup(void **state)
{
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(uploads, sizeof uploads, "%s/uploads", dir);
	return mkdir(uploads, 0700);
}

static int
teardown(void **state)
{
	char *command = xasprintf("rm -r %s", dir);
	int rc = system(command);

	free(command);
	return rc;
}

static void
locks_go_when_nobody_needs_them(void **state)
{
	int held = upload_check_lock(uploads, ID(1));

	assert_true(held != -1);
	make("uploads/" ID(2) ".lock");
	make("uploads/" ID(3) ".lock");
	make("uploads/" ID(3) ".json");
	make("uploads/" ID(4) ".lock");
	make("uploads/" ID(4) ".link");
	upload_tidy(dir, false);
	assert_true(is_there("uploads/" ID(1) ".lock"));
	assert_false(is_there("uploads/" ID(2) ".lock"));
	assert_true(is_there("uploads/" ID(3) ".lock"));
	assert_true(is_there("uploads/" ID(4) ".lock"));
	close(held);
	upload_tidy(dir, false);
	assert_false(is_there("uploads/" ID(1) ".lock"));
}

/* Children lock and remove, over and over: never are two of them in at once. */
static void
a_lock_is_one_persons_also_while_locks_are_removed(void **state)
{
	pid_t pid[3];
	int status;

	for (size_t i = 0; i < 3; i++) {
		pid[i] = fork();
		for (int n = 0, fd; pid[i] == 0 && n < 3000; n++) {
			fd = upload_check_lock(uploads, ID(1));
			if (fd == -1 && errno != EWOULDBLOCK)
				_exit(1);
			if (fd != -1 && (mkdir(in("inside"), 0700) == -1 || rmdir(in("inside")) == -1))
				_exit(2);
			if (fd != -1)
				close(fd);
			upload_check_lock_remove(uploads, ID(1));
		}
		if (pid[i] == 0)
			_exit(0);
	}
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		assert_int_equal(status, 0);
	}
}

static void
mark(const char *id, const char *path)
{
	json_t *o = json_pack("{s:s, s:i, s:i}", "path", path, "size", 1, "mtime_ns", 1);

	assert_int_equal(upload_mark_write(dir, id, o), 0);
	json_decref(o);
}

static void
marks_of_watched_files_go_with_them(void **state)
{
	make("here");
	mark(ID(1), in("here"));
	mark(ID(2), in("gone"));
	mark(ID(3), in("recordings/alice/gone.mp4"));
	mark(ID(4), in("rec/alice/gone.flv"));
	mark(ID(5), in("here/not-a-folder"));
	make("uploads/" ID(6) ".done");
	upload_tidy(dir, false);
	assert_true(is_there("uploads/" ID(2) ".done"));
	upload_tidy(dir, true);
	assert_true(is_there("uploads/" ID(1) ".done"));
	assert_false(is_there("uploads/" ID(2) ".done"));
	assert_true(is_there("uploads/" ID(3) ".done"));
	assert_true(is_there("uploads/" ID(4) ".done"));
	assert_true(is_there("uploads/" ID(5) ".done"));
	assert_true(is_there("uploads/" ID(6) ".done"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		T(locks_go_when_nobody_needs_them), T(a_lock_is_one_persons_also_while_locks_are_removed),
		T(marks_of_watched_files_go_with_them),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
