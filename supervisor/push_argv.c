/*
 * push_argv.c - the one place that knows how an ffmpeg is told to send a stream to another
 * server. Integers and words in, argv out; the URL is the supervisor's own.
 * Pure. Called by output_start.c (parse) and output_push.c (argv).
 *
 * -loglevel info: "Output #0" is how it says that the target has accepted the stream.
 * -rw_timeout: a target that is mute, also at connect; -send_buffer_size: so that one that
 *   takes nothing is noticed after 256 KiB and not after the kernel's 2 MB.
 * -max_interleave_delta: else the output stands still for 10 s when audio or video pauses.
 * -threads, -filter_threads: else as many as there are processors, and each reserves address space.
 */
#include "supervisor/push_argv.h"

#include <stdlib.h>
#include <string.h>

#include "supervisor/args_media.h"
#include "util.h"

int
push_params_parse(const json_t *params, struct push_params *out, const char **why)
{
	static const char *const keys[] = { "matroska", "video", "audio", "transcode_video", "transcode_audio" };
	bool *values[] = { &out->matroska, &out->video, &out->audio, &out->transcode_video, &out->transcode_audio };

	*why = NULL;
	for (int i = 0; i < 5 && *why == NULL; i++)
		if (args_bool(params, keys[i], values[i]) == -1)
			*why = keys[i];
	if (*why == NULL && !out->video && !out->audio)
		*why = "video and audio: neither";
	return *why == NULL ? 0 : -1;
}

static void
add_codecs(struct args *a, const struct push_params *p)
{
	if (p->video && p->transcode_video) {
		args_x264_live(a);
		ADD(a, "-pix_fmt", "yuv420p", "-g", "250", "-force_key_frames", "source");
	} else if (p->video)
		ADD(a, "-c:v", "copy");
	if (p->audio && p->transcode_audio)
		args_aac(a, false);
	else if (p->audio)
		ADD(a, "-c:a", "copy");
}

char **
push_argv(const struct push_params *p, const char *ffmpeg, const char *url, const char *ca_file, int64_t answer_ms)
{
	struct args a = args_new();
	char *timeout = xasprintf("%lld", (long long)answer_ms * 1000);

	ADD(&a, ffmpeg, "-hide_banner", "-nostdin", "-loglevel", "level+info", "-nostats", "-y", "-fpsprobesize", "0",
	    "-analyzeduration", "500000", "-protocol_whitelist", "pipe");
	if (p->video && p->transcode_video)
		ADD(&a, "-threads", "2", "-filter_threads", "1");
	ADD(&a, "-f", p->matroska ? "matroska" : "flv", "-i", "pipe:0");
	if (p->video)
		ADD(&a, "-map", "0:v:0?");
	if (p->audio)
		ADD(&a, "-map", "0:a:0?");
	add_codecs(&a, p);
	ADD(&a, "-max_interleave_delta", "500000", "-rw_timeout", timeout, "-send_buffer_size", "262144");
	args_verify(&a, ca_file);
	ADD(&a, "-f", "flv", "-flvflags", "no_duration_filesize", url);
	free(timeout);
	return a.v;
}
