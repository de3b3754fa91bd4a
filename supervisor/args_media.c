/* args_media.c - see args_media.h. Called by output_argv.c, output_intake.c, push_argv.c and task_argv.c. */
#include "supervisor/args_media.h"

#include <string.h>

int
args_bool(const json_t *params, const char *key, bool *out)
{
	const json_t *v = json_object_get(params, key);

	*out = json_is_true(v);
	return json_is_boolean(v) ? 0 : -1;
}

void
args_aac(struct args *a, bool holes)
{
	ADD(a, "-c:a", "aac", "-b:a", "128k", "-ar", "48000", "-ac", "2");
	if (holes)
		ADD(a, "-af", "aresample=async=1000");
}

void
args_x264_live(struct args *a)
{
	ADD(a, "-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-crf", "23", "-maxrate", "6M",
	    "-bufsize", "6M", "-threads:v", "2");
}

void
args_key_frames(struct args *a)
{
	ADD(a, "-g", "600", "-sc_threshold", "0", "-force_key_frames", "expr:gte(t,n_forced*2)");
}

const char *
args_ca_file(const char *url, bool verify, const char *ca_file)
{
	return verify && strncmp(url, "rtmps:", 6) == 0 ? ca_file : NULL;
}

void
args_verify(struct args *a, const char *ca_file)
{
	if (ca_file != NULL)
		ADD(a, "-tls_verify", "1", "-ca_file", ca_file);
}
