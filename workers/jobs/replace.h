/*
 * replace.h - a raw recording that went to the bucket while it was written stays there until its MP4
 * is verified beside it. data_dir/uploads/RAWID.link says what it became: written by the job that
 * made the MP4, before the raw file goes.
 */
#ifndef MILLRACE_REPLACE_H
#define MILLRACE_REPLACE_H

#include "svc.h"
#include "workers/common/ledger.h"

/*
 * By finalise, in any worker: removes the raw file, and notes what it became. file: rec/NAME/START.flv;
 * mp4: relative to data_dir, is on the disk; "" if there was nothing in it. 0, or -1 + errno: it is still there.
 */
int replace_raw(const struct svc *svc, const struct ledger *l, const char *file, const char *mp4);

/* --- in the first worker --- */
void replace_run(void);		/* looks at each link, removes objects whose MP4 is there */
void replace_stop(void);
void replace_up(void);		/* the ledger may have forgotten: the next pass tells it again */
/* The ledger learns that the raw file with this id is in the bucket, as its mark says. */
void replace_tell(const char *id);
#endif
