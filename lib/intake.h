/*
 * intake.h - a file that somebody sends us, from its first byte to the end of its push: what
 * stands in data_dir/upload, which is the truth about it; the queue only says who works on it.
 *
 *   ID.json   what is known of it; replaced as a whole, and on the disk before anybody is told
 *   ID.part   its bytes as they came; the first `size` of them once it is complete
 *   ID.flv    what became of them (ID.tmp while that is made)
 *   ID.pos    how far the push has come, in ms, for one that has to go on there
 *   ID.over   its job is dead or cancelled: the files wait for somebody, or for upload.keep
 *
 * RECEIVING -> RECEIVED (an ingest writes it) -> CONVERTED (a jobs worker) -> DONE, of which only
 * ID.json is left. Whoever works on one holds flock() on ID.part. Used by ingest and jobs.
 */
#ifndef MILLRACE_INTAKE_H
#define MILLRACE_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INTAKE_DIR "upload"		/* in data_dir */
#define INTAKE_ID 33			/* 32 hex digits of randomness, which nobody guesses, and a NUL */
#define INTAKE_NAME 65
#define INTAKE_META 2048		/* Upload-Metadata of tus, kept as it came */
#define INTAKE_PATH 600

enum intake_state { INTAKE_RECEIVING, INTAKE_RECEIVED, INTAKE_CONVERTED, INTAKE_DONE };

struct intake {
	char id[INTAKE_ID];
	enum intake_state state;
	char name[INTAKE_NAME];		/* of the stream it becomes; "" if nobody said */
	char file[160];			/* what its sender calls it, for people */
	char meta[INTAKE_META];
	char from[48];			/* its sender's address, of IPv6 the /64; "": unknown */
	int64_t size;			/* -1: its sender does not say before its end */
	int64_t created_ms, changed_ms;	/* wall clock; changed: its state */
	int64_t duration_ms;		/* of ID.flv */
	int64_t unchecked;		/* bytes from here on have no checksum yet; -1: there are none such */
	int64_t tried_ms;		/* wall clock of the first of the pushes that came to nothing; 0: none did */
};

/* A new one's id. 0, or -1 without randomness. */
int intake_new_id(char id[INTAKE_ID]);
bool intake_id_ok(const char *id);
/* data_dir/upload/ID.EXT */
const char *intake_path(const char *data_dir, const char *id, const char *ext, char buf[INTAKE_PATH]);
/* 0, or -1: ENOENT there is none (or id is none), EBADMSG it is torn. */
int intake_read(const char *data_dir, const char *id, struct intake *out);
/* Into place and on the disk; may wait for that. 0, or -1 + errno. */
int intake_write(const char *data_dir, const struct intake *in);
/* Its files besides ID.json, or with it. 0, or -1 + errno of the first that stays. */
int intake_drop_files(const char *data_dir, const char *id);
int intake_drop(const char *data_dir, const char *id);
/* "receiving" "received" "converted" "done" */
const char *intake_state_name(enum intake_state state);
/* Uploads whose bytes are here and whose job is not over; *own: those of them that `from` has not finished. */
int64_t intake_count(const char *data_dir, const char *from, int64_t *own);
void intake_set_over(const char *data_dir, const char *id, bool over);
/* ID.part, locked by us alone, or -1 + errno (EWOULDBLOCK: somebody else has it). create: made if absent. */
int intake_lock(const char *data_dir, const char *id, bool create);
/* ID.pos, 0 if there is none. Replaced without waiting for the disk. */
int64_t intake_pos(const char *data_dir, const char *id);
void intake_set_pos(const char *data_dir, const char *id, int64_t ms);
#endif
