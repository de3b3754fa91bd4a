/* intake_look.h - what of sent files is on the disk: for a thread. */
#ifndef MILLRACE_INTAKE_LOOK_H
#define MILLRACE_INTAKE_LOOK_H

#include <stddef.h>
#include <stdint.h>

#include "intake.h"

enum intake_seen_what { INTAKE_SEEN_WORK, INTAKE_SEEN_TORN, INTAKE_SEEN_DROPPED, INTAKE_SEEN_STAYS };

struct intake_seen {
	enum intake_seen_what what;
	enum intake_state state;
	char id[INTAKE_ID], name[INTAKE_NAME];
	const char *why;		/* it was deleted, or could not be */
};

struct intake_look {
	char data_dir[INTAKE_PATH];
	int64_t keep_ms, expire_ms;
	struct intake_seen *list;
	size_t n;
};

/* upload.keep and upload.expire. */
struct intake_look *intake_look_new(const char *data_dir, int64_t keep_ms, int64_t expire_ms);
void intake_look_free(struct intake_look **l);
/* Deletes what nobody will come back for. On a thread. */
void intake_look_work(struct intake_look *l);
#endif
