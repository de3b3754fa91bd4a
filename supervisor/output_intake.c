/*
 * output_intake.c - SPAWN's params of kind "intake" checked, and ffmpeg's argv made of them
 * (contract in output_intake.h). Pure. Called by output_start.c. That ffmpeg reads a stranger's bytes
 * with every demuxer and decoder there is: no network, no file, not even one to write.
 *
 * Why these arguments (measured on ffmpeg 5.1 and 7.1):
 * -fpsprobesize 0, small probes: a browser's WebM is known by its first 500 ms. Never -fflags
 *   nobuffer: it throws away the first GOP, and a browser sends few.
 * +discardcorrupt: a sender that is cut off leaves half a frame, which the copy would choke on.
 * -threads 1 before -i: a decoder with frame threads is late by as many frames.
 * -force_key_frames by time: a browser's frame rate is whatever it is, so -g counts nothing.
 * -max_interleave_delta: else a track that pauses (a muted microphone) holds the other one back.
 * aresample=async: a browser's audio has holes where it was muted; players would drift.
 * -format_whitelist where the container is not told: a playlist is none.
 */
#include <stdlib.h>
#include <string.h>

#include "supervisor/output_intake.h"
#include "supervisor/args_media.h"
#include "util.h"

int
intake_params_parse(const json_t *params, struct intake_params *out, const char **why)
{
	static const struct { const char *word, *format; } containers[] = {
		{ "matroska", "matroska" }, { "mp4", "mov" }, { "mpegts", "mpegts" }, { "ogg", "ogg" }, { "any", NULL },
	};
	const char *word = json_string_value(json_object_get(params, "container"));
	const json_t *video = json_object_get(params, "copy_video"), *audio = json_object_get(params, "copy_audio");

	out->copy_video = json_is_true(video);
	out->copy_audio = json_is_true(audio);
	*why = !json_is_boolean(video) ? "copy_video" : !json_is_boolean(audio) ? "copy_audio" : NULL;
	if (*why != NULL)
		return -1;
	for (size_t i = 0; word != NULL && i < sizeof(containers) / sizeof(containers[0]); i++)
		if (strcmp(containers[i].word, word) == 0) {
			out->container = containers[i].format;
			return 0;
		}
	*why = "container";
	return -1;
}

char **
intake_argv(const struct intake_params *p, const char *ffmpeg)
{
	struct args a = args_new();

	ADD(&a, ffmpeg, "-hide_banner", "-nostdin", "-loglevel", "level+error", "-nostats", "-fflags",
	    "+discardcorrupt", "-fpsprobesize", "0", "-analyzeduration", "500000", "-probesize",
	    "1000000", "-protocol_whitelist", "pipe", "-threads", "1");
	if (p->container != NULL)
		ADD(&a, "-f", p->container);
	else
		ADD(&a, "-format_whitelist", ARGS_FORMATS);
	ADD(&a, "-i", "pipe:0", "-map", "0:v:0?", "-map", "0:a:0?", "-sn", "-dn");
	if (p->copy_video)
		ADD(&a, "-c:v", "copy");
	else {
		args_x264_live(&a);
		ADD(&a, "-vf", "scale=trunc(iw/2)*2:trunc(ih/2)*2:out_range=tv,format=yuv420p", "-fps_mode", "vfr");
		args_key_frames(&a);
	}
	if (p->copy_audio)
		ADD(&a, "-c:a", "copy");
	else
		args_aac(&a, true);
	ADD(&a, "-max_interleave_delta", "500000", "-flush_packets", "1", "-f", "flv", "-flvflags",
	    "no_duration_filesize", "pipe:3");
	return a.v;
}
