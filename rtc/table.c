/* table.c - see table.h. Used by net.c: peers by the name in a check, and by their address. */
#include "rtc/table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "log.h"
#include "siphash.h"
#include "util.h"

#define FIRST 64	/* buckets; doubled when there are as many nodes */

void
table_init(struct table *t)
{
	memset(t, 0, sizeof(*t));
	if (getrandom(t->seed, sizeof(t->seed), 0) != (ssize_t)sizeof(t->seed))
		fatal("no random numbers from the kernel");
	t->size = FIRST;
	t->bucket = xcalloc(t->size, sizeof(*t->bucket));
}

void
table_done(struct table *t)
{
	free(t->bucket);
	memset(t, 0, sizeof(*t));
}

uint64_t
table_hash(const struct table *t, const void *key, size_t n)
{
	return siphash(t->seed, key, n);
}

static void
link_in(struct table *t, struct table_node *node)
{
	struct table_node **head = &t->bucket[node->hash & (t->size - 1)];

	node->next = *head;
	*head = node;
}

static void
grow(struct table *t)
{
	struct table_node **old = t->bucket, *node, *next;
	size_t size = t->size;

	t->size *= 2;
	t->bucket = xcalloc(t->size, sizeof(*t->bucket));
	for (size_t i = 0; i < size; i++)
		for (node = old[i]; node != NULL; node = next) {
			next = node->next;
			link_in(t, node);
		}
	free(old);
}

void
table_put(struct table *t, struct table_node *node, uint64_t hash)
{
	if (t->n == t->size)
		grow(t);
	node->hash = hash;
	node->in = true;
	link_in(t, node);
	t->n++;
}

void
table_take(struct table *t, struct table_node *node)
{
	struct table_node **at;

	if (!node->in)
		return;
	for (at = &t->bucket[node->hash & (t->size - 1)]; *at != node; at = &(*at)->next)
		;
	*at = node->next;
	node->in = false;
	t->n--;
}

static struct table_node *
same(struct table_node *node, uint64_t hash)
{
	while (node != NULL && node->hash != hash)
		node = node->next;
	return node;
}

struct table_node *
table_first(const struct table *t, uint64_t hash)
{
	return same(t->bucket[hash & (t->size - 1)], hash);
}

struct table_node *
table_next(const struct table_node *node)
{
	return same(node->next, node->hash);
}
