/*
 * ws_intake.c - see ws_intake.h: the sender's side, from bytes to what ws_intake_child.c feeds
 * its ffmpeg with. Called by ws_publish.c.
 */
#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#include "amf0.h"
#include "conf.h"
#include "log.h"
#include "util.h"
#include "ws_intake_parts.h"

#define UNFRAGMENTED "this MP4 is not fragmented, so it can't be streamed: upload it, or write it with fragments"
#define SCRIPT_MAX 65536		/* onMetaData longer than this is not looked at */
#define PROBE_BYTES (64 * 1024)	/* MPEG-TS without a program map: ffmpeg shall find out */

/* --- FLV, a publisher's own or ffmpeg's --- */

void
ws_intake_drop_held(struct ws_intake *i)
{
	free(i->held.body);
	i->held.body = NULL;
}

void
ws_intake_give_held(struct ws_intake *i)
{
	if (i->held.body != NULL)
		i->ops->media(i->ctx, FLV_VIDEO, i->held.ts, i->held.body, i->held.len);
	ws_intake_drop_held(i);
}

/*
 * The last picture of an MPEG-TS may be half a one: nothing says where it ends but the next. Copied,
 * it could spoil the end of a recording. So each waits for the next, and the last is not taken.
 */
static void
hold(struct ws_intake *i, uint32_t ts, const uint8_t *body, size_t len)
{
	ws_intake_give_held(i);
	i->held.body = xmalloc(len);
	memcpy(i->held.body, body, len);
	i->held.len = len;
	i->held.ts = ts;
}

static void
on_media(void *ctx, enum flv_type type, uint32_t ts, const uint8_t *body, size_t len)
{
	struct ws_intake *i = ctx;
	struct flv_info info;
	bool copied = type == FLV_VIDEO && i->copy_video && i->state != INTAKE_FLV;

	if (copied && flv_parse_video(body, len, &info) == 0 && !info.sequence_header) {
		if (info.sequence_end || (i->want_key && !info.keyframe))
			return;
		i->want_key = false;
		if (i->container.kind == CONTAINER_MPEGTS) {
			hold(i, ts, body, len);
			return;
		}
	} else if (copied)
		ws_intake_give_held(i);
	i->ops->media(i->ctx, type, ts, body, len);
}

static void
on_script(void *ctx, const uint8_t *body, size_t len)
{
	struct ws_intake *i = ctx;
	json_t *values;
	int whole;

	if (len > SCRIPT_MAX)
		return;
	values = amf0_read(body, len, &whole);
	for (size_t k = 0; k < json_array_size(values); k++)
		if (json_is_object(json_array_get(values, k))) {
			i->ops->metadata(i->ctx, json_array_get(values, k));
			break;
		}
	json_decref(values);
}

/* --- the container --- */

static void
from_container(void *ctx, enum container_what what, const uint8_t *p, size_t n)
{
	struct ws_intake *i = ctx;

	if (what == CONTAINER_NEW || evbuffer_get_length(i->next) > 0) {
		evbuffer_add(i->next, p, n);
		return;
	}
	if (what == CONTAINER_INIT) {
		intake_queue_add_init(&i->queue, p, n);
		return;
	}
	if (intake_queue_bytes(&i->queue) == 0)
		i->moved_ms = now_ms();
	intake_queue_add(&i->queue, p, n, what == CONTAINER_POINT);
}

/* A sender that begins a new file may not have finished the one before. */
static bool
cuts_file(const struct ws_intake *i, const uint8_t *p, size_t n)
{
	const struct container *c = &i->container;

	if (!c->begun || n < 8)
		return false;
	return (c->kind == CONTAINER_MATROSKA && memcmp(p, "\x1a\x45\xdf\xa3", 4) == 0) ||
	    (c->kind == CONTAINER_MP4 && memcmp(p + 4, "ftyp", 4) == 0);
}

static const char *
feed_container(struct ws_intake *i, const uint8_t *p, size_t n, bool first)
{
	const struct container *c = &i->container;

	if (first && cuts_file(i, p, n))
		container_cut(&i->container);
	container_feed(&i->container, p, n);
	if (i->state == INTAKE_BEGIN && (c->known || i->queue.in > PROBE_BYTES))
		ws_intake_ask(i);
	if (i->state == INTAKE_BEGIN && i->queue.init_len >= INTAKE_INIT_MAX)
		return c->kind == CONTAINER_MP4 ? UNFRAGMENTED : "its first MiB holds no media";
	ws_intake_write(i);
	return NULL;
}

/* DEAF: is this where a new file begins? What the sender still had under way of the old one is not. */
static bool
begins_file(const uint8_t *p, size_t n)
{
	switch (container_sniff(p, n, true)) {
	case CONTAINER_MATROSKA:
	case CONTAINER_FLV:
	case CONTAINER_MPEGTS:
		return true;
	case CONTAINER_MP4:
		return memcmp(p + 4, "ftyp", 4) == 0;
	case CONTAINER_OGG:
		return n > 5 && (p[5] & 2) != 0;
	default:
		return false;
	}
}

static const char *
feed_flv(struct ws_intake *i, const uint8_t *p, size_t n, bool first)
{
	if (first && n >= 4 && memcmp(p, "FLV\1", 4) == 0 && i->flv.len == 0)
		flv_read_reset(&i->flv);
	return flv_read_feed(&i->flv, p, n) < 0 ? i->flv.error : NULL;
}

/* Enough has come to know what it is, or no more will. */
static const char *
sniff(struct ws_intake *i, bool last)
{
	size_t n = evbuffer_get_length(i->sniffed);
	const uint8_t *p = evbuffer_pullup(i->sniffed, -1);
	enum container_kind kind = CONTAINER_UNKNOWN;
	const char *why;

	if (n > 0)
		kind = container_sniff(p, n, last || n >= CONTAINER_SNIFF_BYTES);
	if (kind == CONTAINER_UNKNOWN)
		return NULL;
	log_info("the publisher sends %s", kind == CONTAINER_ANY ? "what ffmpeg has to guess" : container_name(kind));
	i->state = kind == CONTAINER_FLV ? INTAKE_FLV : INTAKE_BEGIN;
	container_begin(&i->container, kind, from_container, i);
	flv_read_reset(&i->flv);
	why = kind == CONTAINER_FLV ? feed_flv(i, p, n, true) : feed_container(i, p, n, true);
	evbuffer_drain(i->sniffed, n);
	return why;
}

static const char *
feed(struct ws_intake *i, const uint8_t *p, size_t n, bool first)
{
	if (i->state == INTAKE_DEAF && first && begins_file(p, n))
		i->state = INTAKE_SNIFF;
	switch (i->state) {
	case INTAKE_DEAF:
	case INTAKE_OVER:
		return NULL;
	case INTAKE_FLV:
		return feed_flv(i, p, n, first);
	case INTAKE_SNIFF:
		evbuffer_add(i->sniffed, p, n);
		return sniff(i, false);
	default:
		return feed_container(i, p, n, first);
	}
}

const char *
ws_intake_feed(struct ws_intake *i, const uint8_t *p, size_t n, bool first)
{
	const char *why = feed(i, p, n, first);

	if (why == NULL)
		return NULL;
	str_copy(i->why, why, sizeof(i->why));
	ws_intake_close(i);
	i->state = INTAKE_OVER;		/* nothing of it is for anybody */
	return i->why;
}

bool
ws_intake_full(struct ws_intake *i)
{
	if (ws_intake_queued(i) > i->limit)
		i->full = true;
	return i->full;
}

size_t
ws_intake_queued(const struct ws_intake *i)
{
	/* a beginning that is not whole has a limit of its own, and no ffmpeg that could take it */
	size_t bytes = i->state == INTAKE_BEGIN ? evbuffer_get_length(i->queue.bytes) : intake_queue_bytes(&i->queue);

	return bytes + evbuffer_get_length(i->next);
}

const char *
ws_intake_tick(struct ws_intake *i, int64_t now)
{
	const char *why = ws_intake_read(i);

	if (why == NULL && i->state == INTAKE_OVER)
		why = i->why;
	if (i->state == INTAKE_CLOSING && i->ending && i->out_fd < 0 && evbuffer_get_length(i->next) == 0)
		ws_intake_over(i);		/* its EXITED tells nothing new */
	ws_intake_stuck(i, now);
	return why;
}

bool
ws_intake_end(struct ws_intake *i)
{
	i->ending = true;
	if (i->state == INTAKE_SNIFF)
		sniff(i, true);
	if (i->state == INTAKE_BEGIN && intake_queue_bytes(&i->queue) > 0) {
		container_end(&i->container);
		ws_intake_ask(i);
	} else if (i->state >= INTAKE_ASKED && i->state <= INTAKE_CLOSING)
		container_end(&i->container);
	ws_intake_write(i);
	return i->state < INTAKE_ASKED || i->state > INTAKE_CLOSING;
}

struct ws_intake *
ws_intake_new(struct svc *svc, const struct ws_intake_ops *ops, void *ctx)
{
	static const struct flv_read_ops flv = { .media = on_media, .script = on_script };
	struct ws_intake *i = xcalloc(1, sizeof(*i));

	i->svc = svc;
	i->ops = ops;
	i->ctx = ctx;
	i->in_fd = i->out_fd = i->err.fd = -1;
	i->limit = (size_t)conf_int(svc->conf, "ws.buffer");
	i->sniffed = evbuffer_new();
	intake_queue_init(&i->queue);
	i->next = evbuffer_new();
	flv_read_init(&i->flv, (size_t)conf_int(svc->conf, "rtmp.max_message"), &flv, i);
	return i;
}

void
ws_intake_free(struct ws_intake **ip)
{
	struct ws_intake *i = *ip;

	if (i == NULL)
		return;
	ws_intake_close(i);
	ws_intake_drop_held(i);
	flv_read_free(&i->flv);
	evbuffer_free(i->sniffed);
	intake_queue_free(&i->queue);
	evbuffer_free(i->next);
	free(i);
	*ip = NULL;
}
