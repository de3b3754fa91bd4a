/*
 * sink_rtc.c - the ffmpegs on a stream's way to browsers (contract in sink_rtc.h): what sink_child.c
 * does for pushes, fed one track with the ring's own times, live rather than complete. What comes
 * out goes from the supervisor straight to the webrtc worker. Called by browsers.c.
 */
#include "sink_rtc.h"

#include <string.h>

#include "conf.h"
#include "framing.h"
#include "log.h"
#include "sink_child.h"
#include "util.h"

static json_t *
params_for(const struct sink_child *c, const struct ring_gen *g)
{
	return json_pack("{s:b}", "matroska", framing_is_matroska(g, c->at.feed.tracks));
}

/* What lies between the key frame and now is there to be decoded; nobody would see it in time. */
static void
asking(struct sink_child *c, json_t *spawn)
{
	json_object_set_new(json_object_get(spawn, "params"), "from_ms", json_integer(c->at.newest_ms));
}

static void
opus_line(struct sink_child *c, const char *line)
{
	log_foreign(LOG_LEVEL_WARN, "ffmpeg " RTC_OPUS, line, (int)strlen(line));
}

static void
h264_line(struct sink_child *c, const char *line)
{
	log_foreign(LOG_LEVEL_WARN, "ffmpeg " RTC_H264, line, (int)strlen(line));
}

static const struct sink_child_kind opus_kind = {
	.name = RTC_OPUS, .mute = "it took no sound", .params = params_for, .line = opus_line,
};
static const struct sink_child_kind h264_kind = {
	.name = RTC_H264, .mute = "it took no video", .params = params_for, .asking = asking, .line = h264_line,
};

struct sink *
sink_rtc_new(const struct sink_env *env, bool video)
{
	const struct sink_child_kind *kind = video ? &h264_kind : &opus_kind;
	struct sink_child *c = xcalloc(1, sizeof(*c));

	sink_child_init(c, kind, env, kind->name);
	c->at.feed.tracks = video ? FRAMING_VIDEO : FRAMING_AUDIO;
	c->at.ring_times = true;
	c->at.batch_ms = conf_int(env->svc->conf, "webrtc.batch");
	c->at.lag_ms = conf_int(env->svc->conf, "webrtc.lag");
	c->stuck_ms = conf_int(env->svc->conf, "streams.hls.stuck");
	return &c->sink;
}

void
sink_rtc_remove(struct sink **s, const char *why)
{
	sink_child_end(sink_child_of(*s), why);
	(*s)->ops->free(s);
}
