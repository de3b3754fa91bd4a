/*
 * follow_look.c - finds raw recordings that are new (contract in follow_int.h). There may be as
 * many folders as there ever were streams: each second a thread asks which of them have changed
 * since the last look, and reads those; all of them at the first look and each jobs.scan, for what
 * could not be followed when it came. Called by follow.c.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "conf.h"
#include "slow.h"
#include "util.h"
#include "workers/jobs/follow_int.h"
#include "workers/jobs/raw.h"

#define LOOK_MS 1000
#define NEVER (INT64_MIN / 2)
#define SLACK_MS 3000		/* file systems count in steps, some of seconds */

/* The thread's while looking is set. */
struct look {
	char *data_dir;
	int64_t since_ms;		/* folders that have changed since then; 0: all */
	char (*files)[FOLLOW_FILE];
	size_t n;
};

static struct slow *looking;
static int64_t looked_ms, all_ms = NEVER;
static int64_t looked_wall_ms;

static void
look_free(void *ctx)
{
	struct look *k = ctx;

	free(k->data_dir);
	free(k->files);
	free(k);
}

static void
look_into(struct look *k, const char *name)
{
	char dir[BUCKET_PATH], file[FOLLOW_FILE];
	struct dirent *e;
	struct stat st;
	struct raw raw;
	DIR *d;

	snprintf(dir, sizeof(dir), "%s/rec/%s", k->data_dir, name);
	if (stat(dir, &st) == -1 || (int64_t)st.st_mtim.tv_sec * 1000 + 999 < k->since_ms)
		return;
	d = opendir(dir);
	while (d != NULL && (e = readdir(d)) != NULL) {
		snprintf(file, sizeof(file), "rec/%.64s/%.64s", name, e->d_name);
		if (raw_parse_path(file, &raw) == -1)
			continue;
		if ((k->n & (k->n - 1)) == 0)
			k->files = xrealloc(k->files, (k->n == 0 ? 1 : k->n * 2) * sizeof(*k->files));
		str_copy(k->files[k->n++], file, sizeof(*k->files));
	}
	if (d != NULL)
		closedir(d);
}

static int
look_work(void *ctx)
{
	struct look *k = ctx;
	char dir[BUCKET_PATH];
	struct dirent *e;
	DIR *d;

	snprintf(dir, sizeof(dir), "%s/rec", k->data_dir);
	d = opendir(dir);
	while (d != NULL && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.' && strlen(e->d_name) < BOARD_NAME)
			look_into(k, e->d_name);
	if (d != NULL)
		closedir(d);
	return 0;
}

static void
looked_cb(int rc, void *ctx)
{
	struct look *k = ctx;

	looking = NULL;
	for (size_t i = 0; i < k->n; i++)
		follow_found(k->files[i]);
	look_free(k);
}

/* A clock that was set back makes all that is new look old. */
static struct look *
look_new(int64_t wall)
{
	struct look *k = xcalloc(1, sizeof(*k));

	k->data_dir = xstrdup(conf_str(bk.svc->conf, "data_dir"));
	k->since_ms = looked_wall_ms - SLACK_MS;
	if (now_ms() - all_ms >= conf_int(bk.svc->conf, "jobs.scan") || wall < looked_wall_ms)
		k->since_ms = 0;
	return k;
}

/* The first look waits for no thread: what was begun before a crash is taken up before its raw file is finished. */
void
follow_look(void)
{
	int64_t wall = wall_ms();
	bool first = all_ms == NEVER;
	struct look *k;

	if (looking != NULL || (!first && now_ms() - looked_ms < LOOK_MS))
		return;
	k = look_new(wall);
	looked_ms = now_ms();
	looked_wall_ms = wall;
	if (k->since_ms == 0)
		all_ms = looked_ms;
	if (!first)
		looking = slow_run(bk.svc->base, look_work, looked_cb, k);
	if (looking != NULL)
		return;
	look_work(k);
	looked_cb(0, k);
}

void
follow_look_stop(void)
{
	if (looking != NULL)
		slow_forget(&looking, look_free);
	all_ms = NEVER;
}
