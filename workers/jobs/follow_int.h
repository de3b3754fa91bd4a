/* follow_int.h - between follow.c (the files), follow_look.c (finds them) and follow_send.c (their uploads) only. */
#ifndef MILLRACE_FOLLOW_INT_H
#define MILLRACE_FOLLOW_INT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "board.h"
#include "workers/jobs/bucket.h"
#include "workers/jobs/upload.h"

#define FOLLOW_FILE 320

struct follow {
	LIST_ENTRY(follow) entry;
	char file[FOLLOW_FILE], path[BUCKET_PATH], id[LEDGER_ID], object[BUCKET_PATH], stream[BOARD_NAME];
	int fd, lock;			/* lock: of the upload, not of the recording */
	int64_t size, grown_ms;		/* and when it was seen to grow */
	int64_t again_ms, told_ms;
	int failures;
	bool ended, over;		/* over: it is in the bucket, or is not to be */
	struct upload *upload;
};

/* follow.c */
bool follow_any_under_way(void);
void follow_over(struct follow *f);
void follow_found(const char *file);	/* rec/NAME/FILE is there, perhaps not for the first time */

/* follow_look.c */
void follow_look(void);			/* often; does so each second, on a thread: then follow_found() */
void follow_look_stop(void);		/* the next one looks everywhere */

/* follow_send.c */
void follow_send(struct follow *f);	/* begins, or goes on with what was begun; or not yet */
void follow_send_anew(void);		/* what was refused may be tried again */
#endif
