/*
 * finalise_scan.c - finds raw recordings that nobody writes any more and queues their jobs:
 * after a crash, a lost message, or a Redis that forgot. The disk is the truth; a job that is
 * queued already stays the one it is. Called by main.c in the host's first worker.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "workers/jobs/finalise.h"
#include "workers/jobs/raw.h"

#define PATH_BYTES 600

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
finalise_recorded(struct svc *svc, struct queue *q, const char *file)
{
	const char *host = conf_str(svc->conf, "host_id");
	struct raw raw;
	char key[700];
	json_t *args;

	if (raw_parse_path(file, &raw) == -1)
		return;
	snprintf(key, sizeof(key), "finalise:%s:%s", host, file);
	args = json_pack("{s:s, s:s}", "file", file, "stream", raw.stream);
	queue_add(q, "finalise", key, host, 0, args, NULL, NULL);
	json_decref(args);
}

static void
scan_stream(struct svc *svc, struct queue *q, const char *data_dir, const char *name)
{
	char dir[PATH_BYTES], path[PATH_BYTES * 2], file[PATH_BYTES];
	struct raw raw;
	struct dirent *e;
	DIR *d;

	snprintf(dir, sizeof(dir), "%s/rec/%s", data_dir, name);
	d = opendir(dir);
	while (d != NULL && (e = readdir(d)) != NULL) {
		snprintf(file, sizeof(file), "rec/%s/%.255s", name, e->d_name);
		if (raw_parse_path(file, &raw) == -1)
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (is_free(path))
			finalise_recorded(svc, q, file);
	}
	if (d != NULL)
		closedir(d);
}

void
finalise_scan(struct svc *svc, struct queue *q)
{
	const char *data_dir = conf_str(svc->conf, "data_dir");
	char dir[PATH_BYTES];
	struct dirent *e;
	DIR *d;

	snprintf(dir, sizeof(dir), "%s/rec", data_dir);
	d = opendir(dir);
	while (d != NULL && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.' && strlen(e->d_name) < BOARD_NAME)
			scan_stream(svc, q, data_dir, e->d_name);
	if (d != NULL)
		closedir(d);
}
