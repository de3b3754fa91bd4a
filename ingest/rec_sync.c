/*
 * rec_sync.c - the thread that brings a recording to the disk (contract in rec_file.h). It gets
 * descriptors through a pipe and touches nothing else; a close is its own, too, because
 * close(2) may wait like fdatasync(2).
 *
 * While the pipe is full the disk is far behind. A sync is left out then: a later one is for the same file.
 * A close is kept until there is room: nobody else will sync that file.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rec_file.h"
#include "util.h"

struct order { int64_t upto_ms; int fd; bool close; };

struct rec_sync {
	pthread_t thread;
	int in, out;		/* ends of the pipe */
	int64_t done_ms;	/* the thread's */
	int error;		/* the thread's, until it is taken */
	struct order *kept;	/* closes that found no room, oldest first */
	size_t nkept;
};

static void *
run(void *ctx)
{
	struct rec_sync *s = ctx;
	struct order o;

	/* a pipe gives whole orders: they are written at once and small */
	while (read(s->out, &o, sizeof(o)) == (ssize_t)sizeof(o)) {
		if (fdatasync(o.fd) < 0)
			__atomic_store_n(&s->error, errno, __ATOMIC_RELAXED);
		else if (o.upto_ms > 0)
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

static void
give_kept(struct rec_sync *s)
{
	size_t n = 0;

	while (n < s->nkept && write(s->in, &s->kept[n], sizeof(*s->kept)) > 0)
		n++;
	if (n == 0)
		return;
	s->nkept -= n;
	memmove(s->kept, s->kept + n, s->nkept * sizeof(*s->kept));
}

void
rec_sync_give(struct rec_sync *s, int fd, bool close_it, int64_t upto_ms)
{
	struct order o = { upto_ms, fd, close_it };

	give_kept(s);
	if (s->nkept == 0 && write(s->in, &o, sizeof(o)) > 0)
		return;
	if (!close_it)
		return;
	s->kept = xrealloc(s->kept, (s->nkept + 1) * sizeof(*s->kept));
	s->kept[s->nkept++] = o;
}

int
rec_sync_error(struct rec_sync *s)
{
	give_kept(s);
	return __atomic_exchange_n(&s->error, 0, __ATOMIC_RELAXED);
}

int64_t
rec_sync_done_ms(const struct rec_sync *s)
{
	return __atomic_load_n(&s->done_ms, __ATOMIC_RELAXED);
}

int
rec_sync_free(struct rec_sync **sp)
{
	struct rec_sync *s = *sp;
	int error;

	*sp = NULL;
	if (s == NULL)
		return 0;
	if (fcntl(s->in, F_SETFL, 0) == 0)
		give_kept(s);
	close(s->in);
	pthread_join(s->thread, NULL);
	close(s->out);
	error = s->error;
	free(s->kept);
	free(s);
	return error;
}
