/*
 * address.c - how many connections an address has (contract in address.h). IPv6 counts by /64:
 * that is what one customer has. A table of chains under a secret hash, so nobody can make
 * them long; its size follows the number of connections, which the callers bound: http's conn.c,
 * and viewer.c of webrtc, where they are viewers.
 */
#include "workers/common/address.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "net.h"
#include "siphash.h"
#include "util.h"

#define BUCKETS 4096

struct address {
	struct address *next;
	struct in6_addr key;
	int64_t n;
};
static struct address *buckets[BUCKETS];

static struct address **
slot_of(const struct in6_addr *key)
{
	static uint8_t secret[16];
	static bool made;
	struct address **a;

	if (!made)
		made = getrandom(secret, sizeof(secret), 0) == sizeof(secret);
	a = &buckets[siphash(secret, key, sizeof(*key)) % BUCKETS];
	while (*a != NULL && memcmp(&(*a)->key, key, sizeof(*key)) != 0)
		a = &(*a)->next;
	return a;
}

bool
address_take(const struct sockaddr *sa, int64_t max)
{
	struct in6_addr key = net_customer(sa);
	struct address **slot = slot_of(&key);

	if (*slot == NULL) {
		*slot = xcalloc(1, sizeof(**slot));
		(*slot)->key = key;
	} else if ((*slot)->n >= max)
		return false;
	(*slot)->n++;
	return true;
}

void
address_give(const struct sockaddr *sa)
{
	struct in6_addr key = net_customer(sa);
	struct address **slot = slot_of(&key), *a = *slot;

	if (a == NULL || --a->n > 0)
		return;
	*slot = a->next;
	free(a);
}
