/* feeds.c: wants before, during and after a stream's life; who gets which end; who is told that it is over. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stream_name.h"
#include "supervisor/child.h"
#include "supervisor/streams.h"
#include "util.h"

struct supervisor sv;

struct peer {			/* a child of ours, with the other end of its channel */
	struct child c;
	struct msg_chan *far;
	char heard[200];	/* "media flv 77 on, off" */
	int fd;			/* that came last */
};

static struct peer web[2], ingest;
static struct stream stream;

static void
on_message(struct msg_chan *chan, struct msg *m, void *ctx)
{
	struct peer *p = ctx;
	size_t n = strlen(p->heard);

	if (m == NULL)
		return;
	assert_int_equal(m->type, MSG_FEED);
	if (p != &ingest && strcmp(msg_str_or(m, "name", ""), "alice") != 0) {
		assert_false(json_is_true(json_object_get(m->body, "on")));
		return;
	}
	if (m->nfds > 0) {
		close(p->fd);
		p->fd = msg_take_fd(m, 0);
	}
	snprintf(p->heard + n, sizeof(p->heard) - n, "%s%s%s%s%s%s%s", n > 0 ? ", " : "", msg_str_or(m, "track", ""),
	    p != &ingest && p->fd >= 0 && msg_str_or(m, "track", "")[0] != '\0' ? " " : "", msg_str_or(m, "format", ""),
	    msg_str_or(m, "format", "")[0] != '\0' ? " " : "", json_is_true(json_object_get(m->body, "on")) ? "on" : "off",
	    p != &ingest && msg_int_or(m, "ingest", 0) != ingest.c.pid ? " of another" : "");
}

static void
nobody(struct msg_chan *chan, struct msg *m, void *ctx)
{
}

static void
peer_new(struct peer *p, enum child_kind kind, int worker)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	memset(p, 0, sizeof(*p));
	p->fd = -1;
	p->c.kind = kind;
	p->c.state = CHILD_READY;
	p->c.worker = worker;
	p->c.pid = 77 + worker;
	p->c.control = msg_chan_new(sv.base, pair[0], nobody, NULL);
	p->far = msg_chan_new(sv.base, pair[1], on_message, p);
	p->c.next = child_list;
	child_list = &p->c;
}

static void
peer_free(struct peer *p)
{
	msg_chan_free(&p->c.control);
	msg_chan_free(&p->far);
	if (p->fd >= 0)
		close(p->fd);
}

static int
setup(void **state)
{
	sv.base = event_base_new();
	sv.conf = json_pack("{s:{s:i, s:i}}", "webrtc", "workers", 2, "max_viewers", 2);
	peer_new(&web[0], KIND_WEBRTC, 0);
	peer_new(&web[1], KIND_WEBRTC, 1);
	peer_new(&ingest, KIND_INGEST, 5);
	memset(&stream, 0, sizeof(stream));
	str_copy(stream.name, "alice", sizeof(stream.name));
	stream_list = &stream;
	return 0;
}

static int
teardown(void **state)
{
	feeds_worker_gone(&web[0].c);
	feeds_worker_gone(&web[1].c);
	for (int i = 0; i < 2; i++)
		peer_free(&web[i]);
	peer_free(&ingest);
	child_list = NULL;
	stream_list = NULL;
	json_decref(sv.conf);
	event_base_free(sv.base);
	return 0;
}

/* The worker alice belongs to, and the other one. */
static struct peer *
own(void)
{
	return &web[stream_name_hash("alice") % 2];
}

static void
want(struct peer *p, const char *name, bool on)
{
	struct msg m = { .type = MSG_WANT, .body = json_pack("{s:s, s:b}", "name", name, "want", on) };

	feeds_want(&p->c, &m);
	json_decref(m.body);
}

static void
live(void)
{
	stream.ingest = &ingest.c;
	stream.was_live = true;
	ingest.c.stream = &stream;
	feeds_live(&ingest.c);
}

static const char *
heard(struct peer *p)
{
	static char text[sizeof(p->heard)];

	for (int i = 0; i < 5; i++)
		event_base_loop(sv.base, EVLOOP_NONBLOCK);
	strcpy(text, p->heard);
	p->heard[0] = '\0';
	return text;
}

static void
expect_both(const char *worker, const char *to_ingest)
{
	assert_string_equal(heard(own()), worker);
	assert_string_equal(heard(&ingest), to_ingest);
}

static void
assert_joined(void)
{
	char c = 0;

	assert_int_equal(write(ingest.fd, "x", 1), 1);
	assert_int_equal(read(own()->fd, &c, 1), 1);
	assert_int_equal(c, 'x');
}

static void
wanted_before_it_is_live(void **state)
{
	assert_false(feeds_is_live("alice"));
	want(own(), "alice", true);	/* it may have been told that it is live */
	expect_both("off of another", "");
	assert_false(feeds_has(&ingest.c));
	live();
	assert_true(feeds_is_live("alice"));
	expect_both("media flv on", "on");
	assert_joined();
	assert_true(feeds_has(&ingest.c));
	want(own(), "alice", false);
	expect_both("", "off");
	assert_false(feeds_has(&ingest.c));
	want(own(), "alice", false);
	expect_both("", "");
}

static void
wanted_while_it_is_live(void **state)
{
	live();
	expect_both("", "");
	want(own(), "alice", true);
	expect_both("media flv on", "on");
	want(own(), "alice", true);	/* it has lost what it had */
	expect_both("media flv on", "on");
	assert_joined();
}

static void
the_publisher_leaves_and_returns(void **state)
{
	want(own(), "alice", true);
	heard(own());
	live();
	expect_both("media flv on", "on");
	feeds_ingest_gone(&ingest.c);
	stream.ingest = NULL;
	assert_string_equal(heard(own()), "off");
	ingest.c.pid++;
	live();
	expect_both("media flv on", "on");
	assert_joined();
}

static void
the_worker_dies(void **state)
{
	live();
	want(own(), "alice", true);
	expect_both("media flv on", "on");
	feeds_worker_gone(&own()->c);
	expect_both("", "off");
	assert_false(feeds_has(&ingest.c));
	feeds_ingest_gone(&ingest.c);
	expect_both("", "");
}

static void
what_ffmpegs_make(void **state)
{
	int pair[2];

	live();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(feeds_output(&ingest.c, "audio", pair[0]), -1);	/* nobody wants it */
	assert_int_equal(write(pair[1], "x", 1), -1);				/* so it is closed */
	close(pair[1]);
	want(own(), "alice", true);
	heard(own());
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(feeds_output(&ingest.c, "audio", pair[0]), 0);
	assert_string_equal(heard(own()), "audio ogg on");
	assert_int_equal(feeds_output(&ingest.c, "video", dup(pair[1])), 0);
	assert_string_equal(heard(own()), "video flv on");
	close(pair[1]);
}

static void
nobody_wants_more_than_his_own(void **state)
{
	struct peer *other = own() == &web[0] ? &web[1] : &web[0];
	char name[20];
	int n = 0;

	live();
	want(other, "alice", true);
	want(own(), "../alice", true);
	want(own(), "", true);
	expect_both("", "");
	assert_ptr_equal(feeds_worker("alice"), &own()->c);
	own()->c.state = CHILD_STARTING;
	assert_null(feeds_worker("alice"));
	for (int i = 0; n < 2 * 2 + BOARD_STREAMS; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		if (stream_name_hash(name) % 2 != (unsigned)own()->c.worker)
			continue;
		want(own(), name, true);
		n++;
		heard(own());
	}
	want(own(), "alice", true);
	expect_both("off of another", "");
}

/* By a reload it belongs to another worker now. Who had it may say that it is done with it, and no more. */
static void
it_moves_to_another_worker(void **state)
{
	struct peer *other = own() == &web[0] ? &web[1] : &web[0];
	int workers = 3;

	live();
	want(own(), "alice", true);
	expect_both("media flv on", "on");
	while (stream_name_hash("alice") % (unsigned)workers != (unsigned)other->c.worker)
		workers++;
	json_object_set_new(json_object_get(sv.conf, "webrtc"), "workers", json_integer(workers));
	want(own(), "alice", true);
	expect_both("", "");
	want(own(), "alice", false);
	expect_both("", "off");
	want(other, "alice", true);
	assert_string_equal(heard(&ingest), "on");
	want(own(), "alice", false);
	expect_both("", "");
	assert_true(feeds_has(&ingest.c));
}

#define WITH(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH(wanted_before_it_is_live), WITH(wanted_while_it_is_live), WITH(the_publisher_leaves_and_returns),
		WITH(the_worker_dies), WITH(what_ffmpegs_make), WITH(nobody_wants_more_than_his_own),
		WITH(it_moves_to_another_worker),
	};

	signal(SIGPIPE, SIG_IGN);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
