/*
 * ws_intake_child.c - the ffmpeg that reads a publisher's container: asked for, fed, read, and
 * what follows when it ends. Its stdin is written whenever it takes something, its FLV is read on
 * the session's tick. Called by ws_intake.c; the process itself is the supervisor's.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "util.h"
#include "ws_intake_parts.h"

#define READ_BYTES (64 * 1024)
#define READ_PER_TICK (8 << 20)
#define WORDS 5			/* of ffmpeg's in the log, in */
#define WORDS_MS 10000		/* this time: a stranger's bytes make it speak */

static void
err_line(void *ctx, const char *line)
{
	struct ws_intake *i = ctx;
	int64_t now = now_ms();

	str_copy(i->last_words, line, sizeof(i->last_words));
	if (now - i->words_ms > WORDS_MS) {
		i->words_ms = now;
		i->words = 0;
	}
	/* what is torn at the end was cut off there */
	log_foreign(i->state == INTAKE_CLOSING || ++i->words > WORDS ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN,
	    "ffmpeg " INTAKE_OUTPUT, line, (int)strlen(line));
}

static bool
has_next(const struct ws_intake *i)
{
	return evbuffer_get_length(i->next) > 0;
}

static void
close_stdin(struct ws_intake *i)
{
	if (i->wr != NULL)
		event_free(i->wr);
	i->wr = NULL;
	if (i->in_fd >= 0)
		close(i->in_fd);
	i->in_fd = -1;
}

void
ws_intake_close(struct ws_intake *i)
{
	close_stdin(i);
	if (i->out_fd >= 0)
		close(i->out_fd);
	i->out_fd = -1;
	lines_close(&i->err);
}

static void
say_room(struct ws_intake *i)
{
	if (!i->full || ws_intake_queued(i) > i->limit / 2)
		return;
	i->full = false;
	i->ops->room(i->ctx);
}

void
ws_intake_write(struct ws_intake *i)
{
	ssize_t n;

	if (i->state != INTAKE_UP || i->in_fd < 0)
		return;
	while ((n = intake_queue_write(&i->queue, i->in_fd)) > 0)
		i->moved_ms = now_ms();
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return;			/* it is dead: EXITED tells */
	if (intake_queue_bytes(&i->queue) > 0)
		event_add(i->wr, NULL);
	else if (i->ending || has_next(i)) {
		close_stdin(i);
		i->state = INTAKE_CLOSING;
		i->moved_ms = now_ms();
	}
	say_room(i);
}

static void
writable_cb(evutil_socket_t fd, short what, void *ctx)
{
	ws_intake_write(ctx);
}

void
ws_intake_ask(struct ws_intake *i)
{
	i->copy_video = i->container.h264 && !i->copy_failed;
	i->copy_audio = i->container.aac && !i->copy_failed;
	i->state = INTAKE_ASKED;
	svc_send(i->svc, MSG_SPAWN, 0, json_pack("{s:s, s:s, s:{s:s, s:b, s:b}}", "output", INTAKE_OUTPUT, "kind",
	    "intake", "params", "container", container_name(i->container.kind), "copy_video", i->copy_video,
	    "copy_audio", i->copy_audio));
}

static void
on_spawned(struct ws_intake *i, struct msg *m)
{
	int in = msg_take_fd(m, 0), err = msg_take_fd(m, 1), out = msg_take_fd(m, 2);

	if (out < 0 || i->state != INTAKE_ASKED) {
		close(in);
		close(err);
		close(out);
		return;
	}
	i->in_fd = in;
	i->out_fd = out;
	i->err = (struct lines){ .fd = -1, .line = err_line, .ctx = i };
	lines_open(&i->err, i->svc->base, err);
	i->wr = event_new(i->svc->base, in, EV_WRITE, writable_cb, i);
	i->state = INTAKE_UP;
	i->heard = false;
	i->want_key = true;
	ws_intake_give_held(i);	/* it was whole: its ffmpeg had seen the next */
	i->last_words[0] = '\0';
	i->moved_ms = now_ms();
	flv_read_reset(&i->flv);
	ws_intake_write(i);
}

static void
begin_file(struct ws_intake *i)
{
	intake_queue_reset(&i->queue);
	i->copy_failed = false;
	i->state = INTAKE_SNIFF;
}

/* A new file follows the one that is through. */
static void
next_file(struct ws_intake *i)
{
	struct evbuffer *next = i->next;

	i->next = evbuffer_new();
	begin_file(i);
	ws_intake_drop_held(i);
	ws_intake_feed(i, evbuffer_pullup(next, -1), evbuffer_get_length(next), true);
	evbuffer_free(next);
	say_room(i);
	if (i->ending && ws_intake_end(i))
		ws_intake_over(i);
}

void
ws_intake_over(struct ws_intake *i)
{
	ws_intake_close(i);
	ws_intake_drop_held(i);
	i->state = INTAKE_OVER;
	if (i->ending)
		i->ops->drained(i->ctx);
}

/* It can't go on in this file. */
static void
ask_sender(struct ws_intake *i)
{
	begin_file(i);
	i->state = INTAKE_DEAF;
	say_room(i);
	if (i->ops->restart(i->ctx, i->why) < 0)
		i->state = INTAKE_OVER;
}

static void
go_on(struct ws_intake *i)
{
	log_warnx("%s; another one goes on%s", i->why, i->copy_failed ? ", and copies nothing" : "");
	intake_queue_rewind(&i->queue);
	ws_intake_ask(i);
	say_room(i);
}

static void
died(struct ws_intake *i, const char *reason, bool given_up)
{
	snprintf(i->why, sizeof(i->why), "its ffmpeg ended (%.100s)%s%s", reason, i->last_words[0] != '\0' ? ": " : "",
	    i->last_words);
	/* a Cluster need not begin with a key frame, and browsers send SPS and PPS with those alone */
	i->copy_failed |= (i->copy_video || i->copy_audio) && (!i->heard || i->container.kind == CONTAINER_MATROSKA);
	if (given_up)
		ws_intake_over(i);
	else if (container_can_restart(&i->container) && (!i->ending || intake_queue_bytes(&i->queue) > 0))
		go_on(i);
	else if (has_next(i))
		next_file(i);
	else if (i->ending)
		ws_intake_over(i);
	else
		ask_sender(i);
}

/* Its end closes out_fd. NULL, or why what it says can't be read. */
const char *
ws_intake_read(struct ws_intake *i)
{
	static uint8_t buf[READ_BYTES];
	ssize_t n;

	for (size_t got = 0; i->out_fd >= 0 && got < READ_PER_TICK; got += (size_t)n) {
		n = recv(i->out_fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n < 0)
			break;
		if (n == 0) {
			close(i->out_fd);
			i->out_fd = -1;
			break;
		}
		i->heard = true;
		i->moved_ms = now_ms();
		if (flv_read_feed(&i->flv, buf, (size_t)n) < 0)
			return i->flv.error;
	}
	return NULL;
}

static void
on_exited(struct ws_intake *i, struct msg *m)
{
	bool closing = i->state == INTAKE_CLOSING;

	if (!closing && i->state != INTAKE_UP && i->state != INTAKE_ASKED)
		return;
	ws_intake_read(i);
	if (i->err.fd >= 0)
		lines_drain(&i->err);
	ws_intake_close(i);
	if (closing && has_next(i))
		next_file(i);
	else if (closing)
		ws_intake_over(i);
	else
		died(i, msg_str_or(m, "reason", "unknown"), msg_int_or(m, "retry_ms", 0) < 0);
}

void
ws_intake_message(struct ws_intake *i, struct msg *m)
{
	if (m->type == MSG_SPAWNED)
		on_spawned(i, m);
	else
		on_exited(i, m);
}

/* Taking its time is its right; taking nothing and giving nothing is not. */
void
ws_intake_stuck(struct ws_intake *i, int64_t now)
{
	bool busy = (i->state == INTAKE_UP && intake_queue_bytes(&i->queue) > 0) || i->state == INTAKE_CLOSING;

	if (!busy || now - i->moved_ms <= conf_int(i->svc->conf, "ws.stuck"))
		return;
	i->moved_ms = now;
	svc_send(i->svc, MSG_OUTPUT_DOWN, 0, json_pack("{s:s, s:s, s:s}", "output", INTAKE_OUTPUT, "reason",
	    "it took no input for ws.stuck", "action", "restart"));
}
