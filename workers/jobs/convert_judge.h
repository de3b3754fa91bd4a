/* convert_judge.h - what a conversion has come to: what ffmpeg said, and what it made. Pure. */
#ifndef MILLRACE_CONVERT_JUDGE_H
#define MILLRACE_CONVERT_JUDGE_H

#include <stdbool.h>

#include "workers/jobs/convert_probe.h"
#include "workers/jobs/flv_walk.h"
#include "workers/jobs/job.h"

/* What an ffmpeg that failed is taken for; *words, its own, become those for people. JOB_DEAD: nothing but
 * the file can be at fault, unless it was how it was tried; JOB_REFUSED: it is for sure. */
enum job_verdict convert_judge(const char **words);
/* What is wrong with an FLV that was made of this source, or NULL. copies: a track of it was copied. */
const char *convert_wrong(const struct convert_probe *source, const struct flv_walk *made, bool copies);
#endif
