/*
 * table.h - a hash table whose nodes lie in what they stand for. The hash has a key of its own for each
 * table, so that nobody outside can choose what falls into one bucket.
 */
#ifndef MILLRACE_RTC_TABLE_H
#define MILLRACE_RTC_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table_node { struct table_node *next; uint64_t hash; bool in; };
struct table { struct table_node **bucket; size_t size, n; uint8_t seed[16]; };

void table_init(struct table *t);
void table_done(struct table *t);	/* nodes are the caller's */
uint64_t table_hash(const struct table *t, const void *key, size_t n);
void table_put(struct table *t, struct table_node *node, uint64_t hash);
void table_take(struct table *t, struct table_node *node);	/* nothing if it is not in */
/* All with that hash, in any order; the caller compares keys. */
struct table_node *table_first(const struct table *t, uint64_t hash);
struct table_node *table_next(const struct table_node *node);
#endif
