/*
 * finalise_look.c - the raw file is locked, and a thread goes through it: what has not one frame goes, what is
 * damaged before the first one stays as it is. All else is finalise.c's, which calls this.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "log.h"
#include "slow.h"
#include "workers/jobs/finalise_int.h"
#include "workers/jobs/replace.h"

/* 1: go on; 0: the job has ended. */
static int
lock_raw(struct finalise *f)
{
	char path[PATH_BYTES];
	struct job *job = f->job;

	f->lock = open(finalise_path(f, f->file, path), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (f->lock < 0 && errno == ENOENT) {		/* it was done before */
		finalise_free(f);
		job_done(job, NULL);
		return 0;
	}
	if (f->lock < 0) {
		finalise_fail(f, JOB_AGAIN, strerror(errno));
		return 0;
	}
	if (flock(f->lock, LOCK_EX | LOCK_NB) == -1) {
		finalise_fail(f, JOB_LATER, "somebody still writes or finishes it");
		return 0;
	}
	return 1;
}

static void
remove_empty(struct finalise *f)
{
	struct job *job = f->job;

	log_info("recording %s has not one frame: removed", f->file);
	if (replace_raw(f->svc, job->ledger, f->file, "") == -1)
		log_warn("cannot remove %s", f->file);
	finalise_free(f);
	job_done(job, NULL);
}

/* On a thread. 0 or an errno. */
static int
look(void *ctx)
{
	struct finalise *f = ctx;

	return raw_read(f->lock, &f->raw) == 0 ? 0 : errno;
}

static void
looked_cb(int rc, void *ctx)
{
	struct finalise *f = ctx;

	f->slow = NULL;
	if (rc != 0)
		finalise_fail(f, rc == EBADMSG ? JOB_DEAD : JOB_AGAIN, rc == EBADMSG ?
		    "it is neither FLV nor Matroska; it is kept" : strerror(rc));
	else if (!f->raw.empty)
		finalise_make(f);
	else if (f->raw.more_behind)
		finalise_fail(f, JOB_DEAD, "it is damaged before its first frame is whole; it is kept");
	else
		remove_empty(f);
}

void
finalise_look(struct finalise *f)
{
	if (lock_raw(f) == 0)
		return;
	f->slow = slow_run(f->svc->base, look, looked_cb, f);
	if (f->slow == NULL)
		finalise_fail(f, JOB_AGAIN, "no thread to look how much of it is whole");
}
