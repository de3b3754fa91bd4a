/* sweep_int.h - between sweep.c (this host's own uploads, and who owns which) and sweep_stale.c only. */
#ifndef MILLRACE_SWEEP_INT_H
#define MILLRACE_SWEEP_INT_H

#include <jansson.h>
#include <stdint.h>

/* How long a host's word is good for, and an upload may be open. */
int64_t sweep_stale_ms(void);
void sweep_count(void);		/* one more was aborted */

/* sweep_stale.c: ids of uploads that are open; owned: an array of 1 and 0, NULL: nobody knows. */
typedef void (*sweep_owned_cb)(const json_t *owned);
/* sweep.c: asks Redis; n at most SWEEP_ASK. The callback may come before it returns, or never after sweep_stop(). */
#define SWEEP_ASK 200
void sweep_ask(const char *const *ids, int n, sweep_owned_cb cb);

void sweep_stale_run(void);
void sweep_stale_stop(void);
#endif
