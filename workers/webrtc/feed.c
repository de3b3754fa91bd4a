/*
 * feed.c - see feed.h: FLV and Ogg in, access units and Opus packets to the room. A room has up to
 * three: what the ingest itself sends, and sound and picture that an ffmpeg makes; while one of
 * those is there, what the first has of its track is left out.
 *
 * A publisher's media begin with a GOP at once, whose first picture is as old as nobody knows, but
 * whose last one is new. So what comes first is held back for a moment, until its end can be seen,
 * and sound that is older is left out: it is live from its beginning on.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "feed.h"
#include "flv_read.h"
#include "log.h"
#include "newest.h"
#include "room.h"
#include "rtc/h264.h"
#include "rtc/ogg.h"
#include "rtc/opus.h"
#include "util.h"
#include "webrtc.h"

#define READ_BYTES 65536
#define READS_PER_TURN 4		/* then others have their turn */
#define HOLD_MS 15
#define HOLD_MOST_MS 500
#define BURST_MS (4 * HOLD_MS)		/* so much in HOLD_MS is not live */
#define HOLD_BYTES (8 * 1024 * 1024)
#define LIVE_MS 250			/* no older than this is sound that begins, */
#define LIVE_AFTER_MS 1000		/* if it ever comes that soon */
#define TAG_MAX 0xffffff		/* what FLV can say */
#define SAMPLES_PER_MS (OPUS_RATE / 1000)
#define FOURCC_H264 FLV_FOURCC('a', 'v', 'c', '1')
#define FOURCC_OPUS FLV_FOURCC('O', 'p', 'u', 's')

struct feed {
	struct room *room;		/* which owns it */
	enum room_track track;
	int64_t ingest;
	int fd;
	struct event *ev, *release;	/* release: NULL, or while it is held back: */
	struct evbuffer *held;
	int64_t held_ms;		/* the newest in it, when it was looked at before */
	bool is_ogg;
	int64_t begun_ms;		/* the first of it came; 0 = not yet */
	bool fresh;			/* no IDR was taken yet */
	bool live;			/* its sound is */
	struct flv_read flv;
	struct ogg ogg;
	struct h264_pack pack;
};

static const char *const track_names[ROOM_TRACKS] = { "media", "audio", "video" };

static bool
instead(const struct feed *f, enum room_track t)
{
	return f->track == ROOM_MEDIA && *room_feed(f->room, t) != NULL;
}

static void
on_video(struct feed *f, uint32_t ts, const uint8_t *body, size_t len)
{
	struct flv_info info;

	if (instead(f, ROOM_VIDEO)) {
		f->fresh = true;
		return;
	}
	if (flv_parse_video(body, len, &info) < 0 || info.codec != FOURCC_H264 || info.multitrack || info.metadata)
		return;
	if (info.sequence_header) {
		if (h264_pack_record(&f->pack, body + info.payload, info.payload_len) < 0)
			log_warnx("%s: an H.264 configuration that makes no sense; the one before it stays",
			    room_name(f->room));
		return;
	}
	if (!info.sequence_end && room_give_video(f->room, f->ingest, &f->pack, body + info.payload, info.payload_len,
	    ts + (uint32_t)info.cts_ms, f->fresh))
		f->fresh = false;
}

static bool
is_live(struct feed *f, int64_t source_ms)
{
	f->live = f->live || room_age_ms(f->room, f->ingest, source_ms) < LIVE_MS ||
	    now_ms() - f->begun_ms > LIVE_AFTER_MS;
	return f->live;
}

static void
on_media(void *ctx, enum flv_type type, uint32_t ts, const uint8_t *body, size_t len)
{
	struct feed *f = ctx;
	struct flv_info info;

	if (type == FLV_VIDEO) {
		on_video(f, ts, body, len);
		return;
	}
	if (instead(f, ROOM_AUDIO) || flv_parse_audio(body, len, &info) < 0 || info.codec != FOURCC_OPUS ||
	    info.multitrack || info.sequence_header || info.sequence_end || info.payload_len == 0)
		return;
	if (is_live(f, room_unroll(f->room, f->ingest, ts)))
		room_give_audio_ms(f->room, f->ingest, body + info.payload, info.payload_len,
		    ts + (uint32_t)info.cts_ms);
}

static void
on_packet(void *ctx, const uint8_t *p, size_t n, int64_t granule, int samples)
{
	struct feed *f = ctx;

	if (is_live(f, granule / SAMPLES_PER_MS))
		room_give_audio(f->room, f->ingest, p, n, granule);
}

static void
no_hold(struct feed *f)
{
	if (f->release == NULL)
		return;
	event_free(f->release);
	evbuffer_free(f->held);
	f->release = NULL;
	f->held = NULL;
}

void
feed_free(struct feed **fp)
{
	struct feed *f = *fp;

	*fp = NULL;
	if (f == NULL)
		return;
	event_free(f->ev);
	no_hold(f);
	close(f->fd);
	if (f->is_ogg)
		ogg_free(&f->ogg);
	else
		flv_read_free(&f->flv);
	free(f);
}

static void
end(struct feed *f, const char *why)
{
	struct room *room = f->room;
	bool again = why != NULL && f->track == ROOM_MEDIA;

	if (why != NULL)
		log_warnx("%s: the feed of its %s is over: %s", room_name(room), track_names[f->track], why);
	else
		log_debug("%s: the feed of its %s has ended", room_name(room), track_names[f->track]);
	feed_free(room_feed(room, f->track));
	if (again)
		room_want_again(room);
}

static const char *
take(struct feed *f, const uint8_t *p, size_t n)
{
	if (!f->is_ogg)
		return flv_read_feed(&f->flv, p, n) < 0 ? f->flv.error : NULL;
	ogg_feed(&f->ogg, p, n);
	return f->ogg.skipped > OGG_PAGE_MAX ? "no Ogg where some should be" : NULL;
}

/* --- held back --- */

static const struct timeval hold_time = { 0, HOLD_MS * 1000 };

static struct newest
newest_held(struct feed *f)
{
	size_t n = evbuffer_get_length(f->held);
	const uint8_t *p = evbuffer_pullup(f->held, -1);

	return f->is_ogg ? newest_in_ogg(p, n) : newest_in_flv(p, n);
}

static const char *
release(struct feed *f)
{
	const char *why;
	struct newest newest = newest_held(f);

	if (newest.any && room_is_other(f->room, f->ingest))
		room_switch(f->room, f->ingest, newest.ms);
	why = take(f, evbuffer_pullup(f->held, -1), evbuffer_get_length(f->held));
	no_hold(f);
	return why;
}

/* Of what comes faster than time goes the end is still to come. */
static bool
is_coming(struct feed *f, int64_t newest_ms)
{
	int64_t before = f->held_ms;

	f->held_ms = newest_ms;
	return newest_ms - before > BURST_MS && now_ms() - f->begun_ms < HOLD_MOST_MS;
}

static void
release_cb(evutil_socket_t fd, short what, void *ctx)
{
	struct feed *f = ctx;
	struct room *room = f->room;
	struct newest newest = newest_held(f);
	const char *why;

	/* Headers alone say nothing of the time: until more comes (take_or_hold). */
	if (!newest.any && !newest.broken)
		return;
	if (!newest.broken && is_coming(f, newest.ms)) {
		event_add(f->release, &hold_time);
		return;
	}
	why = release(f);
	if (why != NULL)
		end(f, why);
	room_pump(room);
}

static void
hold(struct feed *f)
{
	f->held = evbuffer_new();
	f->release = evtimer_new(webrtc.svc->base, release_cb, f);
	event_add(f->release, &hold_time);
}

static const char *
take_or_hold(struct feed *f, const uint8_t *p, size_t n)
{
	if (f->begun_ms == 0 && room_is_other(f->room, f->ingest))
		hold(f);
	if (f->begun_ms == 0)
		f->begun_ms = now_ms();
	if (f->release == NULL)
		return take(f, p, n);
	evbuffer_add(f->held, p, n);
	if (!event_pending(f->release, EV_TIMEOUT, NULL))
		event_add(f->release, &hold_time);
	return evbuffer_get_length(f->held) > HOLD_BYTES ? release(f) : NULL;
}

static void
read_cb(evutil_socket_t fd, short what, void *ctx)
{
	static uint8_t buf[READ_BYTES];
	struct feed *f = ctx;
	struct room *room = f->room;
	const char *why = NULL;
	ssize_t n = 1;

	for (int i = 0; i < READS_PER_TURN && n > 0 && why == NULL; i++) {
		n = read(fd, buf, sizeof(buf));
		if (n > 0)
			why = take_or_hold(f, buf, (size_t)n);
	}
	if (why == NULL && n < 0 && errno != EAGAIN && errno != EINTR)
		why = strerror(errno);
	if (n == 0 && f->release != NULL && why == NULL)
		why = release(f);
	if (why != NULL || n == 0)
		end(f, why);
	room_pump(room);
}

static void
begin(struct room *r, enum room_track track, bool is_ogg, int64_t ingest, int fd)
{
	static const struct flv_read_ops flv_ops = { .media = on_media };
	static const struct ogg_ops ogg_ops = { .packet = on_packet };
	struct feed *f = xcalloc(1, sizeof(*f));

	*f = (struct feed){ .room = r, .track = track, .ingest = ingest, .fd = fd, .is_ogg = is_ogg, .fresh = true,
		.held_ms = INT64_MIN / 2 };
	if (is_ogg)
		ogg_init(&f->ogg, &ogg_ops, f);
	else
		flv_read_init(&f->flv, TAG_MAX, &flv_ops, f);
	f->ev = event_new(webrtc.svc->base, fd, EV_READ | EV_PERSIST, read_cb, f);
	event_add(f->ev, NULL);
	feed_free(room_feed(r, track));
	*room_feed(r, track) = f;
}

/* All that is not of this ingest is of a publisher who has left; ingest 0: all. */
static void
drop_others(struct room *r, int64_t ingest)
{
	for (int t = 0; t < ROOM_TRACKS; t++) {
		struct feed **f = room_feed(r, (enum room_track)t);

		if (*f != NULL && (*f)->ingest != ingest)
			feed_free(f);
	}
	if (room_is_other(r, ingest))
		room_cut(r);
}

static void
off(struct room *r)
{
	drop_others(r, 0);
	room_set_live(r, false);
}

static void
on(struct room *r, struct msg *m, int64_t ingest)
{
	const char *track = msg_str(m, "track"), *format = msg_str(m, "format");
	int fd = msg_take_fd(m, 0), t = 0;

	while (track != NULL && t < ROOM_TRACKS && strcmp(track, track_names[t]) != 0)
		t++;
	if (track == NULL || format == NULL || t == ROOM_TRACKS || fd < 0) {
		log_warnx("%s: a FEED that is none", room_name(r));
		if (fd >= 0)
			close(fd);
		return;
	}
	fd_cloexec_nonblock(fd);
	drop_others(r, ingest);
	begin(r, (enum room_track)t, strcmp(format, "ogg") == 0, ingest, fd);
	room_set_live(r, true);
}

void
feed_take(struct svc *s, struct msg *m)
{
	const char *name = msg_str(m, "name");
	struct room *r = name != NULL ? room_find(name) : NULL;
	int64_t ingest;

	/* Nobody may want it any more; its descriptor is closed, and the supervisor hears of that anyway. */
	if (r == NULL || msg_int(m, "ingest", &ingest) < 0)
		return;
	if (json_is_true(json_object_get(m->body, "on")))
		on(r, m, ingest);
	else
		off(r);
}
