/*
 * browsers.c - a stream's tracks on their way to a webrtc worker (contract in browsers.h): which goes
 * as it came and which by an ffmpeg, from FEED on to FEED off. Called by stream.c only.
 *
 * The tracks are judged as they come, also while nobody watches: so that is known when somebody
 * does. For the same reason the newest GOP stays in the ring, as long as that is not half of it.
 */
#include "browsers.h"

#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "framing.h"
#include "log.h"
#include "sink_feed.h"
#include "sink_rtc.h"
#include "util.h"

void
browsers_open(struct browsers *b, const struct sink_env *env)
{
	memset(b, 0, sizeof(*b));
	b->env = *env;
	b->enabled = conf_int(env->svc->conf, "webrtc.workers") > 0;
	b->batch_ms = conf_int(env->svc->conf, "webrtc.batch");
	b->judge.mode = feed_judge_mode(conf_str(env->svc->conf, "webrtc.transcode"));
}

/* --- which way --- */

static bool
known(const struct feed_verdict *v)
{
	return v->way != FEED_WAITS;
}

static void
need_child(struct browsers *b, struct sink **s, const struct feed_verdict *v, bool video)
{
	bool want = b->on && !b->draining && v->way == FEED_TRANSCODE;

	if (!known(v) && b->on)
		return;		/* with new headers mostly all stays as it was */
	if (want && *s == NULL) {
		log_info("%s goes to browsers as %s: %s", video ? "video" : "sound", video ? "H.264 baseline" : "Opus",
		    v->why);
		*s = sink_rtc_new(&b->env, video);
	} else if (!want && *s != NULL)
		sink_rtc_remove(s, b->on ? "browsers take it as it is" : "nobody watches any more");
}

static void
apply(struct browsers *b)
{
	const struct feed_judge *j = &b->judge;

	if (b->gen == NULL)
		return;
	need_child(b, &b->opus, &j->audio, false);
	need_child(b, &b->h264, &j->video, true);
	if (b->feed != NULL && known(&j->video) && known(&j->audio))
		sink_feed_tracks(b->feed, b->gen, (j->video.way == FEED_COPY ? FRAMING_VIDEO : 0) |
		    (j->audio.way == FEED_COPY ? FRAMING_AUDIO : 0));
}

static void
judge(struct browsers *b, const struct tag *t)
{
	bool changed = false;

	if (t->gen != b->gen && t->gen->settled) {
		ring_gen_unref(&b->gen);
		b->gen = ring_gen_ref(t->gen);
		feed_judge_gen(&b->judge, b->gen);
		changed = true;
	}
	if (t->gen == b->gen)
		changed = feed_judge_frame(&b->judge, t) || changed;
	if (changed && b->on)
		apply(b);
}

/* --- all of them --- */

static unsigned
sinks(const struct browsers *b, struct sink *out[3])
{
	struct sink *all[] = { b->feed, b->opus, b->h264 };
	unsigned n = 0;

	for (unsigned i = 0; i < 3; i++)
		if (all[i] != NULL)
			out[n++] = all[i];
	return n;
}

void
browsers_tag(struct browsers *b, struct tag *t)
{
	struct sink *s[3];
	unsigned n;

	if (!b->enabled)
		return;
	b->kept_bytes += t->cost;
	if (t->key) {
		b->keep = t;
		b->kept_bytes = 0;
	} else if (b->kept_bytes > b->env.ring->limit / 2)
		b->keep = NULL;
	judge(b, t);
	n = sinks(b, s);
	for (unsigned i = 0; i < n; i++)
		s[i]->ops->tag(s[i], t);
}

void
browsers_tick(struct browsers *b, int64_t now)
{
	struct sink *s[3];
	unsigned n = sinks(b, s);

	for (unsigned i = 0; i < n; i++)
		s[i]->ops->tick(s[i], now);
}

unsigned
browsers_needs(const struct browsers *b, const struct tag *out[BROWSERS_NEEDS])
{
	struct sink *s[3];
	unsigned n = sinks(b, s);

	for (unsigned i = 0; i < n; i++)
		out[i] = s[i]->ops->needs(s[i]);
	out[n] = b->keep;
	return n + 1;
}

void
browsers_overrun(struct browsers *b, struct tag *first)
{
	struct sink *s[3];
	unsigned n = sinks(b, s);

	for (const struct tag *t = b->env.ring->head; t != NULL && t != first; t = t->next)
		if (t == b->keep)
			b->keep = NULL;
	for (unsigned i = 0; i < n; i++)
		s[i]->ops->overrun(s[i], first);
}

void
browsers_regen(struct browsers *b, struct tag *first)
{
	struct sink *s[3];
	unsigned n = sinks(b, s);

	b->keep = NULL;
	for (unsigned i = 0; i < n; i++)
		s[i]->ops->regen(s[i], first);
}

void
browsers_drain(struct browsers *b)
{
	struct sink *s[3];
	unsigned n = sinks(b, s);

	b->draining = true;
	for (unsigned i = 0; i < n; i++)
		s[i]->ops->drain(s[i]);
}

void
browsers_free(struct browsers *b)
{
	if (b->feed != NULL)
		b->feed->ops->free(&b->feed);
	if (b->opus != NULL)
		b->opus->ops->free(&b->opus);
	if (b->h264 != NULL)
		b->h264->ops->free(&b->h264);
	ring_gen_unref(&b->gen);
}

/* --- what the supervisor says --- */

static void
on_feed(struct browsers *b, struct msg *m)
{
	int fd = msg_take_fd(m, 0);

	if (b->feed != NULL)
		b->feed->ops->free(&b->feed);
	b->on = fd >= 0 && b->enabled && !b->draining;
	if (b->on)
		b->feed = sink_feed_new(&b->env, fd);
	else if (fd >= 0)
		close(fd);
	apply(b);
	browsers_tick(b, now_ms());	/* somebody waits for his first picture */
}

bool
browsers_message(struct browsers *b, struct msg *m)
{
	const char *output = msg_str_or(m, "output", "");
	bool opus = strcmp(output, RTC_OPUS) == 0, h264 = strcmp(output, RTC_H264) == 0;
	struct sink *s = opus ? b->opus : b->h264;

	if (m->type == MSG_FEED)
		on_feed(b, m);
	else if (!opus && !h264)
		return false;
	else if (s != NULL)
		s->ops->message(s, m);
	return true;		/* of one that was removed: its descriptors are closed, so that it ends */
}

int64_t
browsers_budget_ms(const struct browsers *b, int64_t longest)
{
	return b->on && b->batch_ms < longest ? b->batch_ms : longest;
}

void
browsers_board(const struct browsers *b, struct board_feed *out)
{
	static const uint8_t ways[] = {
		[FEED_NONE] = BOARD_WAY_NONE, [FEED_WAITS] = BOARD_WAY_WAITS, [FEED_COPY] = BOARD_WAY_COPY,
		[FEED_TRANSCODE] = BOARD_WAY_TRANSCODE, [FEED_REFUSED] = BOARD_WAY_REFUSED,
	};

	memset(out, 0, sizeof(*out));
	if (!b->enabled)
		return;
	out->on = b->on;
	out->video = ways[b->judge.video.way];
	out->audio = ways[b->judge.audio.way];
	str_copy(out->video_why, b->judge.video.why, sizeof(out->video_why));
	str_copy(out->audio_why, b->judge.audio.why, sizeof(out->audio_why));
	if (b->feed != NULL)
		sink_feed_board(b->feed, out);
}
