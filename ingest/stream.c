/* stream.c - a live publisher's media (contract in stream.h). Called by session.c only. */
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "landlock.h"
#include "log.h"
#include "sink_hls.h"
#include "sink_rec.h"
#include "util.h"

#define HOLD_TRIES 100
#define HOLD_WAIT_US 1000
#define SIZE_MAX_TOLD 16384	/* pixels an encoder may say its picture has */

void
stream_init(struct stream *s, struct svc *svc)
{
	memset(s, 0, sizeof(*s));
	s->svc = svc;
	s->rec_hold = -1;
	ring_init(&s->ring, 0);
	tracks_init(&s->tracks, (int)conf_int(svc->conf, "streams.header_changes"));
}

void
stream_free(struct stream *s)
{
	if (s->hls != NULL)
		s->hls->ops->free(&s->hls);
	if (s->rec != NULL)
		s->rec->ops->free(&s->rec);
	pushes_free(&s->pushes);
	browsers_free(&s->browsers);
	tracks_free(&s->tracks);
	ring_free(&s->ring);
	if (s->rec_hold != -1)
		close(s->rec_hold);
}

/*
 * Makes a folder and holds it: one that is empty and that nobody holds is removed (workers/jobs/tree.c), perhaps
 * just now. Its descriptor, or -1 + errno.
 */
static int
hold_dir(const char *path)
{
	int fd, why = EBUSY;
	struct stat st, held;

	for (int i = 0; i < HOLD_TRIES; i++) {
		if (dir_ensure(path, 0750) == -1 && errno != ENOENT)
			return -1;
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (fd == -1 && errno != ENOENT)
			return -1;
		why = fd == -1 ? ENOENT : EBUSY;
		if (fd != -1 && flock(fd, LOCK_SH | LOCK_NB) == 0 && fstat(fd, &held) == 0 && stat(path, &st) == 0 &&
		    st.st_ino == held.st_ino)
			return fd;
		if (fd != -1)
			close(fd);
		usleep(HOLD_WAIT_US);
	}
	errno = why;
	return -1;
}

int
stream_make_dirs(struct stream *s, const char *name)
{
	const char *data_dir = conf_str(s->svc->conf, "data_dir");
	bool record = conf_str(s->svc->conf, "streams.record.path")[0] != '\0';

	snprintf(s->dir, sizeof(s->dir), "%s/hls/%s", data_dir, name);
	if (record)
		snprintf(s->rec_dir, sizeof(s->rec_dir), "%s/rec/%s", data_dir, name);
	if (dir_ensure(s->dir, 0750) == -1)
		return -1;
	if (record && s->rec_hold == -1)
		s->rec_hold = hold_dir(s->rec_dir);
	return record && s->rec_hold == -1 ? -1 : 0;
}

int
stream_move_in(struct stream *s, const char *name)
{
	bool record = conf_str(s->svc->conf, "streams.record.path")[0] != '\0';
	const struct landlock_rule rules[] = {
		{ s->dir, true, false },
		{ record ? s->rec_dir : s->dir, true, false },
#if defined(__SANITIZE_ADDRESS__)
		{ "/proc", false, false },	/* the leak check looks at its own threads */
#endif
		{ NULL, false, false },
	};

	if (stream_make_dirs(s, name) == 0 && landlock_restrict(rules) == 0)
		return 0;
	log_warn("cannot use %s, or be locked into it", s->dir);
	return -1;
}

static void
sink_warn(void *ctx, const char *text)
{
	struct stream *s = ctx;

	str_copy(s->sink_warning, text, sizeof(s->sink_warning));
	log_warnx("%s", text);
}

static void
rec_warn(void *ctx, const char *text)
{
	struct stream *s = ctx;

	str_copy(s->rec_warning, text, sizeof(s->rec_warning));
	if (text[0] != '\0')
		log_warnx("%s", text);
}

static void
open_recording(struct stream *s, struct sink_env env)
{
	if (s->rec_dir[0] == '\0')
		return;
	env.dir = s->rec_dir;
	env.warn = rec_warn;
	s->rec = sink_rec_new(&env);
}

void
stream_open(struct stream *s, const char *name, const char *app,
    void (*done)(void *ctx), void *ctx)
{
	struct sink_env env = { .svc = s->svc, .ring = &s->ring, .name = name, .app = app, .dir = s->dir,
		.done = done, .done_ctx = ctx, .warn = sink_warn, .warn_ctx = s };
	int64_t start_ms;

	s->ring.limit = (size_t)conf_int(s->svc->conf, "streams.ring");
	s->hls = sink_hls_new(&env, &start_ms, &s->resumed);
	open_recording(s, env);
	env.done = NULL;
	s->push_env = env;
	browsers_open(&s->browsers, &env);
	timeline_init(&s->timeline, start_ms);
}

static int
told_size(const json_t *data, const char *key)
{
	double v = json_number_value(json_object_get(data, key));

	return v > 0 && v <= SIZE_MAX_TOLD ? (int)v : 0;
}

void
stream_metadata(struct stream *s, json_t *data)
{
	const char *encoder = json_string_value(json_object_get(data, "encoder"));

	if (encoder != NULL)
		str_copy(s->encoder, encoder, sizeof(s->encoder));
	s->tracks.told = true;
	s->tracks.expect_video = json_object_get(data, "videocodecid") != NULL ||
	    json_object_get(data, "width") != NULL;
	s->tracks.expect_audio = json_object_get(data, "audiocodecid") != NULL;
	s->tracks.told_width = told_size(data, "width");
	s->tracks.told_height = told_size(data, "height");
}

/* Over the limit: the oldest go, up to a key frame. */
static void
make_room(struct stream *s)
{
	struct tag *first = ring_overrun(&s->ring);

	if (first == NULL)
		return;
	for (struct tag *t = s->ring.head; t != first; t = t->next)
		s->ring.dropped++;
	s->hls->ops->overrun(s->hls, first);
	if (s->rec != NULL)
		s->rec->ops->overrun(s->rec, first);
	pushes_overrun(&s->pushes, first);
	browsers_overrun(&s->browsers, first);
	ring_trim(&s->ring, first);
}

/* Not when it was granted: only now is it sure that it can be taken, and who sends it. */
static void
say_live(struct stream *s)
{
	s->said_live = true;
	svc_send(s->svc, MSG_EVENT, 0, json_pack("{s:s}", "event", "stream_live"));
	log_info("live%s, from %s", s->resumed ? ", the playlist goes on" : "",
	    s->encoder[0] != '\0' ? s->encoder : "an encoder that does not say its name");
}

void
stream_media(struct stream *s, enum flv_type type, uint32_t ts, const uint8_t *body, size_t len)
{
	bool audio = type == FLV_AUDIO;
	int64_t now = now_ms();
	struct flv_info info;
	struct tag *t;

	if ((audio ? flv_parse_audio : flv_parse_video)(body, len, &info) < 0 ||
	    (info.sequence_header && len > (size_t)conf_int(s->svc->conf, "rtmp.max_metadata"))) {
		s->meter.torn++;
		return;
	}
	if (tracks_take(&s->tracks, &info, body, len, now) != TRACKS_FRAME)
		return;
	if (!s->said_live)
		say_live(s);
	t = ring_append(&s->ring, s->tracks.gen, &info, body, len);
	t->dts_ms = timeline_map(&s->timeline, audio, ts, now);
	t->pts_ms = t->dts_ms + info.cts_ms;
	t->came_ms = now;
	t->wall_ms = wall_ms();
	meter_frame(&s->meter, audio, t->key, t->dts_ms, now);
	s->hls->ops->tag(s->hls, t);
	if (s->rec != NULL)
		s->rec->ops->tag(s->rec, t);
	pushes_tag(&s->pushes, t);
	browsers_tag(&s->browsers, t);
	make_room(s);
}

void
stream_gone(struct stream *s)
{
	svc_send(s->svc, MSG_EVENT, 0, json_pack("{s:s}", "event", "publisher_gone"));
}

void
stream_end(struct stream *s)
{
	if (s->rec != NULL)
		s->rec->ops->drain(s->rec);
	pushes_drain(&s->pushes);
	browsers_drain(&s->browsers);
	s->hls->ops->drain(s->hls);
}

bool
stream_busy(const struct stream *s)
{
	return pushes_busy(&s->pushes);
}

void
stream_message(struct stream *s, struct msg *m)
{
	if (m->type == MSG_PUSH)
		pushes_set(&s->pushes, &s->push_env, json_object_get(m->body, "targets"));
	else if (!browsers_message(&s->browsers, m) && !pushes_message(&s->pushes, m))
		s->hls->ops->message(s->hls, m);
}

int64_t
stream_budget_ms(const struct stream *s, int64_t longest)
{
	return pushes_budget_ms(&s->pushes, browsers_budget_ms(&s->browsers, longest));
}

static const struct tag *
oldest_needed(const struct stream *s)
{
	const struct tag *needed[BOARD_PUSHES + BROWSERS_NEEDS + 2], *t;
	unsigned n = pushes_needs(&s->pushes, needed), i;

	n += browsers_needs(&s->browsers, needed + n);
	needed[n++] = s->hls->ops->needs(s->hls);
	needed[n++] = s->rec != NULL ? s->rec->ops->needs(s->rec) : NULL;
	for (t = s->ring.head; t != NULL; t = t->next)
		for (i = 0; i < n; i++)
			if (needed[i] == t)
				return t;
	return NULL;
}

const char *
stream_tick(struct stream *s, int64_t now)
{
	struct tag *first;

	if (s->tracks.unsupported[0] != '\0')
		return s->tracks.unsupported;
	if (s->tracks.gen->video && meter_key_age(&s->meter) > conf_int(s->svc->conf, "streams.key_frame_age"))
		return "no key frame for streams.key_frame_age: set Keyframe Interval to 2 s in the encoder";
	if (tracks_tick(&s->tracks, timeline_ahead(&s->timeline), now)) {
		first = ring_regen(&s->ring, s->tracks.gen);
		s->hls->ops->regen(s->hls, first);
		pushes_regen(&s->pushes, first);
		browsers_regen(&s->browsers, first);
	}
	s->hls->ops->tick(s->hls, now);
	if (s->rec != NULL)
		s->rec->ops->tick(s->rec, now);
	pushes_tick(&s->pushes, now);
	browsers_tick(&s->browsers, now);
	ring_trim(&s->ring, oldest_needed(s));
	return NULL;
}

void
stream_tick_draining(struct stream *s, int64_t now)
{
	s->hls->ops->tick(s->hls, now);
	pushes_tick(&s->pushes, now);
}

/* A warning that counts seconds is the same one in each of them. */
static bool
same_but_digits(const char *a, const char *b)
{
	for (;; a++, b++) {
		a += strspn(a, "0123456789");
		b += strspn(b, "0123456789");
		if (*a != *b || *a == '\0')
			return *a == *b;
	}
}

static void
say_warning(struct stream *s, const char *code, const char *text, char said[160])
{
	if (same_but_digits(text, said))
		return;
	str_copy(said, text, 160);
	svc_send(s->svc, MSG_EVENT, 0, json_pack("{s:s, s:s, s:o}", "event", "warning", "code", code, "text",
	    msg_text(text, strlen(text))));
}

static void
media_warning(const struct stream *s, char *buf, size_t size)
{
	meter_warning(&s->meter, conf_int(s->svc->conf, "streams.key_frame_age"), s->tracks.gen->video, buf, size);
	if (buf[0] == '\0')
		tracks_warning(&s->tracks, buf, size);
}

void
stream_board(struct stream *s, const char *state, int64_t now)
{
	struct board_page *p = s->svc->page;
	char warning[sizeof(p->media.warning)];
	struct sink_hls_stats st;

	media_warning(s, warning, sizeof(warning));
	say_warning(s, HOOK_ERROR_MEDIA, warning, s->said_media);
	say_warning(s, HOOK_ERROR_RECORDING, s->rec_warning, s->said_rec);
	sink_hls_stats(s->hls, &st);
	board_begin(&p->seq);
	p->beat_ms = now;
	str_copy(p->state, state, sizeof(p->state));
	meter_board(&s->meter, &p->media, now);
	tracks_board(&s->tracks, &p->media);
	p->media.segments = st.segments;
	p->media.discontinuities = st.discontinuities;
	p->media.segment_delay_ms = st.delay_ms;
	p->media.timestamp_jumps = s->timeline.jumps;
	p->media.ring_bytes = s->ring.bytes;
	p->media.dropped_frames = s->ring.dropped;
	str_copy(p->media.encoder, s->encoder, sizeof(p->media.encoder));
	str_copy(p->media.warning, s->rec_warning[0] != '\0' ? s->rec_warning : s->sink_warning[0] != '\0' ?
	    s->sink_warning : warning, sizeof(p->media.warning));
	pushes_board(&s->pushes, &p->media);
	browsers_board(&s->browsers, &p->media.feed);
	if (s->rec != NULL) {
		struct sink_rec_stats rec;

		sink_rec_stats(s->rec, &rec);
		p->media.recording = rec.recording ? BOARD_RECORDING : rec.paused ? BOARD_RECORDING_PAUSED :
		    BOARD_RECORDING_WAITS;
		p->media.recording_errno = rec.paused_errno;
		p->media.recorded_files = rec.files;
		p->media.recorded_bytes = rec.bytes;
		p->media.recorded_lost = rec.lost;
		p->media.recording_lag_ms = rec.lag_ms;
	}
	board_end(&p->seq);
}
