/*
 * rtc_argv.c - the one place that knows how an ffmpeg is told to make of a stream's sound Opus, or
 * of its video H.264 that every browser takes, as soon as possible (contract in rtc_argv.h).
 * Pure. Called by output_start.c.
 *
 * Why these arguments (measured on ffmpeg 5.1 and 7.1):
 * -copyts: the worker has one clock per stream, that of the tags; no output is rebased.
 * -fpsprobesize 0, little to analyse: first packet after 0.15 s. Never -fflags nobuffer: it throws
 *   away the first GOP. -threads 1: a decoder with frame threads is late by as many frames.
 * aresample=async=1: FLV has whole milliseconds; without it Opus' times jitter, and browsers
 *   conceal 13 % of the sound.
 * -page_duration 20000: else a page of Ogg is 1 s.
 * select: what is between the key frame and now is decoded, not encoded; else the first second of
 *   a transcoding is spent on the past.
 * -force_key_frames: every 2 s by time, as n_forced would count from the beginning of the times
 *   and -g counts frames of a rate that nobody knows.
 */
#include "supervisor/rtc_argv.h"

#include <stdlib.h>

#include "supervisor/args.h"
#include "util.h"

#define FROM_MAX (INT64_C(1) << 48)

int
rtc_params_parse(bool video, const json_t *params, struct rtc_params *out, const char **why)
{
	const json_t *matroska = json_object_get(params, "matroska"), *from = json_object_get(params, "from_ms");

	*out = (struct rtc_params){ .video = video, .matroska = json_is_true(matroska),
		.from_ms = json_integer_value(from) };
	*why = !json_is_boolean(matroska) ? "matroska" :
	    video && (!json_is_integer(from) || out->from_ms < 0 || out->from_ms > FROM_MAX) ? "from_ms" : NULL;
	return *why == NULL ? 0 : -1;
}

static void
add_video(struct args *a, const struct rtc_params *p)
{
	char *filters = xasprintf("select='gte(t,%lld.%03lld)',scale=trunc(iw/2)*2:trunc(ih/2)*2:out_range=tv,"
	    "format=yuv420p", (long long)(p->from_ms / 1000), (long long)(p->from_ms % 1000));

	ADD(a, "-map", "0:v:0", "-vf", filters, "-fps_mode", "vfr", "-c:v", "libx264", "-preset", "superfast", "-tune",
	    "zerolatency", "-profile:v", "baseline", "-threads:v", "2", "-crf", "23", "-maxrate", "4M", "-bufsize",
	    "2M", "-g", "250", "-sc_threshold", "0", "-force_key_frames",
	    "expr:if(isnan(prev_forced_t),1,gte(t,prev_forced_t+2))", "-flush_packets", "1", "-f", "flv", "-flvflags",
	    "no_duration_filesize", "pipe:1");
	free(filters);
}

static void
add_audio(struct args *a, int64_t opus_bps)
{
	char *bps = xasprintf("%lld", (long long)opus_bps);

	ADD(a, "-map", "0:a:0", "-af", "aresample=async=1", "-ar", "48000", "-ac", "2", "-c:a", "libopus", "-b:a", bps,
	    "-application", "lowdelay", "-frame_duration", "20", "-page_duration", "20000", "-flush_packets", "1", "-f",
	    "ogg", "pipe:1");
	free(bps);
}

char **
rtc_argv(const struct rtc_params *p, const char *ffmpeg, int64_t opus_bps)
{
	struct args a = args_new();

	ADD(&a, ffmpeg, "-hide_banner", "-nostdin", "-loglevel", "level+error", "-nostats", "-fpsprobesize", "0",
	    "-probesize", "32768", "-analyzeduration", "100000", "-protocol_whitelist", "pipe", "-threads", "1",
	    "-filter_threads", "1", "-copyts", "-f", p->matroska ? "matroska" : "flv", "-i", "pipe:0");
	if (p->video)
		add_video(&a, p);
	else
		add_audio(&a, opus_bps);
	return a.v;
}
