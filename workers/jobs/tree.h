/*
 * tree.h - what is on the disk of this host: its recordings, which of them are in the bucket,
 * and the raw ones. One walk serves all who keep house; it reads the disk, so it runs on a
 * thread, on a struct that the loop leaves alone meanwhile.
 */
#ifndef MILLRACE_TREE_H
#define MILLRACE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "svc.h"
#include "workers/common/ledger.h"

struct tree_file {
	char *file;			/* "recordings/alice/20261121T135800.123Z.mp4" */
	char id[LEDGER_ID];
	int64_t size, mtime_ns;
	uint64_t inode;
	bool verified;			/* it is in the bucket, says its mark (upload_mark.h) */
	bool gone;			/* keep.c has deleted it */
	int64_t asked_ms;		/* when found.c had its job queued; 0: not yet */
	char *mark;			/* the mark itself, if texts */
	uint64_t mark_inode;		/* of the mark: it is read once only */
	int64_t mark_mtime_ns;
};

struct tree_raw {
	char *file;			/* "rec/alice/20261121T135800.123Z.flv" */
	bool is_free;			/* nobody writes it */
};

struct tree {
	char *data_dir, *host_id;
	/* what to look at */
	bool recordings, texts, orphans;
	struct tree *before;		/* of the last walk: what is known is not read again; freed by the walk */
	/* what there is */
	bool failed;			/* rec can't be read */
	struct tree_file *files;	/* by name */
	size_t nfiles, files_room;
	struct tree_raw *raws;
	size_t nraws, raws_room;
	char **lost;			/* orphans: paths of recordings that have a mark, but are not there */
	size_t nlost, lost_room;
};

struct tree *tree_new(const struct svc *svc);
void tree_free(struct tree **t);
void tree_walk(struct tree *t);

int64_t tree_mtime_ns(const struct stat *st);
#endif
