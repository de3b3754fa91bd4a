/*
 * push_child.c - one ffmpeg of a push (contract in push_child.h). Called by sink_push.c only.
 *
 * Its stdin's queue tells whether the target takes anything: ffmpeg reads no further while it
 * waits for its own socket. It reads in order, so fewer bytes unread than after the last write
 * mean that it moves, also while there are always some.
 * No line of its stderr is logged: they have the URL in them, and what the target says may, too.
 */
#include "push_child.h"

#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "log.h"
#include "util.h"

static void
err_line(void *ctx, const char *line)
{
	struct push_child *c = ctx;

	if (!push_words_line(&c->words, line) || c->accepted)
		return;
	c->accepted = true;
	log_info("push %s: the target has accepted the stream, %.1f s after the attempt began", c->id,
	    (double)(now_ms() - c->up_ms) / 1000);
}

void
push_child_init(struct push_child *c, const char *id)
{
	memset(c, 0, sizeof(*c));
	c->id = id;
	c->err = (struct lines){ .fd = -1, .line = err_line, .ctx = c };
	hls_feed_init(&c->feed);
	c->feed.every_key = true;
}

void
push_child_free(struct push_child *c)
{
	lines_close(&c->err);
	hls_feed_free(&c->feed);
}

bool
push_child_h264(const struct ring_gen *g)
{
	return !g->video || g->video_codec == FLV_FOURCC('a', 'v', 'c', '1');
}

/* RTMP as all servers know it has H.264 and AAC. */
static json_t *
params_for(const struct ring_gen *g)
{
	return json_pack("{s:b, s:b, s:b, s:b, s:b}", "matroska", ring_gen_enhanced(g), "video", g->video, "audio",
	    g->audio, "transcode_video", !push_child_h264(g), "transcode_audio",
	    g->audio && g->audio_codec != FLV_FOURCC('m', 'p', '4', 'a'));
}

void
push_child_ask(const struct push_child *c, struct svc *svc, const char *output, const struct ring_gen *g)
{
	svc_send(svc, MSG_SPAWN, 0, json_pack("{s:s, s:s, s:o, s:o}", "output", output, "kind", "push", "said",
	    msg_text(c->words.text, strlen(c->words.text)), "params", params_for(g)));
}

static bool
fits(const json_t *params, const struct push_begin *begin)
{
	json_t *want = begin != NULL ? params_for(begin->start->gen) : NULL;
	bool same = want != NULL && json_equal(want, params);

	json_decref(want);
	return same;
}

int
push_child_open(struct push_child *c, struct event_base *base, struct msg *m, const struct push_begin *begin,
    event_callback_fn writable, void *ctx)
{
	int in = msg_take_fd(m, 0), err = msg_take_fd(m, 1);

	if (!fits(json_object_get(m->body, "params"), begin)) {
		close(in);
		close(err);
		return -1;
	}
	c->up_ms = c->moved_ms = now_ms();
	c->unread = 0;
	push_words_clear(&c->words);
	hls_feed_open(&c->feed, base, in, begin->start, begin->need, begin->base_ms, writable, ctx);
	lines_open(&c->err, base, err);
	return 0;
}

static void
look(struct push_child *c, int64_t now, bool written)
{
	int unread = 0;

	if (c->feed.fd < 0 || ioctl(c->feed.fd, SIOCOUTQ, &unread) == -1)
		return;
	if (!written && (unread == 0 || unread < c->unread))
		c->moved_ms = now;
	c->unread = unread;
}

enum hls_feed_rc
push_child_feed(struct push_child *c, int64_t now)
{
	enum hls_feed_rc rc;

	look(c, now, false);
	rc = hls_feed_write(&c->feed, now);
	look(c, now, true);
	return rc;
}

int64_t
push_child_stuck_ms(struct push_child *c, int64_t now)
{
	look(c, now, false);
	return now - c->moved_ms;
}

void
push_child_close(struct push_child *c)
{
	lines_drain(&c->err);
	lines_close(&c->err);
	c->frames += c->feed.frames;
	c->bytes += c->feed.bytes;
	c->feed.frames = c->feed.bytes = 0;
	c->accepted = false;
	hls_feed_close(&c->feed);
	ring_gen_unref(&c->feed.gen);
}
