/*
 * sink_push.c - one push to another server as a sink (contract in sink_push.h): the ffmpeg that
 * sends the stream there (sink_child.c). Where that is only the supervisor knows.
 *
 * No line of its stderr is logged: they have the URL in them, and what the target says may, too.
 * Called by pushes.c.
 */
#include "sink_push.h"

#include <stdio.h>
#include <string.h>

#include "conf.h"
#include "log.h"
#include "push_words.h"
#include "sink_child.h"
#include "util.h"

struct push {
	struct sink_child c;
	struct push_target target;
	bool accepted;			/* the target has accepted the stream */
	struct push_words words;	/* of its ffmpeg, still there when that has ended */
	char refused[sizeof(((struct board_push *)NULL)->reason)];
};

static struct push *
push_of(struct sink_child *c)
{
	return (struct push *)(void *)c;
}

static const struct push *
push_const(const struct sink *s)
{
	return (const struct push *)(const void *)s;
}

static bool
is_h264(const struct ring_gen *g)
{
	return !g->video || g->video_codec == FLV_FOURCC('a', 'v', 'c', '1');
}

/* RTMP as all servers know it has H.264 and AAC. */
static json_t *
params_for(const struct sink_child *c, const struct ring_gen *g)
{
	return json_pack("{s:b, s:b, s:b, s:b, s:b}", "matroska", ring_gen_enhanced(g), "video", g->video, "audio",
	    g->audio, "transcode_video", !is_h264(g), "transcode_audio",
	    g->audio && g->audio_codec != FLV_FOURCC('m', 'p', '4', 'a'));
}

/* "": its target takes it. Why an attempt failed the supervisor knows, see output_push.c. */
static void
say(const struct push *p, const char *text)
{
	svc_send(p->c.sink.env.svc, MSG_EVENT, 0, json_pack("{s:s, s:s, s:s, s:s}", "event", "warning", "code",
	    HOOK_ERROR_PUSH, "what", p->target.id, "text", text));
}

/* The last words of the one before it. */
static void
asking(struct sink_child *c, json_t *spawn)
{
	const struct push_words *w = &push_of(c)->words;

	json_object_set_new(spawn, "said", msg_text(w->text, strlen(w->text)));
}

static bool
refuse(struct sink_child *c, const struct ring_gen *g)
{
	struct push *p = push_of(c);
	bool was = p->refused[0] != '\0';

	p->refused[0] = '\0';
	if (!is_h264(g) && !p->target.transcode)
		snprintf(p->refused, sizeof(p->refused), "the video is %s, RTMP targets take H.264: set "
		    "transcode: true", flv_codec_name(g->video_codec));
	if (p->refused[0] != '\0' && !was)
		say(p, p->refused);
	c->at.hold = c->at.hold && p->refused[0] == '\0';	/* until there is something else */
	return p->refused[0] != '\0';
}

static void
begins(struct sink_child *c)
{
	push_of(c)->accepted = false;
	push_words_clear(&push_of(c)->words);
}

static void
err_line(struct sink_child *c, const char *line)
{
	struct push *p = push_of(c);

	if (!push_words_line(&p->words, line) || p->accepted)
		return;
	p->accepted = true;
	log_info("push %s: the target has accepted the stream, %.1f s after the attempt began", p->target.id,
	    (double)(now_ms() - c->up_ms) / 1000);
	say(p, "");
}

static const struct sink_child_kind push_kind = {
	.name = "push", .mute = "its target took nothing", .replays = true, .params = params_for, .asking = asking,
	.refuse = refuse, .begins = begins, .line = err_line,
};

struct sink *
sink_push_new(const struct sink_env *env, const struct push_target *target)
{
	struct push *p = xcalloc(1, sizeof(*p));
	char output[sizeof(p->c.output)];

	snprintf(output, sizeof(output), PUSH_OUTPUT "%s", target->id);
	sink_child_init(&p->c, &push_kind, env, output);
	p->target = *target;
	p->c.at.batch_ms = conf_int(env->svc->conf, "push_batch");
	p->c.at.lag_ms = conf_int(env->svc->conf, "push_lag");
	p->c.stuck_ms = conf_int(env->svc->conf, "push_stuck");
	return &p->c.sink;
}

void
sink_push_remove(struct sink **s)
{
	log_info("push %s ends", push_const(*s)->target.id);
	sink_child_end(sink_child_of(*s), "the push was removed");
	(*s)->ops->free(s);
}

bool
sink_push_busy(const struct sink *s)
{
	return sink_child_busy(sink_child_const(s));
}

const struct push_target *
sink_push_target(const struct sink *s)
{
	return &push_const(s)->target;
}

void
sink_push_board(const struct sink *s, struct board_push *out)
{
	const struct push *p = push_const(s);
	const struct ring_cursor *at = &p->c.at;

	str_copy(out->id, p->target.id, sizeof(out->id));
	out->state = p->c.phase == CHILD_UP ? (p->accepted ? BOARD_PUSH_UP : BOARD_PUSH_CONNECTING) :
	    p->refused[0] != '\0' ? BOARD_PUSH_REFUSED : BOARD_PUSH_WAITS;
	out->behind_ms = (uint32_t)ring_cursor_behind_ms(at);
	out->frames = p->c.frames + at->feed.frames;
	out->bytes = p->c.bytes + at->feed.bytes;
	out->dropped = at->dropped;
	str_copy(out->reason, p->refused, sizeof(out->reason));
}
