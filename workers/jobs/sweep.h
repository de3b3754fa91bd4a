/*
 * sweep.h - multipart uploads that nobody will ever finish are aborted: given up here (a job that is
 * dead or cancelled, a file that is gone), or open in the bucket for longer than
 * storage.s3.stale_after and known to no host.
 */
#ifndef MILLRACE_SWEEP_H
#define MILLRACE_SWEEP_H

void sweep_run(void);		/* each jobs.scan, while Redis is up */
void sweep_stop(void);
#endif
