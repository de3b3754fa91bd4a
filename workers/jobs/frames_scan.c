/*
 * frames_scan.c - finds files of frames sessions that nobody writes any more and queues their jobs,
 * as finalise_scan.c does for recordings; files of an ingest that died before they had a name
 * hold nothing and are removed. frames_look_work() is a thread's. Called by house.c in the host's first worker.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "util.h"
#include "workers/jobs/frames.h"
#include "workers/jobs/frames_raw.h"

#define PATH_BYTES 900
#define ENTRY_BYTES 256
#define UNNAMED_S 60		/* a younger one may be of an ingest that is about to lock and name it */

static bool
is_free(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bool is = fd != -1 && flock(fd, LOCK_SH | LOCK_NB) == 0;

	if (fd != -1)
		close(fd);
	return is;
}

void
frames_recorded(struct svc *svc, struct queue *q, const char *file)
{
	const char *host = conf_str(svc->conf, "host_id");
	struct frames_raw raw;
	char key[400];
	json_t *args;

	if (frames_raw_parse_path(file, &raw) == -1)
		return;
	snprintf(key, sizeof(key), "frames:%s:%s", host, file);
	args = json_pack("{s:s, s:s}", "file", file, "stream", raw.client);
	queue_add(q, "frames", key, host, 0, args, NULL, NULL);
	json_decref(args);
}

static bool
is_unnamed(const char *entry)
{
	const char *dot = strrchr(entry, '.');

	return entry[0] == '.' && dot != entry && strcmp(dot, ".new") == 0;
}

static bool
is_old(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && wall_ms() / 1000 - st.st_mtime > UNNAMED_S;
}

void
frames_look_work(struct frames_look *l)
{
	char dir[PATH_BYTES - ENTRY_BYTES], path[PATH_BYTES + 4], file[sizeof(*l->files)];
	struct frames_raw raw;
	struct dirent *e;
	DIR *d;

	snprintf(dir, sizeof(dir), "%s/" FRAMES_RAW_DIR, l->data_dir);
	d = opendir(dir);
	while (d != NULL && (e = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "%s/%.255s", dir, e->d_name);
		snprintf(file, sizeof(file), FRAMES_RAW_DIR "/%.255s", e->d_name);
		if (is_unnamed(e->d_name)) {
			if (is_old(path) && is_free(path))
				unlink(path);
		} else if (frames_raw_parse_path(file, &raw) == 0 && is_free(path)) {
			l->files = xrealloc(l->files, (l->n + 1) * sizeof(*l->files));
			memcpy(l->files[l->n++], file, sizeof(file));
		}
	}
	if (d != NULL)
		closedir(d);
}

struct frames_look *
frames_look_new(const struct svc *svc)
{
	struct frames_look *l = xcalloc(1, sizeof(*l));

	str_copy(l->data_dir, conf_str(svc->conf, "data_dir"), sizeof(l->data_dir));
	return l;
}

void
frames_look_free(struct frames_look **lp)
{
	if (*lp != NULL)
		free((*lp)->files);
	free(*lp);
	*lp = NULL;
}

void
frames_scan(struct svc *svc, struct queue *q, const struct frames_look *l)
{
	for (size_t i = 0; i < l->n; i++)
		frames_recorded(svc, q, l->files[i]);
}
