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

struct order { int64_t upto_ms; int fd; bool close; };

struct rec_sync {
	pthread_t thread;
	int in, out;		/* ends of the pipe */
	int64_t done_ms;	/* the thread's */
};

static void *
run(void *ctx)
{
	struct rec_sync *s = ctx;
	struct order o;

	/* a pipe gives whole orders: they are written at once and small */
	while (read(s->out, &o, sizeof(o)) == (ssize_t)sizeof(o)) {
		if (fdatasync(o.fd) == 0 && o.upto_ms > 0)
			__atomic_store_n(&s->done_ms, o.upto_ms, __ATOMIC_RELAXED);
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
rec_sync_give(struct rec_sync *s, int fd, bool close_it, int64_t upto_ms)
{
	struct order o = { upto_ms, fd, close_it };

	/* full: the disk is far behind, and fsync'd all the same when it catches up */
	if (write(s->in, &o, sizeof(o)) < 0 && close_it)
		close(fd);
}

int64_t
rec_sync_done_ms(const struct rec_sync *s)
{
	return __atomic_load_n(&s->done_ms, __ATOMIC_RELAXED);
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
