/*
 * rec_sync.c - the thread that brings a recording to the disk (contract in rec_file.h). It gets
 * descriptors through a pipe and touches nothing else; a close is its own, too, because
 * close(2) may wait like fdatasync(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "rec_file.h"
#include "util.h"

struct order { int fd; bool close; };

struct rec_sync {
	pthread_t thread;
	int in, out;		/* ends of the pipe */
};

static void *
run(void *ctx)
{
	const struct rec_sync *s = ctx;
	struct order o;

	/* a pipe gives whole orders: they are written at once and small */
	while (read(s->out, &o, sizeof(o)) == (ssize_t)sizeof(o)) {
		fdatasync(o.fd);
		if (o.close)
			close(o.fd);
	}
	return NULL;
}

struct rec_sync *
rec_sync_new(void)
{
	struct rec_sync *s = xcalloc(1, sizeof(*s));
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0) {
		free(s);
		return NULL;
	}
	s->out = fds[0];
	s->in = fds[1];
	if (fcntl(s->in, F_SETFL, O_NONBLOCK) < 0 || (errno = pthread_create(&s->thread, NULL, run, s)) != 0) {
		close(s->in);
		close(s->out);
		free(s);
		return NULL;
	}
	return s;
}

void
rec_sync_give(struct rec_sync *s, int fd, bool close_it)
{
	struct order o = { fd, close_it };

	/* full: the disk is far behind, and fsync'd all the same when it catches up */
	if (write(s->in, &o, sizeof(o)) < 0 && close_it)
		close(fd);
}

void
rec_sync_free(struct rec_sync **sp)
{
	struct rec_sync *s = *sp;

	*sp = NULL;
	if (s == NULL)
		return;
	close(s->in);
	pthread_join(s->thread, NULL);
	close(s->out);
	free(s);
}
