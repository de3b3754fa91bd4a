/*
 * output_argv.c - from a SPAWN's params to ffmpeg's argv. Pure: no process, no file.
 *
 * Params are integers and enums, each checked here; nothing that came from outside is
 * ever part of an argument, except the stream's NAME inside dir. Called by output_start.c.
 *
 * Why these arguments (measured on ffmpeg 5.1 to 9.0):
 * -fpsprobesize 0: starts after the first packets. Never -fflags nobuffer: it throws the
 *   first GOP away.
 * -analyzeduration 0.5 s: without parsers it looks at all of that, so that a first segment
 *   of 1 s would miss its cut with 1 s; both sequence headers come first, it needs no more.
 * -max_interleave_delta: else a track that stops holds the other one back for 10 s.
 * -f segment with -segment_list: ffmpeg cuts and says so on fd 3; the ingest owns the
 *   playlist. Time goes in as the segment format's output_ts_offset, because the segment
 *   muxer counts its cuts from absolute zero: with -copyts it would cut at every key frame.
 * segment_time: the n-th cut comes at the first key frame at or after n x segment_time. So
 *   a GOP of exactly one segment, with a clock a little fast or times rounded to ms, would
 *   now and then miss its cut and two GOPs become one segment; nine tenths leave room.
 * segment_ms 0: the ingest decides. Parsers are switched off, so that a key frame is what
 *   the FLV tag calls one, and everything called so is cut at. (Matroska has no decode
 *   times, its packets need the parser: there every key frame cuts.)
 * cmaf + frag_discont: one fragment per GOP, times go on from output_ts_offset; the init
 *   section goes to a file of its own.
 */
#include "supervisor/output_argv.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/args_media.h"
#include "util.h"

#define EVERY_KEY_FRAME "0.001"
#define AUDIO_PCR "pcr_period=90:"	/* about its own choice for audio alone, which it warns of in each segment */

static void
add_pair(struct args *a, const char *option, char *value)
{
	ADD(a, option, value);
	free(value);
}

static int
get_int(const json_t *params, const char *key, int64_t max, int64_t *out)
{
	const json_t *v = json_object_get(params, key);

	if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > max)
		return -1;
	*out = json_integer_value(v);
	return 0;
}

/* One of two words; absent means the first. */
static int
get_choice(const json_t *params, const char *key, const char *first, const char *second, bool *out)
{
	const json_t *v = json_object_get(params, key);
	const char *s = v == NULL ? first : json_string_value(v);

	*out = s != NULL && strcmp(s, second) == 0;
	return s != NULL && (*out || strcmp(s, first) == 0) ? 0 : -1;
}

int
output_params_parse(const json_t *params, struct output_params *out, const char **why)
{
	const char *codec = json_string_value(json_object_get(params, "video_codec"));

	memset(out, 0, sizeof(*out));
	*why = NULL;
	if (get_int(params, "run", INT64_C(1) << 52, &out->run) == -1)
		*why = "run";
	else if (get_int(params, "start_number", INT_MAX, &out->start_number) == -1)
		*why = "start_number";
	else if (get_int(params, "offset_ms", INT64_C(1) << 48, &out->offset_ms) == -1)
		*why = "offset_ms";
	else if (get_int(params, "segment_ms", 60000, &out->segment_ms) == -1)
		*why = "segment_ms";
	else if (get_choice(params, "container", "flv", "matroska", &out->matroska) == -1)
		*why = "container";
	else if (get_choice(params, "format", "mpegts", "fmp4", &out->fmp4) == -1)
		*why = "format";
	else if (args_bool(params, "video", &out->video) == -1)
		*why = "video";
	else if (args_bool(params, "audio", &out->audio) == -1)
		*why = "audio";
	else if (!out->video && !out->audio)
		*why = "video and audio: neither";
	else if (!out->video && out->segment_ms == 0)
		*why = "segment_ms: 0 without video";	/* every audio packet is a key frame */
	out->transcode_audio = json_is_true(json_object_get(params, "transcode_audio"));
	out->hvc1 = codec != NULL && strcmp(codec, "hevc") == 0;
	return *why == NULL ? 0 : -1;
}

static void
add_input(struct args *a, const struct output_params *p)
{
	static const char *const head[] = { "-hide_banner", "-nostdin", "-loglevel",
		"level+warning", "-nostats", "-y", "-fpsprobesize", "0", "-analyzeduration",
		"500000", "-protocol_whitelist", "pipe", NULL };

	args_add(a, head);
	if (p->segment_ms == 0 && !p->matroska)
		ADD(a, "-fflags", "+nofillin+noparse");
	ADD(a, "-f", p->matroska ? "matroska" : "flv");
	ADD(a, "-i", "pipe:0");
	if (p->video)
		ADD(a, "-map", "0:v:0?");
	if (p->audio)
		ADD(a, "-map", "0:a:0?");
}

static void
add_codecs(struct args *a, const struct output_params *p)
{
	if (p->video)
		ADD(a, "-c:v", "copy");
	if (p->audio && p->transcode_audio)
		args_aac(a, p->matroska);	/* Opus of WHIP: packets may have been lost on the way */
	else if (p->audio)
		ADD(a, "-c:a", "copy");
	if (p->fmp4 && p->hvc1)
		ADD(a, "-tag:v", "hvc1");
	ADD(a, "-max_interleave_delta", "500000");
}

static char *
segment_time(const struct output_params *p)
{
	int64_t ms = p->video ? p->segment_ms * 9 / 10 : p->segment_ms;

	if (ms == 0)
		return xstrdup(EVERY_KEY_FRAME);
	return xasprintf("%lld.%03lld", (long long)(ms / 1000), (long long)(ms % 1000));
}

static void
add_format(struct args *a, const struct output_params *p, const char *dir)
{
	long long sec = p->offset_ms / 1000, ms = p->offset_ms % 1000;

	if (!p->fmp4) {
		ADD(a, "-segment_format", "mpegts");
		add_pair(a, "-segment_format_options",
		    xasprintf("%soutput_ts_offset=%lld.%03lld", p->video ? "" : AUDIO_PCR, sec, ms));
		return;
	}
	ADD(a, "-segment_format", "mp4");
	ADD(a, "-individual_header_trailer", "0");
	add_pair(a, "-segment_header_filename",
	    xasprintf("%s/s%lld_init.mp4", dir, (long long)p->run));
	add_pair(a, "-segment_format_options",
	    xasprintf("movflags=+cmaf+frag_keyframe+frag_discont:output_ts_offset=%lld.%03lld",
	    sec, ms));
}

char **
output_argv(const struct output_params *p, const char *ffmpeg, const char *dir)
{
	struct args a = args_new();

	ADD(&a, ffmpeg);
	add_input(&a, p);
	add_codecs(&a, p);
	ADD(&a, "-f", "segment");
	add_pair(&a, "-segment_time", segment_time(p));
	ADD(&a, "-break_non_keyframes", "0");
	add_format(&a, p, dir);
	add_pair(&a, "-segment_start_number", xasprintf("%lld", (long long)p->start_number));
	ADD(&a, "-segment_list", "pipe:3");
	ADD(&a, "-segment_list_type", "csv");
	a.v[a.n++] = xasprintf("%s/s%lld_%%06d.%s", dir, (long long)p->run, p->fmp4 ? "m4s" : "ts");
	return a.v;
}
