/*
 * scan_read.c - reads a chunk of a watched folder's names, on a thread, so that a slow disk or
 * a dead network file system never stops the loop. Touches nothing but its chunk (the folder
 * it only reads: a reload waits for the thread). Called by scan.c.
 */
#include "workers/watch/scan_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "util.h"
#include "workers/watch/name.h"

static int
open_dir(struct scan_chunk *c)
{
	int fd = folder_open(c->fo->dir, c->rel, O_RDONLY | O_DIRECTORY);
	char proc[40];

	c->wd = -1;
	c->wd_error = 0;
	if (fd == -1)
		return -1;
	if (c->fo->poll_ms == 0 && notify_fd() != -1) {
		/* By the descriptor: the path may lead elsewhere by now. */
		snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
		c->wd = inotify_add_watch(notify_fd(), proc, NOTIFY_MASK);
		if (c->wd == -1)
			c->wd_error = errno;
	}
	c->d = fdopendir(fd);
	if (c->d == NULL)
		close(fd);
	return c->d != NULL ? 0 : -1;
}

static void
take_name(struct scan_chunk *c, const struct dirent *e)
{
	struct scan_found *f = &c->found[c->n];
	struct stat st;

	if (name_is_temporary(e->d_name) || fstatat(dirfd(c->d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return;
	f->is_dir = S_ISDIR(st.st_mode);
	if (f->is_dir ? !c->fo->recursive : !S_ISREG(st.st_mode) || !name_has_extension(e->d_name, c->fo->extensions))
		return;
	str_copy(f->name, e->d_name, sizeof f->name);
	f->id = settle_id_of(&st);
	c->n++;
}

int
scan_read(void *ctx)
{
	struct scan_chunk *c = ctx;
	struct dirent *e = NULL;

	c->error = 0;
	c->n = 0;
	c->end = true;
	if (c->d == NULL && open_dir(c) == -1) {
		c->error = errno;
		return -1;
	}
	while (c->n < SCAN_CHUNK && (errno = 0, e = readdir(c->d)) != NULL)
		take_name(c, e);
	c->end = e == NULL;
	c->error = e == NULL ? errno : 0;
	if (c->end) {
		closedir(c->d);
		c->d = NULL;
	}
	return 0;
}
