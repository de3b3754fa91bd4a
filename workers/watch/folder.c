/*
 * folder.c - the watched folders, made of the config's list, and how something in one is
 * opened: component by component from the folder on, following no symbolic link, so that
 * nothing in it leads out. The folder itself may be one. Called by everybody here.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "util.h"
#include "workers/watch/watch.h"

static const char *
text(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static void
load(const json_t *o)
{
	struct folder *fo = xcalloc(1, sizeof *fo);
	json_t *extensions = json_object_get(o, "extensions");
	char *list;

	fo->dir = text(o, "dir");
	fo->bucket = text(o, "bucket");
	fo->prefix = text(o, "prefix");
	fo->layout = text(o, "layout");
	fo->recursive = json_is_true(json_object_get(o, "recursive"));
	fo->poll_ms = json_integer_value(json_object_get(o, "poll"));
	fo->extensions = xcalloc(json_array_size(extensions) + 1, sizeof *fo->extensions);
	for (size_t i = 0; i < json_array_size(extensions); i++)
		fo->extensions[i] = json_string_value(json_array_get(extensions, i));
	TAILQ_INIT(&fo->files);
	TAILQ_INSERT_TAIL(&wa.folders, fo, next);
	wa.nfolders++;
	list = json_dumps(extensions, JSON_COMPACT);
	log_info("watching %s: extensions %s, %s, layout %s, to s3:%s%s%s%s, %s", fo->dir, list ? list : "",
	    fo->recursive ? "recursive" : "not recursive", fo->layout, *fo->bucket ? "//" : "", fo->bucket,
	    *fo->bucket ? "/" : "", fo->prefix, fo->poll_ms > 0 ? "polled" : "inotify");
	free(list);
}

void
folder_load_all(void)
{
	json_t *o;
	size_t i;

	json_decref(wa.folders_conf);
	wa.folders_conf = json_incref(conf_get(wa.svc->conf, "watch"));
	TAILQ_INIT(&wa.folders);
	json_array_foreach(wa.folders_conf, i, o)
		load(o);
}

void
folder_free_all(void)
{
	struct folder *fo;

	while ((fo = TAILQ_FIRST(&wa.folders)) != NULL) {
		TAILQ_REMOVE(&wa.folders, fo, next);
		notify_drop(fo, "");
		files_free_all(fo);
		free(fo->extensions);
		free(fo);
	}
	wa.nfolders = 0;
	json_decref(wa.folders_conf);
	wa.folders_conf = NULL;
}

int
folder_path(const struct folder *fo, const char *rel, char out[WATCH_PATH])
{
	int n = snprintf(out, WATCH_PATH, "%s%s%s", fo->dir, *rel ? "/" : "", rel);

	return n > 0 && n < WATCH_PATH ? 0 : -1;
}

static int
step(int at, const char *name, int flags)
{
	int fd = openat(at, name, flags), saved = errno;

	close(at);
	errno = saved;
	return fd;
}

int
folder_open(const char *dir, const char *rel, int flags)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
	char part[256];
	const char *end;

	while (fd != -1 && *rel != '\0') {
		end = strchrnul(rel, '/');
		if ((size_t)(end - rel) >= sizeof part) {
			close(fd);
			errno = ENAMETOOLONG;
			return -1;
		}
		memcpy(part, rel, (size_t)(end - rel));
		part[end - rel] = '\0';
		fd = step(fd, part, O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | (*end ? O_RDONLY | O_DIRECTORY : flags));
		rel = *end ? end + 1 : end;
	}
	return fd;
}
