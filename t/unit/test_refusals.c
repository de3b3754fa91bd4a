/* refusals: counters and the last one on the board; the same is said once, then counted; a full table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log.h"
#include "supervisor/refusals.h"
#include "supervisor/supervisor.h"
#include "util.h"

struct supervisor sv;

static char said[65536];
static int sink, console;

static int
setup(void **state)
{
	console = dup(STDERR_FILENO);
	sink = memfd_create("log", 0);
	dup2(sink, STDERR_FILENO);
	log_init("test");
	sv.refused = 0;
	return sink == -1;
}

static int
teardown(void **state)
{
	refusals_flush(now_ms() + 3600000, true);
	refusals_flush(now_ms() + 7200000, true);	/* now all are forgotten */
	dup2(console, STDERR_FILENO);
	close(console);
	close(sink);
	return 0;
}

/* Lines with `what` since the start of this test. */
static unsigned
lines_with(const char *what)
{
	ssize_t n = pread(sink, said, sizeof(said) - 1, 0);
	unsigned found = 0;
	char *p;

	said[n > 0 ? n : 0] = '\0';
	for (p = said; (p = strstr(p, what)) != NULL; p++)
		found++;
	return found;
}

static void
folds_only_the_same(void **state)
{
	refusals_say("key", "10.0.0.1:5000", "bob", "the key is wrong");
	refusals_say("key", "10.0.0.1:5001", "bob", "the key is wrong");
	refusals_say("key", "10.0.0.1:5002", "bob", "the key is wrong");
	refusals_say("key", "10.0.0.1:5003", "alice", "the key is wrong");
	refusals_say("pattern", "10.0.0.1:5004", "", "no pattern matches this URL");
	refusals_say("key", "10.0.0.2:5005", "bob", "the key is wrong");
	assert_int_equal(lines_with("refused "), 4);
	assert_int_equal(lines_with("refused 10.0.0.1:5004: no pattern"), 1);
	assert_int_equal(sv.refused, 6);
}

static void
the_last_are_said_by_time(void **state)
{
	int i;

	for (i = 0; i < 5; i++)
		refusals_say("key", "[2001:db8::1]:5000", "bob", "the key is wrong");
	refusals_flush(now_ms() + 1000, false);
	assert_int_equal(lines_with("refused "), 1);
	refusals_flush(now_ms() + 11000, false);
	assert_int_equal(lines_with("refused [2001:db8::1] as stream bob 4 times more: the key is wrong"), 1);
	refusals_flush(now_ms() + 40000, false);
	assert_int_equal(lines_with("refused "), 2);
	refusals_say("key", "[2001:db8::1]:5000", "bob", "the key is wrong");	/* forgotten: news again */
	assert_int_equal(lines_with("refused "), 3);
	refusals_say("key", "[2001:db8::1]:5000", "bob", "the key is wrong");
	refusals_flush(now_ms(), true);		/* the end */
	assert_int_equal(lines_with("as stream bob 1 time more"), 1);
}

static void
a_flood_is_bounded(void **state)
{
	char peer[40];
	int i;

	for (i = 0; i < 1000; i++) {
		snprintf(peer, sizeof(peer), "10.1.%d.%d:1", i / 256, i % 256);
		refusals_say("protocol", peer, "", "no RTMP");
	}
	assert_true(lines_with("refused ") <= 64);
	refusals_flush(now_ms() + 2000, false);
	assert_int_equal(lines_with("refused 936 more"), 1);
}

static void
figures_on_the_board(void **state)
{
	char path[] = "/tmp/millrace-refusals-XXXXXX";
	const struct board_header *h;
	int fd = mkstemp(path);

	close(fd);
	sv.board = board_create(path);
	assert_non_null(sv.board);
	h = board_header(sv.board);
	refusals_count("limit", "10.0.0.1", "", "limits.per_address is reached");
	refusals_say("signature", "10.0.0.1:5000", "bob", "rtmp://h/live/bob?key=secret is wrong");
	refusals_say("a new word", "10.0.0.1:5000", "bob", "?");
	assert_int_equal(h->refusals[BOARD_REFUSED_LIMIT], 1);
	assert_int_equal(h->refusals[BOARD_REFUSED_SIGNATURE], 1);
	assert_int_equal(h->refusals[BOARD_REFUSED_OTHER], 1);
	assert_int_equal(lines_with("limits"), 0);
	assert_string_equal(h->last_refused.name, "bob");
	refusals_count("signature", "10.0.0.9:1", "x", "rtmp://h/live/bob?key=secret is wrong");
	assert_string_equal(board_refusal_name(h->last_refused.reason), "signature");
	assert_null(strstr(h->last_refused.text, "secret"));
	assert_string_equal(board_refusal_name(999), "other");
	unlink(path);
	board_close(&sv.board);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(folds_only_the_same, setup, teardown),
		cmocka_unit_test_setup_teardown(the_last_are_said_by_time, setup, teardown),
		cmocka_unit_test_setup_teardown(a_flood_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(figures_on_the_board, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
