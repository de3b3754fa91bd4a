/*
 * intake.c - the files of one upload (contract in intake.h). What is read here was written by
 * us, but perhaps by a version of ours that was killed: nothing is taken on trust. Called by the
 * ingest's upload session and by the jobs worker.
 */
#include "intake.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include "obj.h"
#include "stream_name.h"
#include "util.h"

#define JSON_MAX 16384

static const char *const states[] = { "receiving", "received", "converted", "done" };
#define NSTATES (sizeof(states) / sizeof(states[0]))
static const char *const files[] = { "tmp", "flv", "pos", "knock", "over", "part" };

const char *
intake_state_name(enum intake_state state)
{
	return states[state];
}

int
intake_new_id(char id[INTAKE_ID])
{
	uint8_t bytes[(INTAKE_ID - 1) / 2];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return -1;
	hex_format(id, bytes, sizeof(bytes));
	return 0;
}

bool
intake_id_ok(const char *id)
{
	return strlen(id) == INTAKE_ID - 1 && strspn(id, "0123456789abcdef") == INTAKE_ID - 1;
}

const char *
intake_path(const char *data_dir, const char *id, const char *ext, char buf[INTAKE_PATH])
{
	snprintf(buf, INTAKE_PATH, "%s/" INTAKE_DIR "/%s.%s", data_dir, id, ext);
	return buf;
}

/* --- ID.json --- */

static int64_t
num(const json_t *o, const char *key, int64_t fallback)
{
	const json_t *v = json_object_get(o, key);

	return json_is_integer(v) ? json_integer_value(v) : fallback;
}

static int
fill(const json_t *o, const char *id, struct intake *out)
{
	size_t state = 0;

	memset(out, 0, sizeof(*out));
	while (state < NSTATES && strcmp(states[state], obj_str(o, "state")) != 0)
		state++;
	if (state == NSTATES || strcmp(obj_str(o, "id"), id) != 0)
		return -1;
	out->state = (enum intake_state)state;
	str_copy(out->id, id, sizeof(out->id));
	if (stream_name_ok(obj_str(o, "name"), strlen(obj_str(o, "name"))))
		str_copy(out->name, obj_str(o, "name"), sizeof(out->name));
	str_copy(out->file, obj_str(o, "file"), sizeof(out->file));
	str_copy(out->meta, obj_str(o, "meta"), sizeof(out->meta));
	str_copy(out->from, obj_str(o, "from"), sizeof(out->from));
	out->size = num(o, "size", -1);
	out->created_ms = num(o, "created", 0);
	out->changed_ms = num(o, "changed", 0);
	out->duration_ms = num(o, "duration_ms", 0);
	out->unchecked = num(o, "unchecked", -1);
	out->tried_ms = num(o, "tried", 0);
	return 0;
}

int
intake_read(const char *data_dir, const char *id, struct intake *out)
{
	char path[INTAKE_PATH], own[INTAKE_ID], *text;
	json_t *o;
	int rc;

	if (!intake_id_ok(id)) {
		errno = ENOENT;
		return -1;
	}
	str_copy(own, id, sizeof(own));		/* it may be out's own */
	text = file_read(intake_path(data_dir, own, "json", path), JSON_MAX, NULL);
	if (text == NULL)
		return -1;
	o = json_loads(text, 0, NULL);
	free(text);
	rc = fill(o, own, out);
	json_decref(o);
	if (rc == -1)
		errno = EBADMSG;
	return rc;
}

static int
sync_dir(const char *data_dir)
{
	char path[INTAKE_PATH];
	int fd, rc;

	snprintf(path, sizeof(path), "%s/" INTAKE_DIR, data_dir);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	rc = fsync(fd);
	close(fd);
	return rc;
}

static int
replace(const char *data_dir, const char *id, const char *text)
{
	char path[INTAKE_PATH], tmp[INTAKE_PATH];
	int fd, rc;

	intake_path(data_dir, id, "json.tmp", tmp);
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return -1;
	rc = fd_write_all(fd, text, strlen(text)) == 0 && fsync(fd) == 0 ? 0 : -1;
	close(fd);
	if (rc == 0)
		rc = rename(tmp, intake_path(data_dir, id, "json", path));
	return rc == 0 ? sync_dir(data_dir) : -1;
}

int
intake_write(const char *data_dir, const struct intake *in)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "id", in->id, "state",
	    states[in->state], "name", in->name, "file", in->file, "meta", in->meta, "from", in->from, "size",
	    (json_int_t)in->size, "created", (json_int_t)in->created_ms, "changed", (json_int_t)in->changed_ms,
	    "duration_ms", (json_int_t)in->duration_ms, "tried", (json_int_t)in->tried_ms, "unchecked",
	    (json_int_t)in->unchecked);
	char *text = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL;
	int rc;

	json_decref(o);
	if (text == NULL) {
		errno = EINVAL;
		return -1;
	}
	rc = replace(data_dir, in->id, text);
	free(text);
	return rc;
}

/* --- the others --- */

int
intake_drop_files(const char *data_dir, const char *id)
{
	char path[INTAKE_PATH];
	int rc = 0;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (unlink(intake_path(data_dir, id, files[i], path)) == -1 && errno != ENOENT)
			rc = -1;
	return rc;
}

/* ID.json last: what a kill leaves can be found again. */
int
intake_drop(const char *data_dir, const char *id)
{
	char path[INTAKE_PATH];

	if (intake_drop_files(data_dir, id) == -1)
		return -1;
	return unlink(intake_path(data_dir, id, "json", path)) == 0 || errno == ENOENT ? 0 : -1;
}

int
intake_lock(const char *data_dir, const char *id, bool create)
{
	char path[INTAKE_PATH];
	int fd, saved;

	intake_path(data_dir, id, "part", path);
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT : 0), 0640);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == -1) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

int64_t
intake_count(const char *data_dir, const char *from, int64_t *own)
{
	char path[INTAKE_PATH], id[INTAKE_ID];
	struct intake in;
	struct dirent *e;
	int64_t n = 0;
	DIR *d;

	*own = 0;
	snprintf(path, sizeof(path), "%s/" INTAKE_DIR, data_dir);
	d = opendir(path);
	while (d != NULL && (e = readdir(d)) != NULL) {
		snprintf(id, sizeof(id), "%.32s", e->d_name);
		if (!intake_id_ok(id) || strcmp(e->d_name + INTAKE_ID - 1, ".part") != 0 ||
		    access(intake_path(data_dir, id, "over", path), F_OK) == 0)
			continue;
		n++;
		*own += intake_read(data_dir, id, &in) == 0 && in.state == INTAKE_RECEIVING &&
		    strcmp(in.from, from) == 0;
	}
	if (d != NULL)
		closedir(d);
	return n;
}

void
intake_set_over(const char *data_dir, const char *id, bool over)
{
	char path[INTAKE_PATH];
	int fd;

	intake_path(data_dir, id, "over", path);
	if (!over) {
		unlink(path);
		return;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd >= 0)
		close(fd);
}

int64_t
intake_pos(const char *data_dir, const char *id)
{
	char path[INTAKE_PATH], *text = file_read(intake_path(data_dir, id, "pos", path), 32, NULL);
	int64_t ms = text != NULL ? strtoll(text, NULL, 10) : 0;

	free(text);
	return ms > 0 ? ms : 0;
}

void
intake_set_pos(const char *data_dir, const char *id, int64_t ms)
{
	char path[INTAKE_PATH], text[32];
	int n = snprintf(text, sizeof(text), "%lld\n", (long long)ms);

	/* without it a push that has to begin again begins earlier: no harm */
	if (file_replace(intake_path(data_dir, id, "pos", path), text, (size_t)n) == -1)
		unlink(path);
}
