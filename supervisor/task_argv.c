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

#include "util.h"

#define ARGS_MAX 40
#define PATH_BYTES 400

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

int
task_params_parse(const char *kind, const json_t *params, struct task_params *out, const char **why)
{
	memset(out, 0, sizeof(*out));
	out->input = json_string_value(json_object_get(params, "input"));
	out->output = json_string_value(json_object_get(params, "output"));
	out->matroska = json_is_true(json_object_get(params, "matroska"));
	out->transcode_audio = json_is_true(json_object_get(params, "transcode_audio"));
	out->hvc1 = json_is_true(json_object_get(params, "hvc1"));
	out->tail = json_is_true(json_object_get(params, "tail"));
	*why = "kind";
	if (strcmp(kind, "check") == 0)
		out->kind = TASK_CHECK;
	else if (strcmp(kind, "remux") != 0)
		return -1;
	*why = "output";
	if (!is_plain(out->output))
		return -1;
	*why = "input";
	return is_plain(out->input) ? 0 : -1;
}

struct args { char **v; int n; };

static void
add(struct args *a, const char *const *list)
{
	for (; *list != NULL && a->n < ARGS_MAX - 1; list++)
		a->v[a->n++] = xstrdup(*list);
}
#define ADD(a, ...) add(a, (const char *const[]){ __VA_ARGS__, NULL })

static void
add_remux(struct args *a, const struct task_params *p, const char *output)
{
	ADD(a, "-y", "-nostats", "-stats_period", "1", "-progress", "pipe:3", "-protocol_whitelist", "pipe,file",
	    "-f", p->matroska ? "matroska" : "flv", "-i", "pipe:0", "-map", "0:v:0?", "-map", "0:a:0?", "-c", "copy");
	if (p->transcode_audio)
		ADD(a, "-c:a", "aac", "-b:a", "128k");
	if (p->hvc1)
		ADD(a, "-tag:v", "hvc1");
	ADD(a, "-max_interleave_delta", "500000", "-movflags", "+faststart", "-f", "mp4", output);
}

static void
add_check(struct args *a, const struct task_params *p, const char *output)
{
	ADD(a, "-nostats", "-xerror", "-protocol_whitelist", "file", "-format_whitelist", "mov");
	if (p->tail)
		ADD(a, "-sseof", "-3");
	ADD(a, "-t", "3", "-i", output, "-f", "null", "-");
}

char **
task_argv(const struct task_params *p, const char *ffmpeg, const char *output)
{
	struct args a = { xcalloc(ARGS_MAX, sizeof(char *)), 0 };

	ADD(&a, ffmpeg, "-hide_banner", "-nostdin", "-loglevel", "level+info");
	(p->kind == TASK_REMUX ? add_remux : add_check)(&a, p, output);
	return a.v;
}

void
task_argv_free(char ***argv)
{
	for (char **p = *argv; p != NULL && *p != NULL; p++)
		free(*p);
	free(*argv);
	*argv = NULL;
}
