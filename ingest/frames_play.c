/*
 * frames_play.c - playback (contract in frames_play.h). Called by frames_session.c.
 *
 * ffmpeg is read no faster than the client is told, so it waits in its write and nothing piles up
 * here. A chunk is due when those before it have been played; what was late is not caught up
 * in a burst.
 */
#include "frames_play.h"

#include <errno.h>
#include <event2/buffer.h>
#include <nettle/base64.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "util.h"

#define BYTES_PER_MS 48		/* 24 kHz, 16 bit, mono */
#define RETRY_MS 10
#define LATE_MS 200
#define UNREAD_MAX 16384

static int64_t last_task;

static void
wait_ms(struct frames_play *p, int64_t ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	event_add(p->tick, &tv);
}

static void
close_all(struct frames_play *p)
{
	event_del(p->tick);
	lines_close(&p->err);
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	p->running = false;
}

static void
say_end(struct frames_play *p, const char *error)
{
	json_t *body = json_pack("{s:s, s:I}", "file", p->file, "samples", (json_int_t)p->sent / 2);

	if (error != NULL)
		json_object_set_new(body, "error", msg_text(error, strlen(error)));
	close_all(p);
	frames_proto_say(p->proto, "AUDIO_STREAM_END", body);
}

static void
say_chunk(struct frames_play *p)
{
	size_t len = p->have & ~(size_t)1;
	char *text = xmalloc(BASE64_ENCODE_RAW_LENGTH(len) + 1);

	base64_encode_raw(text, len, p->buf);
	text[BASE64_ENCODE_RAW_LENGTH(len)] = '\0';
	frames_proto_say(p->proto, "AUDIO_STREAM_PAYLOAD", json_pack("{s:s}", "audioChunk", text));
	free(text);
	p->sent += (int64_t)len;
	p->have = 0;
}

/* ffmpeg has said all it will; how it ended is known once the supervisor has told. */
static void
over(struct frames_play *p)
{
	if (p->have >= 2)
		say_chunk(p);
	p->have = 0;
	if (!p->exited)
		return;
	if (p->sent > 0 || !p->failed) {
		say_end(p, p->failed ? p->last : NULL);
		return;
	}
	close_all(p);
	frames_proto_error(p->proto, "file", "%s cannot be played: %.100s", p->file, p->last);
}

/* A whole chunk, or the end: 0; -1: ffmpeg has not got it yet. */
static int
fill(struct frames_play *p)
{
	ssize_t n = 1;

	while (p->have < p->chunk && !p->ended) {
		n = read(p->fd, p->buf + p->have, p->chunk - p->have);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return -1;
		p->ended = n <= 0;
		p->have += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static void
tick_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct frames_play *p = ctx;
	int64_t now = now_ms(), due = p->start_ms + p->sent / BYTES_PER_MS;

	if (evbuffer_get_length(p->out) > UNREAD_MAX || fill(p) < 0) {
		wait_ms(p, RETRY_MS);
		return;
	}
	if (p->sent == 0 || now - due > LATE_MS) {
		p->start_ms = now - p->sent / BYTES_PER_MS;
		due = now;
	}
	if (now < due) {
		wait_ms(p, due - now);
		return;
	}
	if (p->ended) {
		over(p);
		return;
	}
	say_chunk(p);
	due = p->start_ms + p->sent / BYTES_PER_MS;
	wait_ms(p, due > now ? due - now : 0);
}

static void
err_line(void *ctx, const char *line)
{
	struct frames_play *p = ctx;

	if (strstr(line, "[error]") != NULL || strstr(line, "[fatal]") != NULL)
		str_copy(p->last, line, sizeof(p->last));
	log_foreign(LOG_LEVEL_DEBUG, "ffmpeg playback", line, (int)strlen(line));
}

void
frames_play_start(struct frames_play *p, const char *input, int64_t samples, const char *file)
{
	frames_play_stop(p, "another playback was asked for");
	str_copy(p->file, file, sizeof(p->file));
	p->last[0] = '\0';
	p->running = true;
	p->ended = p->exited = p->failed = false;
	p->sent = 0;
	p->have = 0;
	p->task = ++last_task;
	svc_send(p->svc, MSG_SPAWN, 0, json_pack("{s:s, s:s, s:I, s:{s:s, s:I}}", "output", "job", "kind", "playback",
	    "task", (json_int_t)p->task, "params", "input", input, "samples", (json_int_t)samples));
}

void
frames_play_message(struct frames_play *p, struct msg *m)
{
	if (!p->running || msg_int_or(m, "task", 0) != p->task)
		return;
	if (m->type == MSG_SPAWNED) {
		lines_open(&p->err, p->svc->base, msg_take_fd(m, 0));
		p->fd = msg_take_fd(m, 1);
		wait_ms(p, 0);
		return;
	}
	p->exited = true;
	p->failed = msg_int_or(m, "code", -1) != 0;
	lines_drain(&p->err);
	if (p->last[0] == '\0')
		str_copy(p->last, msg_str_or(m, "reason", "ffmpeg failed"), sizeof(p->last));
	if (p->fd < 0)		/* it was never there */
		over(p);
	else if (p->ended)
		wait_ms(p, 0);
}

void
frames_play_stop(struct frames_play *p, const char *why)
{
	if (!p->running)
		return;
	svc_send(p->svc, MSG_OUTPUT_DOWN, 0, json_pack("{s:s, s:s, s:s}", "output", "job", "reason", why, "action",
	    "stop"));
	say_end(p, why);
}

void
frames_play_init(struct frames_play *p, struct svc *svc, struct frames_proto *proto, const struct evbuffer *out)
{
	memset(p, 0, sizeof(*p));
	p->svc = svc;
	p->proto = proto;
	p->out = out;
	p->fd = -1;
	p->err = (struct lines){ .fd = -1, .line = err_line, .ctx = p };
	p->chunk = (size_t)conf_int(svc->conf, "frames.playback_chunk") * BYTES_PER_MS;
	p->buf = xmalloc(p->chunk);
	p->tick = evtimer_new(svc->base, tick_cb, p);
}

void
frames_play_free(struct frames_play *p)
{
	close_all(p);
	event_free(p->tick);
	free(p->buf);
	p->buf = NULL;
}
