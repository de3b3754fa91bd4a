/*
 * convert_judge.c - whose fault is it (contract in convert_judge.h)? Most often the file's; a full disk or a
 * killed ffmpeg is not. Called by convert.c.
 */
#include "workers/jobs/convert_judge.h"

#include <stddef.h>
#include <string.h>

#define KEY_GAP_MS 10000	/* viewers wait so long at most, and many servers end a stream that has more */
#define SHORT_MS 2000		/* an FLV so much shorter than its source said is not whole */

enum job_verdict
convert_judge(const char **words)
{
	static const struct { const char *part, *words; enum job_verdict verdict; } known[] = {
		{ "No space left", "no space left on the disk", JOB_LATER },
		{ "SIGXFSZ", "what it unfolds to is bigger than upload.max_size", JOB_REFUSED },
		{ "killed by", NULL, JOB_AGAIN },
		{ "Cannot allocate memory", NULL, JOB_AGAIN },
	};
	const char *path = strstr(*words, ".part: ");

	if (path != NULL)	/* where it lies is nobody's business */
		*words = path + 7;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strstr(*words, known[i].part) != NULL) {
			*words = known[i].words != NULL ? known[i].words : *words;
			return known[i].verdict;
		}
	return JOB_DEAD;
}

const char *
convert_wrong(const struct convert_probe *source, const struct flv_walk *made, bool copies)
{
	if (!made->video && !made->audio)
		return "not one frame of it could be read";
	if (source->video != CONVERT_NONE && !made->video)
		return "its video could not be read";
	if (made->video && made->key_gap_ms > KEY_GAP_MS)
		return "its video has too few key frames";
	/* the source's own word for it is no more than a hint when it is encoded */
	if (copies && source->duration_ms > made->duration_ms + SHORT_MS)
		return "only a part of it could be read";
	return NULL;
}
