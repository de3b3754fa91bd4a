/* address.h - how many of a process' connections or viewers an address has. IPv6 counts by /64. */
#ifndef MILLRACE_ADDRESS_H
#define MILLRACE_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

bool address_take(const struct sockaddr *sa, int64_t max);	/* one more; false: it has max already */
void address_give(const struct sockaddr *sa);			/* one less, of those that were taken */
#endif
