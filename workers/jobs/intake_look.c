/*
 * intake_look.c - looks through data_dir/upload (contract in intake_look.h): every ID.json is read, so this is
 * a thread's, and logs nothing. What its sender left unfinished, and what is done, goes after its time.
 * Called by house.c.
 */
#include "workers/jobs/intake_look.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util.h"

#define ORPHAN_MS 3600000	/* a file without its ID.json, which is written before it */

static struct intake_seen *
note(struct intake_look *l, const char *id, enum intake_seen_what what)
{
	struct intake_seen *s;

	l->list = xrealloc(l->list, (l->n + 1) * sizeof(*l->list));
	s = &l->list[l->n++];
	*s = (struct intake_seen){ .what = what };
	str_copy(s->id, id, sizeof(s->id));
	return s;
}

static void
delete(struct intake_look *l, const char *id, const char *why)
{
	note(l, id, intake_drop(l->data_dir, id) == 0 ? INTAKE_SEEN_DROPPED : INTAKE_SEEN_STAYS)->why = why;
}

/* The last byte came then. */
static int64_t
part_age_ms(const char *dir, const char *id)
{
	char path[INTAKE_PATH];
	struct stat st;

	return stat(intake_path(dir, id, "part", path), &st) == 0 ? wall_ms() - (int64_t)st.st_mtime * 1000 : 0;
}

static void
look_at(struct intake_look *l, const char *id)
{
	struct intake in;
	struct intake_seen *s;
	int fd;

	if (intake_read(l->data_dir, id, &in) == -1) {
		if (errno != ENOENT)		/* else it has just gone */
			note(l, id, INTAKE_SEEN_TORN);
	} else if (in.state == INTAKE_RECEIVED || in.state == INTAKE_CONVERTED) {
		s = note(l, id, INTAKE_SEEN_WORK);
		s->state = in.state;
		str_copy(s->name, in.name, sizeof(s->name));
	} else if (in.state == INTAKE_DONE && wall_ms() - in.changed_ms > l->keep_ms)
		delete(l, id, "it was done upload.keep ago");
	else if (in.state == INTAKE_RECEIVING && wall_ms() - in.created_ms > l->expire_ms &&
	    part_age_ms(l->data_dir, id) > l->expire_ms) {
		fd = intake_lock(l->data_dir, id, false);
		if (fd >= 0 || errno == ENOENT)
			delete(l, id, "nothing came for upload.expire");
		if (fd >= 0)
			close(fd);
	}
}

/* What was made by a process that was killed before it could say what it is. */
static void
look_at_orphan(struct intake_look *l, const char *name)
{
	char path[INTAKE_PATH], id[INTAKE_ID], json[INTAKE_PATH];
	struct stat st;

	snprintf(id, sizeof(id), "%.32s", name);
	snprintf(path, sizeof(path), "%.500s/" INTAKE_DIR "/%.64s", l->data_dir, name);
	if (!intake_id_ok(id) || access(intake_path(l->data_dir, id, "json", json), F_OK) == 0 ||
	    stat(path, &st) == -1 || wall_ms() - (int64_t)st.st_mtime * 1000 < ORPHAN_MS)
		return;
	if (unlink(path) == 0)
		note(l, id, INTAKE_SEEN_DROPPED)->why = "nothing is known of it";
}

void
intake_look_work(struct intake_look *l)
{
	char path[INTAKE_PATH], id[INTAKE_ID];
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "%.500s/" INTAKE_DIR, l->data_dir);
	d = opendir(path);
	while (d != NULL && (e = readdir(d)) != NULL) {
		if (strlen(e->d_name) < INTAKE_ID)
			continue;
		snprintf(id, sizeof(id), "%.32s", e->d_name);
		if (strcmp(e->d_name + INTAKE_ID - 1, ".json") == 0 && intake_id_ok(id))
			look_at(l, id);
		else
			look_at_orphan(l, e->d_name);
	}
	if (d != NULL)
		closedir(d);
}

struct intake_look *
intake_look_new(const char *data_dir, int64_t keep_ms, int64_t expire_ms)
{
	struct intake_look *l = xcalloc(1, sizeof(*l));

	str_copy(l->data_dir, data_dir, sizeof(l->data_dir));
	l->keep_ms = keep_ms;
	l->expire_ms = expire_ms;
	return l;
}

void
intake_look_free(struct intake_look **lp)
{
	if (*lp != NULL)
		free((*lp)->list);
	free(*lp);
	*lp = NULL;
}
