/* args_media.c - see args_media.h. Called by output_argv.c, output_intake_argv.c, push_argv.c and task_argv.c. */
#include "supervisor/args_media.h"

#include <string.h>

#define CA_FILE "/etc/ssl/certs/ca-certificates.crt"

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

void
args_verify(struct args *a, const char *url, bool verify)
{
	if (strncmp(url, "rtmps:", 6) == 0 && verify)
		ADD(a, "-tls_verify", "1", "-ca_file", CA_FILE);
}
