/*
 * settle.c - the quiet time of a file (contract in settle.h). A time that lies in the future
 * or jumps is only "another one": what counts is how long nothing changed by our own clock.
 * Called by check.c.
 */
#include "workers/watch/settle.h"

struct settle_id
settle_id_of(const struct stat *st)
{
	return (struct settle_id){ st->st_size, st->st_mtim.tv_sec * INT64_C(1000000000) + st->st_mtim.tv_nsec,
	    st->st_ino };
}

bool
settle_same(const struct settle_id *a, const struct settle_id *b)
{
	return a->size == b->size && a->mtime_ns == b->mtime_ns && a->inode == b->inode;
}

bool
settle_see(struct settle *s, const struct settle_id *id, int64_t now)
{
	if (s->since_ms != 0 && settle_same(&s->id, id))
		return false;
	s->id = *id;
	s->since_ms = now;
	return true;
}

void
settle_written(struct settle *s, int64_t now)
{
	s->since_ms = now;
}

int64_t
settle_due(const struct settle *s, int64_t quiet_ms)
{
	return s->since_ms + quiet_ms;
}

bool
settle_is_quiet(const struct settle *s, int64_t now, int64_t quiet_ms)
{
	return s->since_ms != 0 && now >= settle_due(s, quiet_ms);
}
