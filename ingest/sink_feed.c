/*
 * sink_feed.c - a FEED to a webrtc worker as a sink (contract in sink_feed.h).
 *
 * It begins at the newest key frame and is one FLV stream as long as the worker wants it: new
 * headers come in between, times are the ring's. A worker that does not keep up loses what lies
 * before the next key frame; one that has closed its end is not fed any more until the
 * supervisor brings another socket. Called by browsers.c.
 */
#include "sink_feed.h"

#include <stdlib.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "ring_cursor.h"
#include "util.h"

struct feed {
	struct sink sink;
	struct ring_cursor at;
	int fd;				/* before the first tag; then at.feed has it */
	const struct ring_gen *gen;	/* tracks are known of it; compared only */
	unsigned tracks;
	bool rests;			/* what follows is of another generation */
};

static struct feed *
feed_of(struct sink *s)
{
	return (struct feed *)(void *)s;
}

static void write_cb(evutil_socket_t fd, short what, void *ctx);

/*
 * The first key frame from its place on, or, if it has no place, the newest. Never one before its place: that
 * was sent, and what follows it leads here again.
 */
static bool
find_start(struct feed *f)
{
	struct tag *from = f->at.feed.next;

	f->at.feed.tracks = f->tracks;
	while (!f->at.feed.at_end && from != NULL && from->gen != f->gen)
		from = from->next;
	if (f->at.feed.at_end)
		ring_cursor_newest_start(&f->at, f->sink.env.ring->head);
	else
		ring_cursor_first_start(&f->at, from);
	return f->at.start != NULL && f->at.start->gen == f->gen;
}

/* With the first tag, or with that of another generation; false: there is none to begin with. */
static bool
begin(struct feed *f)
{
	if (f->tracks == 0 || !find_start(f))
		return false;
	if (f->fd >= 0)
		ring_cursor_open(&f->at, f->sink.env.svc->base, f->fd, write_cb, f);
	else
		hls_feed_go_on(&f->at.feed, f->at.start, f->at.need);
	f->fd = -1;
	f->rests = false;
	return true;
}

static void
write_out(struct feed *f, int64_t now)
{
	enum hls_feed_rc rc;

	do {
		rc = hls_feed_write(&f->at.feed, now);
		f->rests = f->rests || rc == HLS_FEED_LAST;
	} while (rc == HLS_FEED_LAST && begin(f));
	f->at.key_waits = false;
	if (rc != HLS_FEED_BROKEN)
		return;
	log_debug("the webrtc worker has closed its feed");
	hls_feed_close(&f->at.feed);
}

static void
write_cb(evutil_socket_t fd, short what, void *ctx)
{
	write_out(ctx, now_ms());
}

static void
feed_tick(struct sink *s, int64_t now)
{
	struct feed *f = feed_of(s);
	bool begins = f->fd >= 0 || (f->rests && f->at.feed.fd >= 0);

	if (begins ? begin(f) : !f->rests && ring_cursor_due(&f->at, now))
		write_out(f, now);
}

static void
feed_tag(struct sink *s, struct tag *t)
{
	struct feed *f = feed_of(s);

	ring_cursor_tag(&f->at, t);
	if (f->rests && f->tracks == 0)
		f->at.feed.at_end = true;	/* it waits for no place in the ring */
}

void
sink_feed_tracks(struct sink *s, const struct ring_gen *g, unsigned tracks)
{
	struct feed *f = feed_of(s);

	f->gen = g;
	f->tracks = tracks;
	if (f->at.feed.gen == g)
		f->at.feed.tracks &= tracks;
}

static const struct tag *
feed_needs(const struct sink *s)
{
	return ring_cursor_needs(&((const struct feed *)(const void *)s)->at);
}

static void
feed_overrun(struct sink *s, struct tag *first)
{
	struct feed *f = feed_of(s);

	if (ring_cursor_overrun(&f->at, first))
		return;
	f->at.dropped += hls_feed_skip(&f->at.feed, NULL);	/* what is half written will be whole, */
	f->at.feed.tracks = 0;					/* and nothing follows it but a key frame */
	f->rests = true;
}

/* What follows the video has another generation now: the next write meets it. */
static void
feed_regen(struct sink *s, struct tag *first)
{
	if (first != NULL)
		ring_cursor_set_start(&feed_of(s)->at, NULL);
}

static void
feed_drain(struct sink *s)
{
	struct feed *f = feed_of(s);

	if (f->at.feed.fd >= 0 && !f->rests && f->at.feed.blocked_ms == 0)
		write_out(f, now_ms());
	hls_feed_close(&f->at.feed);
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

static void
feed_free(struct sink **s)
{
	struct feed *f = feed_of(*s);

	if (f->fd >= 0)
		close(f->fd);
	ring_cursor_free(&f->at);
	free(f);
	*s = NULL;
}

static void
feed_message(struct sink *s, struct msg *m)
{
}

void
sink_feed_board(const struct sink *s, struct board_feed *out)
{
	const struct ring_cursor *at = &((const struct feed *)(const void *)s)->at;

	out->behind_ms = (uint32_t)ring_cursor_behind_ms(at);
	out->frames = at->feed.frames;
	out->bytes = at->feed.bytes;
	out->dropped = at->dropped;
}

static const struct sink_ops feed_ops = {
	.name = "feed", .budget_ms = 20, .tag = feed_tag, .tick = feed_tick, .needs = feed_needs,
	.overrun = feed_overrun, .regen = feed_regen, .message = feed_message, .drain = feed_drain, .free = feed_free,
};

struct sink *
sink_feed_new(const struct sink_env *env, int fd)
{
	struct feed *f = xcalloc(1, sizeof(*f));

	f->sink.ops = &feed_ops;
	f->sink.env = *env;
	f->fd = fd;
	ring_cursor_init(&f->at);
	f->at.ring = env->ring;
	f->at.feed.only_flv = true;
	f->at.ring_times = true;
	f->at.batch_ms = conf_int(env->svc->conf, "webrtc.batch");
	f->at.lag_ms = conf_int(env->svc->conf, "webrtc.lag");
	return &f->sink;
}
