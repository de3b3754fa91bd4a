/*
 * task_argv.c - an ffmpeg's argv for a job (contract in task_argv.h). Called by task.c.
 *
 * Paths are relative, of plain names only: nothing that leads out of data_dir, nothing hidden
 * but the file itself, no option in disguise (every one gets data_dir in front).
 * -max_interleave_delta as with HLS; faststart moves the index to the front in a second pass.
 */
#include "supervisor/task_argv.h"

#include <stdlib.h>
#include <string.h>

#include "stream_name.h"
#include "supervisor/args_media.h"
#include "util.h"

#define PATH_BYTES 400

#define MAX_PIXELS "8912896"	/* 4096 x 2176 */

static bool
is_plain(const char *path)
{
	size_t n = path != NULL ? strlen(path) : 0;

	if (n == 0 || n > PATH_BYTES || path[0] == '/' || strchr(path, '/') == NULL || path[n - 1] == '/' ||
	    strstr(path, "//") != NULL || strstr(path, "/../") != NULL || strncmp(path, "../", 3) == 0 ||
	    strcmp(path + n - 3, "/..") == 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)path[i] < 32 || path[i] == 127)
			return false;
	return true;
}

static enum task_track
track(const json_t *params, const char *key)
{
	const char *s = json_string_value(json_object_get(params, key));

	return s == NULL ? TASK_NONE : strcmp(s, "copy") == 0 ? TASK_COPY : strcmp(s, "encode") == 0 ? TASK_ENCODE :
	    TASK_NONE;
}

static int
find_kind(const char *kind, enum task_kind *out)
{
	static const char *const kinds[] = { "remux", "check", "frames", "playback", "probe", "convert", "push" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kind, kinds[i]) == 0) {
			*out = (enum task_kind)i;
			return 0;
		}
	return -1;
}

/* 0, or -1: "fps" is what is wrong, or stands for it. */
static int
frames_params(const json_t *params, struct task_params *out)
{
	out->width = json_integer_value(json_object_get(params, "width")) & ~1;
	out->height = json_integer_value(json_object_get(params, "height")) & ~1;
	out->fps = json_integer_value(json_object_get(params, "fps"));
	out->timed = json_is_true(json_object_get(params, "timed"));
	out->sound = json_is_true(json_object_get(params, "sound"));
	out->video_ms = json_integer_value(json_object_get(params, "video_ms"));
	out->audio_ms = json_integer_value(json_object_get(params, "audio_ms"));
	return out->fps < 1 || out->fps > 1000 || out->width < 0 || out->height < 0 || out->width > 65535 ||
	    out->height > 65535 || out->video_ms < 0 || out->audio_ms < 0 ? -1 : 0;
}

/* An ingest may have sounds of frames sessions played, and the one of the config (""). */
static bool
may_play(const char *input)
{
	return input != NULL && (input[0] == '\0' || (is_plain(input) && strncmp(input, "media/", 6) == 0));
}

int
task_params_parse(const char *kind, const json_t *params, struct task_params *out, const char **why)
{
	memset(out, 0, sizeof(*out));
	out->input = json_string_value(json_object_get(params, "input"));
	out->output = json_string_value(json_object_get(params, "output"));
	out->matroska = json_is_true(json_object_get(params, "matroska"));
	out->transcode_audio = json_is_true(json_object_get(params, "transcode_audio"));
	out->hvc1 = json_is_true(json_object_get(params, "hvc1"));
	out->sound_only = json_is_true(json_object_get(params, "sound_only"));
	out->tail = json_is_true(json_object_get(params, "tail"));
	out->bytes = json_integer_value(json_object_get(params, "bytes"));
	out->video = track(params, "video");
	out->audio = track(params, "audio");
	out->start_ms = json_integer_value(json_object_get(params, "start_ms"));
	out->name = json_string_value(json_object_get(params, "name"));
	*why = "kind";
	if (find_kind(kind, &out->kind) == -1)
		return -1;
	*why = "input";
	out->samples = json_integer_value(json_object_get(params, "samples"));
	if (out->kind == TASK_PLAYBACK)
		return may_play(out->input) && out->samples >= 0 ? 0 : -1;
	*why = "fps";
	if (out->kind == TASK_FRAMES && frames_params(params, out) == -1)
		return -1;
	*why = "output";
	if (out->kind != TASK_PROBE && out->kind != TASK_PUSH && !is_plain(out->output))
		return -1;
	*why = "name";
	if (out->kind == TASK_PUSH && (out->name == NULL || !stream_name_ok(out->name, strlen(out->name))))
		return -1;
	*why = "video";		/* neither is nothing to do */
	if (out->kind == TASK_CONVERT && out->video == TASK_NONE && out->audio == TASK_NONE)
		return -1;
	*why = "bytes";
	if (out->bytes < 0)
		return -1;
	*why = "input";
	return is_plain(out->input) ? 0 : -1;
}

/* A part of a file can be had by path only. */
static void
add_remux(struct args *a, const struct task_params *p, const struct task_place *at)
{
	char *url = p->bytes > 0 ? xasprintf("subfile,,start,0,end,%lld,,:file:%s", (long long)p->bytes, at->input) :
	    xstrdup("pipe:0");

	ADD(a, "-y", "-nostats", "-stats_period", "1", "-progress", "pipe:3", "-protocol_whitelist",
	    p->bytes > 0 ? "subfile,file" : "pipe,file", "-f", p->matroska ? "matroska" : "flv", "-i", url);
	if (!p->sound_only)
		ADD(a, "-map", "0:v:0?");
	ADD(a, "-map", "0:a:0?", "-c", "copy");
	if (p->transcode_audio)
		ADD(a, "-c:a", "aac", "-b:a", "128k");
	if (p->hvc1)
		ADD(a, "-tag:v", "hvc1");
	ADD(a, "-max_interleave_delta", "500000", "-movflags", "+faststart", "-f", "mp4", at->output);
	free(url);
}

/*
 * What is judged is whether all of it can be decoded. Its times are not: the null muxer, which counts in frames
 * of an even rate, calls it an error when two of them fall together, so each frame gets the next number.
 */
static void
add_check(struct args *a, const struct task_params *p, const struct task_place *at)
{
	ADD(a, "-nostats", "-xerror", "-protocol_whitelist", "file", "-format_whitelist", "mov");
	if (p->tail)
		ADD(a, "-sseof", "-3");
	ADD(a, "-t", "3", "-i", at->output, "-vf", "settb=1/1000,setpts=N", "-enc_time_base:v", "1:1000", "-fps_mode",
	    "passthrough", "-af", "asetpts=N/SR/TB", "-f", "null", "-");
}

/* Even, and 2 at least: of the first frame, into which all others are fitted. */
static char *
picture_filter(const struct task_params *p)
{
	long long w = p->width < 2 ? 2 : p->width, h = p->height < 2 ? 2 : p->height;
	char *fit = xasprintf("scale=%lld:%lld:force_original_aspect_ratio=decrease:force_divisible_by=2:out_range=tv,"
	    "pad=%lld:%lld:(ow-iw)/2:(oh-ih)/2,setsar=1,format=yuv420p", w, h, w, h);
	char *all = p->timed ? xasprintf("setpts=PTS-STARTPTS+%lld.%03d/TB,%s", (long long)p->video_ms / 1000,
	    (int)(p->video_ms % 1000), fit) : xstrdup(fit);

	free(fit);
	return all;
}

/*
 * Frames without times are so many a second; those with times keep each its own. The last of them lasts
 * 1 ms at least: ffmpeg 7 gives it no length, and what has none is not shown. Of a picture that cannot be
 * decoded the others are made all the same: how many there are is for the job to judge.
 */
static void
add_frames(struct args *a, const struct task_params *p, const struct task_place *at)
{
	char *fps = xasprintf("%lld", (long long)p->fps), *gop = xasprintf("%lld", (long long)p->fps * 2);
	char *picture = picture_filter(p), *sound = xasprintf("asetpts=N/SR/TB+%lld.%03d/TB",
	    (long long)p->audio_ms / 1000, (int)(p->audio_ms % 1000));

	ADD(a, "-y", "-nostats", "-stats_period", "1", "-progress", "pipe:3", "-protocol_whitelist", "pipe,file",
	    "-analyzeduration", "60M", "-probesize", "32M", "-threads", "1");
	if (!p->timed)
		ADD(a, "-r", fps);
	ADD(a, "-f", "matroska", "-i", "pipe:0", "-map", "0:v:0", "-vf", picture, "-c:v", "libx264", "-preset",
	    "ultrafast", "-crf", "23", "-g", gop, "-threads", "2", "-fps_mode", "passthrough");
	if (p->timed)
		ADD(a, "-enc_time_base:v", "1:1000", "-bsf:v", "setts=duration=max(DURATION\\,1)");
	if (p->sound)
		ADD(a, "-map", "0:a:0", "-af", sound, "-c:a", "aac", "-b:a", "96k");
	ADD(a, "-movflags", "+faststart", "-f", "mp4", at->output);
	free(fps);
	free(gop);
	free(picture);
	free(sound);
}

/* By path, as below. It is written only as fast as it is read. */
static void
add_playback(struct args *a, const struct task_params *p, const struct task_place *at)
{
	char *url = xasprintf("file:%s", at->input), *cut = xasprintf("atrim=end_sample=%lld", (long long)p->samples);

	ADD(a, "-nostats", "-protocol_whitelist", "file", "-format_whitelist", ARGS_FORMATS ",flac", "-i", url, "-map",
	    "0:a:0");
	if (p->samples > 0)
		ADD(a, "-af", cut);
	ADD(a, "-ar", "24000", "-ac", "1", "-c:a", "pcm_s16le", "-flush_packets", "1", "-f", "s16le", "pipe:1");
	free(url);
	free(cut);
}

/* By path, because only a file that can be searched is read whole (an index at its end). */
static void
add_strangers_file(struct args *a, const struct task_place *at)
{
	char *url = xasprintf("file:%s", at->input);

	ADD(a, "-protocol_whitelist", "file", "-format_whitelist", ARGS_FORMATS, "-max_pixels", MAX_PIXELS, "-i", url);
	free(url);
}

static void
add_probe(struct args *a, const struct task_params *p, const struct task_place *at)
{
	ADD(a, "-nostats");
	add_strangers_file(a, at);
	ADD(a, "-map", "0:V:0?", "-map", "0:a:0?", "-c", "copy", "-t", "0.1", "-f", "null", "-");
}

/* A key frame each 2 s; odd sizes made even; the encoder looks ahead, so no -max_interleave_delta. */
static void
add_encoder(struct args *a, const struct task_place *at)
{
	char *rate = xasprintf("%lldk", (long long)at->max_kbps);
	char *twice = xasprintf("%lldk", (long long)at->max_kbps * 2);

	ADD(a, "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-vf",
	    "scale=trunc(iw/2)*2:trunc(ih/2)*2", "-crf", "23", "-maxrate", rate, "-bufsize", twice, "-threads", "2");
	args_key_frames(a);
	free(rate);
	free(twice);
}

static void
add_convert(struct args *a, const struct task_params *p, const struct task_place *at)
{
	ADD(a, "-y", "-nostats", "-stats_period", "1", "-progress", "pipe:3", "-threads", "2");
	add_strangers_file(a, at);
	if (p->video != TASK_NONE)
		ADD(a, "-map", "0:V:0");
	if (p->audio != TASK_NONE)
		ADD(a, "-map", "0:a:0");
	ADD(a, "-sn", "-dn", "-map_metadata", "-1", "-map_chapters", "-1");
	if (p->video == TASK_COPY)
		ADD(a, "-c:v", "copy");
	else if (p->video == TASK_ENCODE)
		add_encoder(a, at);
	if (p->audio == TASK_COPY)
		ADD(a, "-c:a", "copy");
	else if (p->audio == TASK_ENCODE)
		args_aac(a, true);
	ADD(a, "-f", "flv", "-flvflags", "no_duration_filesize", "pipe:1");
}

/* rw_timeout: a server that takes nothing; send_buffer_size: so that this is seen soon. */
static void
add_push(struct args *a, const struct task_params *p, const struct task_place *at)
{
	char *url = xasprintf("file:%s", at->input), *start = xasprintf("%lld.%03d", (long long)p->start_ms / 1000,
	    (int)(p->start_ms % 1000));

	ADD(a, "-nostats", "-stats_period", "0.5", "-progress", "pipe:3", "-protocol_whitelist", "file", "-re");
	if (p->start_ms > 0)
		ADD(a, "-ss", start);
	ADD(a, "-f", "flv", "-i", url, "-map", "0:v:0?", "-map", "0:a:0?", "-c", "copy", "-rw_timeout", "5000000",
	    "-send_buffer_size", "262144");
	args_verify(a, at->ca_file);
	ADD(a, "-f", "flv", "-flvflags", "no_duration_filesize", at->output);
	free(url);
	free(start);
}

char **
task_argv(const struct task_params *p, const struct task_place *at)
{
	static void (*const kinds[])(struct args *, const struct task_params *, const struct task_place *) = {
		[TASK_REMUX] = add_remux, [TASK_CHECK] = add_check, [TASK_FRAMES] = add_frames,
		[TASK_PLAYBACK] = add_playback, [TASK_PROBE] = add_probe,
		[TASK_CONVERT] = add_convert, [TASK_PUSH] = add_push,
	};
	struct args a = args_new();

	ADD(&a, at->ffmpeg, "-hide_banner", "-nostdin", "-loglevel", "level+info");
	kinds[p->kind](&a, p, at);
	return a.v;
}
