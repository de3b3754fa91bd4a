/*
 * follow.c - raw recordings go up part by part as they are written, so that all of a stream is in
 * the bucket seconds after its end (contract in follow.h). Here: how far they are written. Which
 * there are is follow_look.c's, their uploads are follow_send.c's, the parts upload_grow.c's.
 *
 * No job: a recording may last for days, and a worker has one job at a time. All that grow are
 * followed on the loop of the host's first worker, besides what it does. What is known of each is
 * on the disk (checkpoint, mark) and at the server (its parts); a new worker goes on from there.
 * The raw file is never touched: finalise.c takes its name away when it likes, the bytes stay for
 * as long as they are open here. Its lock is asked for only when nothing has come for a while, so
 * that nobody else who wants it finds it taken. Called by bucket.c.
 */
#include "workers/jobs/follow.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "util.h"
#include "workers/jobs/bucket.h"
#include "workers/jobs/follow_int.h"
#include "workers/jobs/raw.h"
#include "workers/jobs/replace.h"
#include "workers/jobs/upload_kind.h"
#include "workers/jobs/upload_mark.h"

#define QUIET_MS 2000		/* then its lock is asked for */
#define FDS_EACH 4		/* of ours: the file twice, its lock, a connection */
#define FDS_SPARE 128		/* for all the rest of this worker */

static LIST_HEAD(, follow) all = LIST_HEAD_INITIALIZER(all);
static void *by_file;		/* the same ones: there may be thousands that wait for their MP4 */
static rlim_t following;	/* files that are open */

static int
compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static struct follow *
find(const char *file)
{
	char *const *found = tfind(file, &by_file, compare);

	return found != NULL ? (struct follow *)(void *)(*found - offsetof(struct follow, file)) : NULL;
}

static struct follow *
find_id(const char *id)
{
	struct follow *f;

	LIST_FOREACH(f, &all, entry)
		if (strcmp(f->id, id) == 0)
			return f;
	return NULL;
}

/* Of its descriptors. */
static void
let_go(struct follow *f)
{
	if (f->fd != -1) {
		close(f->fd);
		following--;
	}
	if (f->lock != -1)
		close(f->lock);
	f->fd = f->lock = -1;
}

void
follow_over(struct follow *f)
{
	f->over = true;
	let_go(f);
}

static void
follow_free(struct follow *f)
{
	upload_stop(&f->upload);
	let_go(f);
	LIST_REMOVE(f, entry);
	tdelete(f->file, &by_file, compare);
	free(f);
}

/* --- the file --- */

/* Redis, ffmpeg and jobs need descriptors, too. */
static bool
has_room(void)
{
	static bool said;
	struct rlimit r;
	bool has = getrlimit(RLIMIT_NOFILE, &r) == -1 || r.rlim_cur == RLIM_INFINITY ||
	    (following + 1) * FDS_EACH + FDS_SPARE <= r.rlim_cur;

	if (!has && !said)
		log_warnx("limits.files has room for %llu recordings at once that go up while they are written; of "
		    "others the MP4s do: raise it, by %d for each", (unsigned long long)following, FDS_EACH);
	said = said || !has;
	return has;
}

/* recordings/alice/START.flv beside what will be its MP4. 0, or -1 */
static int
name_object(struct follow *f, const struct raw *r)
{
	const char *prefix = conf_str(bk.svc->conf, "storage.s3.prefix");
	char mp4[FOLLOW_FILE];
	size_t n;
	int len;

	if (raw_mp4_path(r, conf_str(bk.svc->conf, "streams.record.path"), mp4, sizeof(mp4)) == -1)
		return -1;
	n = strlen(mp4);
	if (n > 4 && strcmp(mp4 + n - 4, ".mp4") == 0)
		mp4[n - 4] = '\0';
	len = snprintf(f->object, sizeof(f->object), "%s%s.%s", prefix, mp4, r->matroska ? "mkv" : "flv");
	return len < (int)sizeof(f->object) ? 0 : -1;
}

static bool
has_checkpoint(const char *id)
{
	char path[BUCKET_PATH];

	bucket_file(path, id, "json");
	return access(path, F_OK) == 0;
}

/*
 * told: its ingest has just said that it is complete. One that nobody writes is taken up only if
 * some of it went up before: for what is older than that there will be an MP4 soon enough.
 */
static void
add(const char *file, bool told)
{
	const char *data_dir = conf_str(bk.svc->conf, "data_dir");
	struct follow *f;
	struct raw raw;
	struct stat st;
	json_t *mark;

	if (!has_room())
		return;
	f = xcalloc(1, sizeof(*f));
	f->fd = f->lock = -1;
	str_copy(f->file, file, sizeof(f->file));
	snprintf(f->path, sizeof(f->path), "%s/%s", data_dir, file);
	ledger_id(bk.ledger, f->path, f->id);
	f->fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	following += f->fd != -1;
	if (f->fd == -1 || fstat(f->fd, &st) == -1 || raw_parse_path(file, &raw) == -1) {
		let_go(f);
		free(f);
		return;
	}
	LIST_INSERT_HEAD(&all, f, entry);
	if (tsearch(f->file, &by_file, compare) == NULL)
		fatalx("out of memory");
	str_copy(f->stream, raw.stream, sizeof(f->stream));
	f->grown_ms = now_ms();
	f->ended = told || raw_is_free(f->path);
	mark = upload_mark_read(data_dir, f->id, st.st_size, (int64_t)st.st_mtim.tv_sec * 1000000000 +
	    st.st_mtim.tv_nsec);
	if (mark != NULL || name_object(f, &raw) == -1 || (f->ended && !told && !has_checkpoint(f->id)))
		follow_over(f);
	if (mark != NULL)
		replace_tell(f->id);
	json_decref(mark);
}

void
follow_found(const char *file)
{
	if (find(file) == NULL)
		add(file, false);
}

/* An ingest that died tells nothing: its lock is free, or somebody has taken the name away. */
static void
look_at(struct follow *f)
{
	struct stat st;

	if (fstat(f->fd, &st) == -1)
		return;
	if (st.st_size != f->size)
		f->grown_ms = now_ms();
	f->size = st.st_size;
	if (f->ended)
		return;
	if (access(f->path, F_OK) == -1 && errno == ENOENT)
		f->ended = true;
	else if (now_ms() - f->grown_ms >= QUIET_MS) {
		f->grown_ms = now_ms();
		f->ended = raw_is_free(f->path);
	}
}

static void
step(struct follow *f)
{
	if (f->over) {
		if (access(f->path, F_OK) == -1 && errno == ENOENT)
			follow_free(f);
		return;
	}
	look_at(f);
	if (f->upload != NULL)
		upload_grown(f->upload, f->ended);
	else if (now_ms() >= f->again_ms && (f->ended || f->size >= conf_int(bk.svc->conf, "storage.s3.part_size")))
		follow_send(f);
}

/* --- what others say --- */

bool
follow_any_under_way(void)
{
	struct follow *f;

	LIST_FOREACH(f, &all, entry)
		if (f->upload != NULL)
			return true;
	return false;
}

int
follow_waiting(void)
{
	struct follow *f;
	int n = 0;

	LIST_FOREACH(f, &all, entry)
		n += f->failures > 0 && !f->over;
	return n;
}

static bool
is_wanted(void)
{
	const json_t *c = bk.svc->conf;

	return upload_wanted(bk.svc) && conf_bool(c, "streams.record.upload") &&
	    conf_bool(c, "streams.record.upload_while_recording");
}

void
follow_tick(void)
{
	struct follow *f, *next;

	if (!is_wanted())
		return;
	follow_look();
	for (f = LIST_FIRST(&all); f != NULL; f = next) {
		next = LIST_NEXT(f, entry);
		step(f);
	}
}

void
follow_recorded(const char *file)
{
	struct follow *f = find(file);
	struct raw raw;

	if (!is_wanted() || strlen(file) >= FOLLOW_FILE || raw_parse_path(file, &raw) == -1)
		return;
	if (f == NULL)
		add(file, true);
	else
		f->ended = true;
	/* at once: a short one's MP4 would be made before the next tick, and its name gone */
	if ((f = find(file)) != NULL)
		step(f);
}

void
follow_up(void)
{
	struct follow *f;

	LIST_FOREACH(f, &all, entry)
		if (f->over)
			replace_tell(f->id);
}

bool
follow_has(const char *id)
{
	const struct follow *f = find_id(id);

	return f != NULL && !f->over;
}

void
follow_cancel(const char *id)
{
	struct follow *f = find_id(id);

	if (f == NULL || f->over)
		return;
	upload_cancel(&f->upload);
	follow_over(f);
}

void
follow_stop(void)
{
	follow_look_stop();
	while (!LIST_EMPTY(&all))
		follow_free(LIST_FIRST(&all));
	follow_send_anew();
}
