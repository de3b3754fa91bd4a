/*
 * frames_live.c - live frames (contract in frames_live.h). Called by frames_session.c and its parts.
 *
 * The container begins when picture and sound have come, or one of them for WAIT_MS; the other one, if
 * it comes later, begins a new container. Sound is counted by its samples, because how regularly it
 * arrives is the network's doing.
 */
#include "frames_live.h"

#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "log.h"
#include "matroska.h"
#include "util.h"
#include "ws_intake.h"

#define WAIT_MS 1000
#define CLOSE_MS 20000
#define HURRY_MS 2000
#define DRIFT_MS 300
#define RATE 44100

/* --- the end --- */

static void
over(struct frames_live *l)
{
	if (l->state == LIVE_OVER)
		return;
	l->state = LIVE_OVER;
	l->ops->over(l->ctx);
}

static void
done_cb(void *ctx)
{
	struct frames_live *l = ctx;

	l->done = true;
	if (l->state == LIVE_CLOSING && !stream_busy(&l->stream))
		over(l);
}

static void
drained_cb(void *ctx)
{
	struct frames_live *l = ctx;

	if (l->state != LIVE_DRAINING)
		return;
	l->state = LIVE_CLOSING;
	stream_end(&l->stream);
}

void
frames_live_end(struct frames_live *l, bool hurry)
{
	int64_t until = now_ms() + (hurry ? HURRY_MS : CLOSE_MS);

	if (!frames_live_busy(l))
		return;
	if (l->deadline_ms == 0 || l->deadline_ms > until)
		l->deadline_ms = until;
	if (l->state != LIVE_ON)
		return;
	l->state = LIVE_DRAINING;
	stream_gone(&l->stream);
	if (ws_intake_end(l->intake))
		drained_cb(l);
}

bool
frames_live_busy(const struct frames_live *l)
{
	return l->state >= LIVE_ON && l->state <= LIVE_CLOSING;
}

/* --- media --- */

static void
begin_container(struct frames_live *l)
{
	const struct matroska_track video = { .codec = MATROSKA_MJPEG };
	const struct matroska_track sound = { .codec = MATROSKA_PCM, .rate = RATE, .channels = 1, .bits = 16 };
	struct evbuffer *head = evbuffer_new();

	l->has_video = l->video;
	l->has_sound = l->sound;
	matroska_write_header(head, l->video ? &video : NULL, l->sound ? &sound : NULL);
	ws_intake_feed(l->intake, evbuffer_pullup(head, -1), evbuffer_get_length(head), true);
	evbuffer_free(head);
}

static int64_t
sound_time(struct frames_live *l, size_t len, int64_t ms)
{
	int64_t at = l->sound_ms + l->samples * 1000 / RATE;

	if (l->samples == 0 || at > ms + DRIFT_MS || at < ms - DRIFT_MS) {
		l->sound_ms = at = ms;
		l->samples = 0;
	}
	l->samples += (int64_t)(len / 2);
	return at;
}

/* What its fault is, tick() says. */
void
frames_live_media(struct frames_live *l, bool video, const uint8_t *p, size_t len, int64_t ms)
{
	uint8_t head[MATROSKA_FRAME_HEAD_BYTES];
	int64_t now = now_ms();

	if (l->state != LIVE_ON || len == 0)
		return;
	if (l->first_ms == 0)
		l->first_ms = now;
	*(video ? &l->video : &l->sound) = true;
	if (!(l->video && l->sound) && now - l->first_ms < WAIT_MS)
		return;
	if (video ? !l->has_video : !l->has_sound)
		begin_container(l);
	meter_bytes(&l->stream.meter, len);
	matroska_write_frame_head(head, video ? MATROSKA_VIDEO : MATROSKA_AUDIO, video ? ms : sound_time(l, len, ms),
	    true, (uint32_t)len);
	ws_intake_feed(l->intake, head, sizeof(head), false);
	ws_intake_feed(l->intake, p, len, false);
}

bool
frames_live_full(struct frames_live *l)
{
	return l->state == LIVE_ON && ws_intake_full(l->intake);
}

static void
on_media(void *ctx, enum flv_type type, uint32_t ts, const uint8_t *body, size_t len)
{
	struct frames_live *l = ctx;

	if (l->state == LIVE_ON || l->state == LIVE_DRAINING)
		stream_media(&l->stream, type, ts, body, len);
}

static void
on_metadata(void *ctx, json_t *data)
{
	json_object_set_new(data, "encoder", json_string("frames"));
	stream_metadata(&((struct frames_live *)ctx)->stream, data);
}

static void
on_room(void *ctx)
{
	struct frames_live *l = ctx;

	l->ops->room(l->ctx);
}

/* One can begin at every frame, so nobody has to be asked. */
static int
on_restart(void *ctx, const char *why)
{
	return -1;
}

/* --- time, messages --- */

static const char *
tick_on(struct frames_live *l, int64_t now)
{
	const char *why = ws_intake_tick(l->intake, now);

	if (why == NULL && l->state == LIVE_ON)
		why = stream_tick(&l->stream, now);
	if (why == NULL && meter_due(&l->stream.meter, now))
		stream_board(&l->stream, "live", now);
	return why;
}

const char *
frames_live_tick(struct frames_live *l, int64_t now)
{
	if (l->state == LIVE_ON)
		return tick_on(l, now);
	if (l->state == LIVE_DRAINING)
		ws_intake_tick(l->intake, now);
	if (l->state == LIVE_DRAINING)
		stream_tick(&l->stream, now);
	else if (l->state == LIVE_CLOSING)
		stream_tick_draining(&l->stream, now);
	if (frames_live_busy(l) && (now >= l->deadline_ms || (l->done && !stream_busy(&l->stream))))
		over(l);
	return NULL;
}

void
frames_live_message(struct frames_live *l, struct msg *m)
{
	if (!frames_live_busy(l))
		return;
	if (strcmp(msg_str_or(m, "output", ""), INTAKE_OUTPUT) == 0)
		ws_intake_message(l->intake, m);
	else
		stream_message(&l->stream, m);
}

void
frames_live_open(struct frames_live *l, const char *name)
{
	static const struct ws_intake_ops ops = {
		.media = on_media, .metadata = on_metadata, .room = on_room, .restart = on_restart,
		.drained = drained_cb,
	};

	stream_open(&l->stream, name, "frames", done_cb, l);
	l->intake = ws_intake_new(l->svc, &ops, l);
	l->state = LIVE_ON;
	stream_board(&l->stream, "live", now_ms());
}

void
frames_live_init(struct frames_live *l, struct svc *svc, const struct frames_live_ops *ops, void *ctx)
{
	memset(l, 0, sizeof(*l));
	l->svc = svc;
	l->ops = ops;
	l->ctx = ctx;
	stream_init(&l->stream, svc);
}

void
frames_live_free(struct frames_live *l)
{
	ws_intake_free(&l->intake);
	stream_free(&l->stream);
}
