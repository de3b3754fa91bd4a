/*
 * replace_note.c - the raw file goes, and a link says what it became, if something of it is in the
 * bucket or on its way there (contract in replace.h). It knows no S3, and runs in any worker: the
 * pass over the links is replace.c's. Called by finalise.c.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "util.h"
#include "workers/common/fs.h"
#include "workers/jobs/bucket.h"
#include "workers/jobs/replace.h"
#include "workers/jobs/upload_check.h"

/* 0 also if nothing of it is in the bucket. */
static int
note(const struct svc *svc, const struct ledger *l, const char *file, const char *mp4)
{
	static const char *const suffixes[] = { "json", "done" };
	const char *data_dir = conf_str(svc->conf, "data_dir");
	char raw[BUCKET_PATH], path[BUCKET_PATH], dir[BUCKET_PATH], id[LEDGER_ID];
	bool wanted = conf_bool(svc->conf, "streams.record.upload_while_recording");
	json_t *link;
	int rc;

	snprintf(dir, sizeof(dir), "%s/uploads", data_dir);
	snprintf(raw, sizeof(raw), "%s/%s", data_dir, file);
	ledger_id(l, raw, id);
	for (size_t i = 0; i < 2 && !wanted; i++) {
		snprintf(path, sizeof(path), "%.900s/%s.%s", dir, id, suffixes[i]);
		wanted = access(path, F_OK) == 0;
	}
	if (!wanted)
		return 0;
	if (fs_make_dirs(dir, 0750) == -1)
		return -1;
	snprintf(path, sizeof(path), "%.900s/%s.link", dir, id);
	link = json_pack("{s:s, s:s}", "raw", raw, "mp4", mp4);
	rc = upload_check_save(path, link);
	json_decref(link);
	return rc;
}

/* On a full disk the raw file makes the room for the note; what a kill in between costs is some bytes in the bucket. */
int
replace_raw(const struct svc *svc, const struct ledger *l, const char *file, const char *mp4)
{
	char path[BUCKET_PATH];
	int rc = note(svc, l, file, mp4);

	if (rc == -1 && errno != ENOSPC && errno != EDQUOT)
		return -1;
	snprintf(path, sizeof(path), "%s/%s", conf_str(svc->conf, "data_dir"), file);
	if (unlink(path) == -1 && errno != ENOENT)
		return -1;
	if (rc == -1 && note(svc, l, file, mp4) == -1)
		log_warn("what went up of %s while it was recorded stays in the bucket: that can't be noted", file);
	return 0;
}
