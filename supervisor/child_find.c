/*
 * child_find.c - questions to the table of processes: who is ready, how many there are.
 *
 * Changes nothing. Called by everybody who wants to talk to a kind of process, or counts them.
 */
#include "supervisor/child.h"

struct child *
child_first(enum child_kind kind)
{
	struct child *c;

	for (c = child_list; c != NULL; c = c->next)
		if (c->kind == kind && c->state == CHILD_READY)
			return c;
	return NULL;
}

struct child *
child_worker(enum child_kind kind, int worker)
{
	struct child *c;

	for (c = child_list; c != NULL; c = c->next)
		if (c->kind == kind && c->worker == worker && c->state == CHILD_READY)
			return c;
	return NULL;
}

void
child_each(void (*fn)(struct child *, void *), void *ctx)
{
	struct child *c, *next;

	for (c = child_list; c != NULL; c = next) {
		next = c->next;
		fn(c, ctx);
	}
}

unsigned
child_count(enum child_kind kind)
{
	struct child *c;
	unsigned n = 0;

	for (c = child_list; c != NULL; c = c->next)
		n += c->kind == kind;
	return n;
}

/* pid 0: a peer of another pid namespace; or a child that waits for its next try. */
bool
child_has_pid(pid_t pid)
{
	const struct child *c;

	for (c = child_list; c != NULL && (pid <= 0 || c->pid != pid || c->reaped); c = c->next)
		;
	return c != NULL;
}

bool
child_none_left(void)
{
	return child_list == NULL;
}
