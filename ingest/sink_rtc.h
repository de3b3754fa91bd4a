/*
 * sink_rtc.h - a track that browsers cannot take, as a sink (sink.h): the ffmpeg that makes Opus of
 * the sound, or H.264 baseline of the video, for the webrtc worker.
 */
#ifndef MILLRACE_SINK_RTC_H
#define MILLRACE_SINK_RTC_H

#include "sink.h"

#define RTC_OPUS "opus"		/* the outputs' names to the supervisor, and their kinds */
#define RTC_H264 "h264"

struct sink *sink_rtc_new(const struct sink_env *env, bool video);
/* It is not wanted any more; sets *s NULL. */
void sink_rtc_remove(struct sink **s, const char *why);
#endif
