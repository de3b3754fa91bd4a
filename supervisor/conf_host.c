/*
 * conf_host.c - a config that is right in itself, beside the machine it is for: accounts, folders
 * and files of CAs that it names. Makes and opens nothing.
 *
 * Errors are what a start would fail at, and a reload changes nothing for; hints, of `millraced -t` and of a
 * reload, are what would do nothing, or not always what is meant.
 * Called by main.c and control_reload.c; both go to the terminal as FILE:LINE, as those of conf.c do.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "obj.h"
#include "supervisor/conf_table.h"
#include "supervisor/supervisor.h"
#include "util.h"

/* 0, or -1 + errno. */
static int
look_for_dir(const char *path)
{
	struct stat st;

	if (stat(path, &st) == -1)
		return -1;
	errno = ENOTDIR;
	return S_ISDIR(st.st_mode) ? 0 : -1;
}

static bool
below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && path[n] == '/';
}

/* data_dir and run_dir are made at a start, other folders are not. */
static void
check_log(const json_t *conf, struct conf_errors *e)
{
	const char *file = conf_str(conf, "log.file");
	char copy[PATH_MAX], *dir;

	if (file[0] == '\0' || below(file, conf_str(conf, "data_dir")) || below(file, conf_str(conf, "run_dir")))
		return;
	str_copy(copy, file, sizeof(copy));
	dir = dirname(copy);
	if (look_for_dir(dir) == -1 && (errno == ENOENT || errno == ENOTDIR))
		conf_error(e, conf_line(e->file, "log.file"), "log.file: there is no folder %s; make it, or name "
		    "another file", dir);
}

static void
check_user(const json_t *conf, struct conf_errors *e)
{
	const char *user = conf_str(conf, "user");

	if (user[0] != '\0' && getpwnam(user) == NULL)
		conf_error(e, conf_line(e->file, "user"), "user: there is no account \"%s\"; make it (sudo adduser "
		    "--system --group %s), or name another", user, user);
}

/* One that is given. A system may lack the default, and need none. */
static void
check_ca_file(const json_t *conf, const char *key, struct conf_errors *e)
{
	const char *path = conf_str(conf, key);
	unsigned line = conf_line(e->file, key);
	struct stat st;

	if (line == 0 || path[0] == '\0')
		return;
	if (stat(path, &st) == -1 || access(path, R_OK) == -1)
		conf_error(e, line, "%s: %s: %s; want a readable file of CAs' certificates in PEM", key, path,
		    strerror(errno));
	else if (!S_ISREG(st.st_mode))
		conf_error(e, line, "%s: %s is no file; want one of CAs' certificates in PEM", key, path);
}

void
conf_host_errors(const json_t *conf, const char *file, json_t *errors)
{
	static const char *const ca_files[] = { "push_ca_file", "upload.ca_file", "storage.s3.ca_file",
		"hooks.ca_file" };
	struct conf_errors e = { .file = file, .list = errors };

	check_user(conf, &e);
	check_log(conf, &e);
	for (size_t i = 0; i < sizeof(ca_files) / sizeof(ca_files[0]); i++)
		check_ca_file(conf, ca_files[i], &e);
}

/* A start as root by another account, or by none, has left it behind: what is given away is data_dir itself alone. */
void
conf_host_owner(const json_t *conf, const char *file, json_t *errors)
{
	struct conf_errors e = { .file = file, .list = errors };
	const char *user = conf_str(conf, "user"), *dir = conf_str(conf, "data_dir");
	const struct passwd *pw = getpwnam(user[0] != '\0' ? user : RIGHTS_ACCOUNT);
	char path[PATH_MAX];
	struct stat st;

	if (geteuid() != 0 || pw == NULL)
		return;
	for (size_t i = 0; rights_inner[i] != NULL; i++)
		if (path_join(path, sizeof(path), dir, rights_inner[i]) == 0 && lstat(path, &st) == 0 &&
		    st.st_uid != pw->pw_uid) {
			conf_error(&e, conf_line(file, "data_dir"), "data_dir: %s belongs to uid %u, not to %s: "
			    "chown -R %s %s", path, (unsigned)st.st_uid, pw->pw_name, pw->pw_name, dir);
			return;
		}
}

/* Watched folders that all name their buckets need no other one. */
static bool
needs_bucket(const json_t *conf)
{
	const json_t *folders = conf_get(conf, "watch"), *folder;
	size_t i;

	json_array_foreach(folders, i, folder)
		if (obj_str(folder, "bucket")[0] == '\0')
			return true;
	return json_array_size(folders) == 0 || (conf_bool(conf, "streams.record.upload") &&
	    conf_str(conf, "streams.record.path")[0] != '\0');
}

/* What a ${VARIABLE:-} that is not set makes of a bucket; one without an endpoint is an error (conf_check.c). */
static void
hint_s3(const json_t *conf, struct conf_errors *e)
{
	bool endpoint = conf_str(conf, "storage.s3.endpoint")[0] != '\0';
	const char *given = conf_s3_given(conf);

	if (given == NULL || conf_str(conf, "storage.s3.bucket")[0] != '\0' || (endpoint && !needs_bucket(conf)))
		return;
	conf_error(e, conf_line(e->file, given), "warning: %s is given, but %s empty: no recording is uploaded%s",
	    given, endpoint ? "storage.s3.bucket is" : "storage.s3.endpoint and storage.s3.bucket are",
	    conf_bool(conf, "streams.record.upload") && conf_bool(conf, "streams.record.keep.only_uploaded") ?
	    ", and streams.record.keep deletes nothing that is not verified in a bucket" : "");
}

void
conf_host_hints(const json_t *conf, const char *file, json_t *hints)
{
	struct conf_errors e = { .file = file, .list = hints };
	const char *dir;
	json_t *folder;
	size_t i;

	json_array_foreach(conf_get(conf, "watch"), i, folder) {
		dir = json_string_value(json_object_get(folder, "dir"));
		if (look_for_dir(dir) == -1)
			conf_error(&e, conf_line(file, "watch"), "warning: watch.dir: %s: %s; it is watched once "
			    "it can be", dir, strerror(errno));
	}
	if (conf_bool(conf, "streams.record.upload_while_recording") &&
	    conf_str(conf, "streams.record.path")[0] == '\0')
		conf_error(&e, conf_line(file, "streams.record.upload_while_recording"), "warning: "
		    "streams.record.upload_while_recording does nothing: without streams.record.path nothing is "
		    "recorded");
	hint_s3(conf, &e);
	conf_reach_hints(conf, &e);
}
