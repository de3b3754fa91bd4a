/*
 * streams*.c with real messages over socketpairs and a fake process table: claims, takeover,
 * reconnect, finish, leases, kick, stop. Nothing is spawned; a process "dies" when a test
 * says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "supervisor/ingress.h"
#include "supervisor/streams.h"
#include "util.h"

struct supervisor sv;

/* --- the fake table --- */

#define PROCESSES 16
static struct process { struct child c; int end; bool used, stopped, killed; } table[PROCESSES];
static char events[1024], told[256];
static int lease_rc;
static bool lease_granted, lease_pending;
static json_t *hashes;		/* that the registry has of every name */
static const char *verdict;	/* of authorize.hook */
static route_reply_cb lease_cb;
static void *lease_ctx;

static void
ignore_cb(struct msg_chan *chan, struct msg *m, void *ctx)
{
}

static struct process *
process_new(enum child_kind kind, const char *name)
{
	int i, pair[2];
	struct process *p;

	for (i = 0; table[i].used; i++)
		assert_true(i < PROCESSES - 1);
	p = &table[i];
	memset(p, 0, sizeof(*p));
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	p->used = true;
	p->end = pair[1];
	p->c.kind = kind;
	p->c.state = CHILD_READY;
	p->c.pid = 1000 + i + 100 * (pid_t)(now_ms() % 1000);
	p->c.page = calloc(1, sizeof(struct board_page));
	p->c.control = msg_chan_new(sv.base, pair[0], ignore_cb, NULL);
	str_copy(p->c.name, name, sizeof(p->c.name));
	return p;
}

static void
process_dies(struct process *p, int status)
{
	p->c.status = status;
	streams_child_gone(&p->c);
	msg_chan_free(&p->c.control);
	close(p->end);
	free(p->c.page);
	p->used = false;
}

struct child *
child_start(enum child_kind kind, const char *name)
{
	return &process_new(kind, name)->c;
}

void
child_stop(struct child *c, const char *reason)
{
	((struct process *)c)->stopped = true;
	c->state = CHILD_STOPPING;
	str_copy(told, reason, sizeof(told));
}

void
child_kill(struct child *c, const char *reason)
{
	((struct process *)c)->killed = true;
}

unsigned
child_count(enum child_kind kind)
{
	unsigned n = 0;
	int i;

	for (i = 0; i < PROCESSES; i++)
		n += table[i].used && table[i].c.kind == kind;
	return n;
}

const char *
child_kind_name(enum child_kind kind)
{
	return kind == KIND_INGEST ? "ingest" : "finish";
}

void
events_emit(json_t *body)
{
	if (json_object_get(body, "viewer") != NULL)
		assert_string_equal(json_string_value(json_object_get(body, "app")), "live");
	strcat(events, json_string_value(json_object_get(body, "event")));
	strcat(events, " ");
	json_decref(body);
}

void
output_report(struct child *owner, struct board_output *out, uint32_t *n, uint32_t max)
{
	*n = 0;
}

void
route_call(enum child_kind to, const char *verb, json_t *args, int deadline_ms, route_reply_cb cb,
    void *ctx)
{
	json_t *body = json_pack("{s:b, s:O, s:s}", "granted", lease_granted, "hashes", hashes, "verdict", verdict);

	json_decref(args);
	if (lease_pending && strcmp(verb, "lease") == 0) {
		lease_cb = cb;
		lease_ctx = ctx;
	} else
		cb(lease_rc, lease_rc == 0 ? body : NULL, ctx);
	json_decref(body);
}

void
feeds_live(struct child *ingest)
{
}

/* --- helpers --- */

/* At least so long, and however slow this machine is, with turns enough for what was due meanwhile. */
static void
run_ms(int ms)
{
	int64_t end = now_ms() + ms;
	int n = 0;

	do {
		event_base_loop(sv.base, EVLOOP_NONBLOCK);
		usleep(1000);
	} while (++n < ms / 2 || now_ms() < end);
}

/* The next message to p: its type, with "code" or "resume" in told; 0 if there is none. */
static int
heard(struct process *p)
{
	uint16_t type;
	uint32_t id;
	json_t *body;
	int tries = 10, rc;

	do {
		run_ms(2);
		rc = msg_read(p->end, 1, &type, &id, &body);
	} while (rc == -1 && --tries > 0);
	if (rc == -1)
		return 0;
	told[0] = '\0';
	if (type == MSG_REFUSE)
		str_copy(told, json_string_value(json_object_get(body, "code")), sizeof(told));
	else if (type == MSG_GRANT)
		str_copy(told, json_is_true(json_object_get(body, "resume")) ? "resume" : "new",
		    sizeof(told));
	json_decref(body);
	return type;
}

static void
message(struct process *p, void (*to)(struct child *, struct msg *), json_t *body)
{
	struct msg m = { .type = MSG_CLAIM, .id = 7, .body = body };

	to(&p->c, &m);
	json_decref(body);
}

static struct process *
claim(const char *name, const char *peer, const char *query)
{
	struct process *p = process_new(KIND_INGEST, "");

	message(p, streams_claim, json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", name, "app", "live",
	    "peer", peer, "protocol", "rtmp", "query", query));
	return p;
}

static void
goes_live(struct process *p)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/hls/%s/state", json_string_value(json_object_get(sv.conf,
	    "data_dir")), p->c.stream->name);
	assert_int_equal(file_replace(path, "{}", 2), 0);
	message(p, streams_event, json_pack("{s:s, s:s}", "event", "stream_live", "name", "x"));
}

static struct process *
finish_of(const char *name)
{
	int i;

	for (i = 0; i < PROCESSES; i++)
		if (table[i].used && table[i].c.kind == KIND_FINISH && strcmp(table[i].c.name, name) == 0)
			return &table[i];
	return NULL;
}

/* After reconnect_delay, however late this process runs. */
static struct process *
finish_soon(const char *name)
{
	int64_t end = now_ms() + 10000;

	do
		run_ms(10);
	while (finish_of(name) == NULL && now_ms() < end);
	assert_non_null(finish_of(name));
	return finish_of(name);
}

static void
media_now(struct process *p)
{
	p->c.page->media.last_media_ms = now_ms();
}

/* --- setup: short times --- */

static int
setup(void **state)
{
	char dir[] = "/tmp/millrace-streams-XXXXXX", path[300];

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/hls", dir);
	assert_int_equal(mkdir(path, 0750), 0);
	snprintf(path, sizeof(path), "%s/board", dir);
	sv.base = event_base_new();
	sv.board = board_create(path);
	assert_non_null(sv.board);
	hashes = json_array();
	verdict = "allow";
	sv.conf = json_pack("{s:s, s:{s:s, s:s, s:i}, s:{s:{}, s:s, s:s, s:i, s:s}, s:{s:i, s:i, s:s, s:i}, s:{s:i, s:i}}",
	    "data_dir", dir, "redis", "url", "embedded", "when_down", "allow", "claim_wait", 50,
	    "authorize", "keys", "secret", "", "hook", "", "hook_timeout", 50, "hook_fail", "deny",
	    "streams", "reconnect_delay", 60, "silence", 100,
	    "duplicate", "reject", "max", 4, "limits", "pushes", 8, "ingress_keys", 9);
	assert_non_null(sv.conf);
	sv.stopping = false;
	events[0] = '\0';
	lease_rc = 0;
	lease_granted = true;
	lease_pending = false;
	return 0;
}

static int
teardown(void **state)
{
	char command[200];
	int i;

	sv.stopping = true;
	for (i = 0; i < PROCESSES; i++)
		if (table[i].used && table[i].c.kind == KIND_INGEST)
			process_dies(&table[i], 0);
	for (i = 0; i < PROCESSES; i++)
		if (table[i].used)
			process_dies(&table[i], 0);
	streams_stop_all();
	for (i = 0; i < PROCESSES; i++)
		if (table[i].used)
			process_dies(&table[i], 0);
	assert_true(streams_all_ended());
	snprintf(command, sizeof(command), "rm -rf '%s'",
	    json_string_value(json_object_get(sv.conf, "data_dir")));
	assert_int_equal(system(command), 0);
	json_decref(sv.conf);
	json_decref(hashes);
	board_close(&sv.board);
	event_base_free(sv.base);
	return 0;
}

static void
set(const char *section, const char *key, json_t *value)
{
	json_object_set_new(json_object_get(sv.conf, section), key, value);
}

/* --- tests --- */

static void
test_life(void **state)
{
	struct process *p = claim("alice", "1.2.3.4:5", "");
	struct board_stream b;

	assert_int_equal(heard(p), MSG_GRANT);
	assert_string_equal(told, "new");
	goes_live(p);
	streams_report();
	assert_int_equal(board_read_stream(sv.board, stream_find("alice")->slot, &b), 0);
	assert_int_equal(b.state, BOARD_STREAM_LIVE);
	assert_string_equal(b.name, "alice");
	process_dies(p, 0);
	assert_int_equal(stream_find("alice")->state, BOARD_STREAM_RECONNECTING);
	process_dies(finish_soon("alice"), 0);
	assert_null(stream_find("alice"));
	assert_string_equal(events, "stream_started stream_interrupted stream_ended ");
}

static void
watches(struct process *worker, const char *event, const char *name, const char *viewer)
{
	struct msg m = { .type = MSG_EVENT, .body = json_pack("{s:s, s:[{s:s, s:s, s:s, s:s}]}", "event", event, "list",
	    "name", name, "viewer", viewer, "peer", "1.2.3.4", "protocol", "hls") };

	assert_true(hook_event(&worker->c, &m));
	json_decref(m.body);
}

/* Between publish and ended alone, in pairs, each viewer once. */
static void
test_viewers_told(void **state)
{
	struct process *one = process_new(KIND_HTTP, ""), *two = process_new(KIND_HTTP, ""), *p;

	json_object_set_new(sv.conf, "hooks", json_pack("{s:[{s:[s, s]}], s:i}", "urls", "events", "play", "stop",
	    "max_viewers", 100));
	watches(one, "play", "alice", "waits");
	watches(one, "play", "nobodys", "a");
	watches(one, "stop", "nobodys", "a");
	watches(one, "stop", "nobodys", "never came");
	assert_string_equal(events, "");
	p = claim("alice", "1.2.3.4:5", "");
	assert_int_equal(heard(p), MSG_GRANT);
	watches(two, "play", "alice", "waits");
	goes_live(p);
	assert_string_equal(events, "stream_started play ");
	watches(two, "play", "alice", "b");
	watches(one, "stop", "alice", "waits");		/* two has him still */
	assert_string_equal(events, "stream_started play play ");
	watches(two, "stop", "alice", "waits");
	assert_string_equal(events, "stream_started play play stop ");
	events[0] = '\0';
	message(p, streams_event, json_pack("{s:s}", "event", "publisher_gone"));
	watches(one, "play", "alice", "asks at the end");
	process_dies(p, 0);
	assert_string_equal(events, "stream_interrupted ");
	process_dies(finish_soon("alice"), 0);
	assert_string_equal(events, "stream_interrupted stop stream_ended ");
	watches(one, "stop", "alice", "asks at the end");
	watches(two, "stop", "alice", "b");
	assert_string_equal(events, "stream_interrupted stop stream_ended ");
}

static void
test_viewers_of_a_worker_that_died(void **state)
{
	struct process *one = process_new(KIND_HTTP, ""), *p = claim("alice", "1.2.3.4:5", "");

	json_object_set_new(sv.conf, "hooks", json_pack("{s:[{s:[s]}], s:i}", "urls", "events", "stop", "max_viewers", 100));
	assert_int_equal(heard(p), MSG_GRANT);
	goes_live(p);
	watches(one, "play", "alice", "a");
	streams_forget_viewers(&one->c);
	assert_string_equal(events, "stream_started stop ");
}

/* Stopped when the end of its playlist was written: the next start only removes its files. */
static void
test_ended_is_told_once(void **state)
{
	struct process *p = claim("alice", "1.2.3.4:5", "");

	assert_int_equal(heard(p), MSG_GRANT);
	goes_live(p);
	sv.stopping = true;
	process_dies(p, 0);
	assert_non_null(finish_of("alice"));
	process_dies(finish_of("alice"), 0);
	assert_string_equal(events, "stream_started stream_interrupted stream_ended ");
	assert_true(streams_all_ended());
	sv.stopping = false;
	streams_start();
	process_dies(finish_soon("alice"), 0);
	assert_true(streams_all_ended());
	assert_null(strstr(strstr(events, "stream_ended") + 1, "stream_ended"));
}

static void
test_reconnect(void **state)
{
	struct process *p = claim("alice", "1.2.3.4:5", ""), *again;

	assert_int_equal(heard(p), MSG_GRANT);
	goes_live(p);
	process_dies(p, 9);
	again = claim("alice", "4.3.2.1:6", "");
	assert_int_equal(heard(again), MSG_GRANT);
	assert_string_equal(told, "resume");
	run_ms(90);
	assert_null(finish_of("alice"));
	assert_int_equal(stream_find("alice")->reconnects, 1);
}

static void
test_never_live_leaves_nothing(void **state)
{
	struct process *p = claim("alice", "1.2.3.4:5", "");

	assert_int_equal(heard(p), MSG_GRANT);
	process_dies(p, 0);
	assert_null(stream_find("alice"));
	assert_string_equal(events, "");
}

static void
test_duplicate_of_a_live_one(void **state)
{
	struct process *p = claim("alice", "1.2.3.4:5", ""), *second;
	int i;

	assert_int_equal(heard(p), MSG_GRANT);
	second = claim("alice", "1.2.3.4:6", "");
	assert_int_equal(heard(second), 0);
	for (i = 0; i < 8; i++) {
		media_now(p);
		run_ms(60);
	}
	assert_int_equal(heard(second), MSG_REFUSE);
	assert_string_equal(told, "duplicate");
	assert_int_equal(heard(p), 0);
	process_dies(second, 0);
	assert_ptr_equal(stream_find("alice")->ingest, &p->c);
}

static void
test_silent_holder_is_replaced(void **state)
{
	struct process *p = claim("alice", "1.2.3.4:5", ""), *second, *third;

	assert_int_equal(heard(p), MSG_GRANT);
	goes_live(p);
	media_now(p);
	run_ms(1120);
	second = claim("alice", "1.2.3.4:6", "");
	assert_int_equal(heard(p), MSG_YIELD);
	assert_int_equal(heard(second), 0);
	third = claim("alice", "1.2.3.4:7", "");
	assert_int_equal(heard(third), MSG_REFUSE);
	process_dies(p, 0);
	assert_int_equal(heard(second), MSG_GRANT);
	assert_string_equal(told, "resume");
	/* The old one's end is long over for the new one. */
	assert_ptr_equal(stream_find("alice")->ingest, &second->c);
	assert_int_equal(stream_find("alice")->state, BOARD_STREAM_STARTING);
}

static void
test_silent_but_somebody_else(void **state)
{
	struct process *p = claim("alice", "1.2.3.4:5", ""), *second;

	assert_int_equal(heard(p), MSG_GRANT);
	run_ms(1120);
	second = claim("alice", "9.9.9.9:6", "");
	assert_int_equal(heard(second), MSG_REFUSE);
	assert_string_equal(told, "duplicate");
}

static void
test_same_key_from_anywhere(void **state)
{
	struct process *p, *second;

	set("authorize", "keys", json_pack("{s:s}", "alice",
	    "sha256:ab:f24cb35f24e9b7ac2c26c7ce7d2f7b0bd9a9cb8ffe3d5bd4e4bd49f8ad1bb4a2"));
	p = claim("alice", "1.2.3.4:5", "key=wrong");
	assert_int_equal(heard(p), MSG_REFUSE);
	assert_string_equal(told, "key");
	set("authorize", "keys", json_object());
	p = claim("alice", "1.2.3.4:5", "key=k1");
	assert_int_equal(heard(p), MSG_GRANT);
	run_ms(1120);
	second = claim("alice", "9.9.9.9:5", "key=k2");
	assert_int_equal(heard(second), MSG_REFUSE);
	second = claim("alice", "9.9.9.9:5", "key=k1");
	assert_int_equal(heard(p), MSG_YIELD);
	process_dies(p, 0);
	assert_int_equal(heard(second), MSG_GRANT);
}

static void
test_heir_dies_first(void **state)
{
	struct process *p = claim("alice", "1.2.3.4:5", ""), *second;

	assert_int_equal(heard(p), MSG_GRANT);
	goes_live(p);
	run_ms(1120);
	second = claim("alice", "1.2.3.4:6", "");
	assert_int_equal(heard(p), MSG_YIELD);
	process_dies(second, 0);
	process_dies(p, 0);
	assert_int_equal(stream_find("alice")->state, BOARD_STREAM_RECONNECTING);
	assert_int_equal(heard(claim("alice", "1.2.3.4:7", "")), MSG_GRANT);
}

static void
test_takeover_setting(void **state)
{
	struct process *p = claim("alice", "1.2.3.4:5", "");

	set("streams", "duplicate", json_string("takeover"));
	assert_int_equal(heard(p), MSG_GRANT);
	media_now(p);
	claim("alice", "9.9.9.9:6", "");
	assert_int_equal(heard(p), MSG_YIELD);
}

static void
test_back_while_finishing(void **state)
{
	struct process *p = claim("alice", "1.2.3.4:5", ""), *finish;

	assert_int_equal(heard(p), MSG_GRANT);
	goes_live(p);
	process_dies(p, 0);
	run_ms(90);
	finish = finish_of("alice");
	p = claim("alice", "1.2.3.4:5", "");
	assert_int_equal(heard(finish), MSG_YIELD);
	assert_int_equal(heard(p), 0);
	process_dies(finish, 0);
	assert_int_equal(heard(p), MSG_GRANT);
	assert_string_equal(told, "new");
	assert_non_null(strstr(events, "stream_ended"));
}

static void
test_finish_fails_and_is_tried_again(void **state)
{
	struct process *p = claim("alice", "1.2.3.4:5", "");

	assert_int_equal(heard(p), MSG_GRANT);
	goes_live(p);
	process_dies(p, 0);
	run_ms(90);
	process_dies(finish_of("alice"), W_EXITCODE(1, 0));
	assert_null(finish_of("alice"));
	run_ms(700);	/* the first delay of backoff.c, +20 % */
	assert_non_null(finish_of("alice"));
}

static void
test_limits_and_names(void **state)
{
	const char *const names[] = { "a", "b", "c", "d" };
	size_t i;

	for (i = 0; i < 4; i++)
		assert_int_equal(heard(claim(names[i], "1.2.3.4:5", "")), MSG_GRANT);
	assert_int_equal(heard(claim("e", "1.2.3.4:5", "")), MSG_REFUSE);
	assert_string_equal(told, "busy");
	assert_int_equal(heard(claim("../x", "1.2.3.4:5", "")), MSG_REFUSE);
	sv.stopping = true;
	assert_int_equal(heard(claim("f", "1.2.3.4:5", "")), MSG_REFUSE);
	assert_string_equal(told, "stopping");
}

static void
test_one_claim_each(void **state)
{
	struct process *p = claim("alice", "1.2.3.4:5", "");

	assert_int_equal(heard(p), MSG_GRANT);
	message(p, streams_claim, json_pack("{s:s, s:s}", "name", "bob", "query", ""));
	assert_int_equal(heard(p), MSG_REFUSE);
	assert_null(stream_find("bob"));
}

static void
test_shared_redis(void **state)
{
	struct process *p, *second;

	set("redis", "url", json_string("redis://r"));
	lease_granted = false;
	assert_int_equal(heard(claim("alice", "1.2.3.4:5", "")), MSG_REFUSE);
	assert_string_equal(told, "elsewhere");
	lease_rc = ETIMEDOUT;
	assert_int_equal(heard(claim("bob", "1.2.3.4:5", "")), MSG_GRANT);
	set("redis", "when_down", json_string("refuse"));
	assert_int_equal(heard(claim("carl", "1.2.3.4:5", "")), MSG_REFUSE);
	assert_string_equal(told, "redis");
	/* Two wait for the same lease: the second must not push the first out. */
	lease_rc = 0;
	lease_pending = true;
	p = claim("dora", "1.2.3.4:5", "");
	route_reply_cb first_cb = lease_cb;
	void *first_ctx = lease_ctx;
	second = claim("dora", "1.2.3.4:6", "");
	json_t *yes = json_pack("{s:b}", "granted", 1);
	first_cb(0, yes, first_ctx);
	lease_cb(0, yes, lease_ctx);
	json_decref(yes);
	assert_int_equal(heard(p), MSG_GRANT);
	assert_int_equal(heard(p), 0);
	assert_int_equal(heard(second), 0);
	assert_ptr_equal(stream_find("dora")->ingest, &p->c);
}

/* A key that another host made a moment ago; what this host knows of it when Redis is away. */
static void
test_ingress_keys(void **state)
{
	set("redis", "url", json_string("redis://r"));
	ingress_start();
	json_array_append_new(hashes,
	    json_string("sha256:ab:f24cb35f24e9b7ac2c26c7ce7d2f7b0bd9a9cb8ffe3d5bd4e4bd49f8ad1bb4a2"));
	assert_int_equal(heard(claim("alice", "1.2.3.4:5", "")), MSG_REFUSE);
	assert_string_equal(told, "key");
	assert_int_equal(heard(claim("alice", "1.2.3.4:5", "key=wrong")), MSG_REFUSE);
	lease_rc = EHOSTDOWN;
	assert_int_equal(heard(claim("alice", "1.2.3.4:5", "")), MSG_REFUSE);
	assert_string_equal(told, "key");
	assert_int_equal(heard(claim("bob", "1.2.3.4:5", "")), MSG_GRANT);
	lease_rc = 0;
	json_array_clear(hashes);
	assert_int_equal(heard(claim("alice", "1.2.3.4:5", "")), MSG_GRANT);
	ingress_stop();
}

static void
test_own_ingress_key(void **state)
{
	json_t *args = json_pack("{s:s}", "name", "alice"), *first = NULL, *again = NULL;
	char query[100];

	ingress_start();
	assert_int_equal(ingress_call("ingress", args, &first), 0);
	assert_int_equal(ingress_call("ingress", args, &again), 0);
	assert_true(json_equal(first, again));
	ingress_stop();
	ingress_start();	/* of the file */
	json_decref(again);
	assert_int_equal(ingress_call("ingress", args, &again), 0);
	assert_true(json_equal(first, again));
	assert_int_equal(heard(claim("alice", "1.2.3.4:5", "")), MSG_REFUSE);
	assert_int_equal(heard(claim("alice", "1.2.3.4:5", "key=0123")), MSG_REFUSE);
	snprintf(query, sizeof(query), "key=%s", json_string_value(json_object_get(first, "key")));
	assert_int_equal(heard(claim("bob", "1.2.3.4:5", "")), MSG_GRANT);
	assert_int_equal(heard(claim("alice", "1.2.3.4:5", query)), MSG_GRANT);
	assert_int_equal(ingress_call("ingress_remove", args, &again), 0);
	assert_null(ingress_hashes("alice"));
	json_decref(again);
	assert_int_equal(ingress_call("ingress", args, &again), 0);
	assert_string_not_equal(json_string_value(json_object_get(first, "key")), json_string_value(json_object_get(again, "key")));
	assert_int_equal(heard(claim("alice", "1.2.3.4:5", query)), MSG_REFUSE);	/* what was removed lets nobody in */
	json_object_set_new(args, "hashes", json_array());
	json_decref(first);
	assert_int_equal(ingress_call("ingress", args, &first), 0);
	assert_true(json_equal(first, again));
	json_decref(first);
	set("redis", "url", json_string("redis://r"));	/* another host has removed it */
	assert_int_equal(ingress_call("ingress", args, &first), 0);
	assert_string_not_equal(json_string_value(json_object_get(first, "key")), json_string_value(json_object_get(again, "key")));
	json_object_set_new(args, "name", json_string("../x"));
	json_decref(again);
	assert_int_equal(ingress_call("ingress", args, &again), EINVAL);
	json_decref(args);
	json_decref(first);
	json_decref(again);
	ingress_stop();
}

/* A directory where ingress.json is prepared: that stops root, too. */
static void
unwritable(bool on)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/ingress.json.tmp", conf_str(sv.conf, "data_dir"));
	assert_int_equal(on ? mkdir(path, 0700) : rmdir(path), 0);
}

/* What a restart would forget is not given away, and what it would remember is not taken back. */
static void
test_ingress_unwritten(void **state)
{
	json_t *args = json_pack("{s:s}", "name", "alice"), *body = NULL;

	ingress_start();
	unwritable(true);
	assert_int_equal(ingress_call("ingress", args, &body), EIO);
	assert_null(json_object_get(body, "key"));
	assert_null(ingress_hashes("alice"));
	unwritable(false);
	json_decref(body);
	assert_int_equal(ingress_call("ingress", args, &body), 0);
	unwritable(true);
	json_decref(body);
	assert_int_equal(ingress_call("ingress_remove", args, &body), EIO);
	assert_int_equal(heard(claim("alice", "1.2.3.4:5", "")), MSG_REFUSE);
	unwritable(false);
	ingress_stop();
	ingress_start();	/* of the file */
	assert_int_equal(heard(claim("alice", "1.2.3.4:5", "")), MSG_REFUSE);
	assert_int_equal(ingress_call("ingress_remove", args, NULL), 0);
	assert_int_equal(heard(claim("alice", "1.2.3.4:5", "")), MSG_GRANT);
	json_decref(args);
	json_decref(body);
	ingress_stop();
}

/* Only its own word lets anybody in; without one authorize.hook_fail says. */
static void
test_authorize_hook(void **state)
{
	set("authorize", "hook", json_string("http://127.0.0.1/"));
	verdict = "deny";
	assert_int_equal(heard(claim("alice", "1.2.3.4:5", "")), MSG_REFUSE);
	assert_string_equal(told, "key");
	verdict = "none";
	assert_int_equal(heard(claim("alice", "1.2.3.4:5", "")), MSG_REFUSE);
	assert_string_equal(told, "busy");
	lease_rc = ETIMEDOUT;
	assert_int_equal(heard(claim("alice", "1.2.3.4:5", "")), MSG_REFUSE);
	set("authorize", "hook_fail", json_string("allow"));
	verdict = "deny";
	lease_rc = EBUSY;	/* too many ask */
	assert_int_equal(heard(claim("alice", "1.2.3.4:5", "")), MSG_REFUSE);
	assert_string_equal(told, "busy");
	lease_rc = 0;
	assert_int_equal(heard(claim("alice", "1.2.3.4:5", "")), MSG_REFUSE);
	verdict = "none";
	assert_int_equal(heard(claim("alice", "1.2.3.4:5", "")), MSG_GRANT);
	verdict = "allow";
	set("authorize", "hook_fail", json_string("deny"));
	assert_int_equal(heard(claim("bob", "1.2.3.4:5", "")), MSG_GRANT);
}

static void
test_lease_after_death(void **state)
{
	struct process *p;
	json_t *yes = json_pack("{s:b}", "granted", 1);

	set("redis", "url", json_string("redis://r"));
	lease_pending = true;
	p = claim("alice", "1.2.3.4:5", "");
	process_dies(p, 0);
	lease_cb(0, yes, lease_ctx);
	assert_null(stream_find("alice"));
	json_decref(yes);
}

/* An http worker saw the players first to last. */
static void
say_viewers(struct process *p, uint64_t first, uint64_t last)
{
	struct sketch s = { { 0 } };
	char text[SKETCH_TEXT];

	for (uint64_t i = first; i <= last; i++)
		sketch_add(&s, i);
	sketch_write(&s, text);
	message(p, streams_event, json_pack("{s:s, s:s, s:i, s:s}", "event", "viewers", "name", "alice",
	    "n", (int)(last - first + 1), "sketch", text));
}

static uint32_t
viewers_shown(void)
{
	struct board_stream b;

	streams_report();
	assert_int_equal(board_read_stream(sv.board, stream_find("alice")->slot, &b), 0);
	return b.viewers;
}

static void
test_viewers(void **state)
{
	struct process *p = claim("alice", "1.2.3.4:5", ""), *http[2] = { process_new(KIND_HTTP, ""),
	    process_new(KIND_HTTP, "") };

	assert_int_equal(heard(p), MSG_GRANT);
	say_viewers(http[0], 1, 3);		/* players 1 to 3 */
	say_viewers(http[1], 2, 6);
	assert_int_equal(viewers_shown(), 6);
	say_viewers(p, 100, 200);		/* an ingest is not asked */
	message(http[0], streams_event, json_pack("{s:s, s:s, s:i}", "event", "viewers", "name", "alice", "n", 9));
	message(http[0], streams_event, json_pack("{s:s, s:s, s:i, s:s}", "event", "viewers", "name", "alice",
	    "n", 9, "sketch", "AAAA"));
	assert_int_equal(viewers_shown(), 6);
	say_viewers(http[1], 1, 3);		/* the same three in both */
	assert_int_equal(viewers_shown(), 3);
	say_viewers(http[1], 4, 5);
	assert_int_equal(viewers_shown(), 5);
	streams_forget_viewers(&http[0]->c);
	assert_int_equal(viewers_shown(), 2);
	message(http[1], streams_event, json_pack("{s:s, s:s, s:i}", "event", "viewers", "name", "alice", "n", 0));
	assert_int_equal(viewers_shown(), 0);
}

static void
test_kick_and_stop(void **state)
{
	struct process *p = claim("alice", "1.2.3.4:5", ""), *q = claim("bob", "1.2.3.4:5", "");

	assert_int_equal(streams_kick("nobody"), -1);
	assert_int_equal(streams_kick("alice"), 0);
	assert_true(p->stopped);
	assert_string_equal(told, "kicked");
	assert_int_equal(heard(q), MSG_GRANT);
	goes_live(q);
	process_dies(q, 0);
	sv.stopping = true;
	streams_stop_all();
	assert_non_null(finish_of("bob"));	/* at once, without the delay */
	assert_false(streams_all_ended());
}

static void
test_found_at_start(void **state)
{
	struct process *p = claim("alice", "1.2.3.4:5", "");
	const char *dir = json_string_value(json_object_get(sv.conf, "data_dir"));
	char path[300];

	process_dies(p, 0);
	snprintf(path, sizeof(path), "%s/hls/zoe", dir);
	assert_int_equal(mkdir(path, 0750), 0);
	strcat(path, "/state");
	assert_int_equal(file_replace(path, "{}", 2), 0);
	streams_start();
	assert_int_equal(stream_find("zoe")->state, BOARD_STREAM_RECONNECTING);
	assert_int_equal(stream_count(), 1);
	assert_int_equal(heard(claim("zoe", "1.2.3.4:5", "")), MSG_GRANT);
	assert_string_equal(told, "resume");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_life), T(test_viewers_told), T(test_viewers_of_a_worker_that_died),
		T(test_ended_is_told_once), T(test_reconnect), T(test_never_live_leaves_nothing),
		T(test_duplicate_of_a_live_one), T(test_silent_holder_is_replaced),
		T(test_silent_but_somebody_else), T(test_same_key_from_anywhere),
		T(test_heir_dies_first), T(test_takeover_setting), T(test_back_while_finishing),
		T(test_finish_fails_and_is_tried_again), T(test_limits_and_names),
		T(test_one_claim_each), T(test_shared_redis), T(test_ingress_keys), T(test_own_ingress_key), T(test_ingress_unwritten),
		T(test_authorize_hook), T(test_lease_after_death),
		T(test_viewers), T(test_kick_and_stop), T(test_found_at_start),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
