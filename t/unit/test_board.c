/* board.c: slots are copied whole or not at all, a reader knows its version, pages can't shrink. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "board.h"
#include "util.h"

static char dir[] = "/tmp/test_board.XXXXXX";
static char path[64];

static void
what_is_written_is_read(void **state)
{
	struct board *w = board_create(path), *r = board_open(path);
	struct board_proc *p, proc;
	struct board_stream *s, stream;
	struct board_header *h, header;

	assert_non_null(w);
	assert_non_null(r);
	assert_int_equal(board_read_proc(r, 0, &proc), -1);
	assert_int_equal(board_read_stream(r, BOARD_STREAMS - 1, &stream), -1);
	h = board_header(w);
	board_begin(&h->seq);
	h->pid = 77;
	board_end(&h->seq);
	p = board_proc(w, BOARD_PROCS - 1);
	board_begin(&p->seq);
	p->pid = 5;
	str_copy(p->kind, "http", sizeof p->kind);
	board_end(&p->seq);
	s = board_stream(w, BOARD_STREAMS - 1);
	board_begin(&s->seq);
	s->state = BOARD_STREAM_LIVE;
	str_copy(s->name, "alice", sizeof s->name);
	board_end(&s->seq);
	assert_int_equal(board_read_header(r, &header), 0);
	assert_int_equal(header.pid, 77);
	assert_int_equal(board_read_proc(r, BOARD_PROCS - 1, &proc), 0);
	assert_string_equal(proc.kind, "http");
	assert_int_equal(board_read_stream(r, BOARD_STREAMS - 1, &stream), 0);
	assert_string_equal(stream.name, "alice");
	board_close(&w);
	board_close(&r);
	assert_null(r);
	board_close(&r);
}

static void
a_slot_left_half_written_is_no_slot(void **state)
{
	struct board *w = board_create(path);
	struct board_stream *s = board_stream(w, 3), out;

	board_begin(&s->seq);
	s->state = BOARD_STREAM_LIVE;
	assert_int_equal(board_read_stream(w, 3, &out), -1);
	board_end(&s->seq);
	assert_int_equal(board_read_stream(w, 3, &out), 0);
	board_close(&w);
}

static void
other_versions_and_files_are_refused(void **state)
{
	struct board *w = board_create(path);
	int fd;

	board_header(w)->version = BOARD_VERSION + 1;
	assert_null(board_open(path));
	assert_int_equal(errno, EPROTO);
	board_header(w)->version = BOARD_VERSION;
	board_header(w)->magic[0] = 'X';
	assert_null(board_open(path));
	assert_int_equal(errno, EPROTO);
	board_close(&w);
	fd = open(path, O_RDWR);
	assert_int_equal(ftruncate(fd, 100), 0);
	close(fd);
	assert_null(board_open(path));
	assert_int_equal(errno, EPROTO);
	unlink(path);
	assert_null(board_open(path));
	assert_int_equal(errno, ENOENT);
	assert_null(board_create("/nonexistent/board"));
}

static void
a_new_board_leaves_old_readers_alone(void **state)
{
	struct board *old = board_create(path), *reader = board_open(path), *new;
	struct board_header h;

	board_header(old)->pid = 1;
	new = board_create(path);
	board_header(new)->pid = 2;
	assert_int_equal(board_read_header(reader, &h), 0);
	assert_int_equal(h.pid, 1);
	board_close(&old);
	board_close(&new);
	board_close(&reader);
	unlink(path);
}

static void
pages_can_not_be_resized(void **state)
{
	struct board_page *map = NULL, out;
	int fd = board_page_create(&map);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(ftruncate(fd, 2 * BOARD_PAGE_BYTES), -1);
	board_begin(&map->seq);
	memset(map->last_words, 'x', sizeof map->last_words);
	memset(map->stream, 'x', sizeof map->stream);
	board_end(&map->seq);
	assert_int_equal(board_read_page(map, &out), 0);
	assert_int_equal(strlen(out.last_words), sizeof out.last_words - 1);
	assert_int_equal(strlen(out.stream), sizeof out.stream - 1);
	board_begin(&map->seq);
	assert_int_equal(board_read_page(map, &out), -1);
	board_page_unmap(&map);
	assert_null(map);
	close(fd);
}

static void
figures_of_processes(void **state)
{
	int64_t rss, cpu;
	uint64_t ticks = board_start_ticks((int)getpid());

	assert_true(ticks > 0);
	assert_int_equal(board_proc_usage((int)getpid(), ticks, &rss, &cpu), 0);
	assert_true(rss > 100000);
	assert_true(cpu >= 0 && cpu < 600000);
	assert_int_equal(board_proc_usage((int)getpid(), 0, &rss, &cpu), 0);
	assert_int_equal(board_proc_usage((int)getpid(), ticks + 1, &rss, &cpu), -1);
	assert_int_equal(board_proc_usage(0, 0, &rss, &cpu), -1);
	assert_int_equal(board_start_ticks(0), 0);
}

static void
codecs_have_names(void **state)
{
	assert_string_equal(board_codec_name(BOARD_CODEC_NONE), "");
	assert_string_equal(board_codec_name(BOARD_H264), "h264");
	assert_string_equal(board_codec_name(BOARD_MP3), "mp3");
	assert_string_equal(board_codec_name(200), "other");
}

static void
latencies_have_buckets(void **state)
{
	struct board_latency l = { .sum_ms = 0 };
	int last = board_latency_bound_ms(BOARD_LATENCY_BUCKETS - 2);

	for (unsigned i = 1; i < BOARD_LATENCY_BUCKETS - 1; i++)
		assert_true(board_latency_bound_ms(i) > board_latency_bound_ms(i - 1));
	assert_int_equal(board_latency_bound_ms(BOARD_LATENCY_BUCKETS - 1), -1);
	board_latency_add(&l, -5);
	board_latency_add(&l, board_latency_bound_ms(0));
	board_latency_add(&l, board_latency_bound_ms(0) + 1);
	board_latency_add(&l, last);
	board_latency_add(&l, last + 1);
	assert_int_equal(l.count[0], 2);
	assert_int_equal(l.count[1], 1);
	assert_int_equal(l.count[BOARD_LATENCY_BUCKETS - 2], 1);
	assert_int_equal(l.count[BOARD_LATENCY_BUCKETS - 1], 1);
	assert_int_equal(l.sum_ms, 2 * board_latency_bound_ms(0) + 1 + 2 * last + 1);
}

static int
setup(void **state)
{
	return mkdtemp(dir) ? path_join(path, sizeof path, dir, "board") : -1;
}

static int
teardown(void **state)
{
	unlink(path);
	return rmdir(dir);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(a_slot_left_half_written_is_no_slot),
		cmocka_unit_test(other_versions_and_files_are_refused),
		cmocka_unit_test(a_new_board_leaves_old_readers_alone),
		cmocka_unit_test(pages_can_not_be_resized),
		cmocka_unit_test(figures_of_processes),
		cmocka_unit_test(codecs_have_names),
		cmocka_unit_test(latencies_have_buckets),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
