/* follow.h - raw recordings that go to the bucket while they are written (streams.record.upload_while_recording). */
#ifndef MILLRACE_FOLLOW_H
#define MILLRACE_FOLLOW_H

#include <stdbool.h>

void follow_tick(void);
void follow_recorded(const char *file);
void follow_up(void);		/* the ledger may have forgotten */
int follow_waiting(void);	/* how many had to be put off, as S3 is away or refuses */
void follow_stop(void);		/* resumable */
/* Of the raw file with this id: gives its upload up, if it is under way. */
void follow_cancel(const char *id);
bool follow_has(const char *id);
#endif
