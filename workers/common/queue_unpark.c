/*
 * queue_unpark.c - parked jobs go on by themselves. What refused them (keys, a bucket) may have
 * been mended on the other side: one job at a time goes as a probe, each `wait`; once one is
 * done, so do all that were parked before. So wrong keys cost one request now and then, and
 * nobody has to say retry a thousand times.
 *
 * Contract in queue.h. Called by workers/jobs/unpark.c.
 */
#include <stdlib.h>

#include "util.h"
#include "workers/common/queue_parts.h"

/*
 * KEYS jobs:keys; ARGV prefix host_id wait_ms all -> JOBIDs that are to go on. jobs:probes: host_id -> JOBID
 * of the probe, or "*MS": all that were parked before then, of which the first hundred went at once.
 */
static struct redis_script script = { .text =
	"local P, host, wait = ARGV[1], ARGV[2], tonumber(ARGV[3])\n"
	"local function J(id) return P .. 'job:' .. id end\n"
	"local t = redis.call('TIME')\n"
	"local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
	"local probe = redis.call('HGET', P .. 'jobs:probes', host) or ''\n"
	"local state, ended = unpack(redis.call('HMGET', J(probe), 'state', 'ended'))\n"
	"local before = tonumber(string.match(probe, '^%*(%d+)$'))\n"
	"if ARGV[4] == '1' or state == 'done' then\n"
	"  before = now\n"
	"elseif state == 'queued' or state == 'running' or state == 'delayed' or\n"
	"    (state == 'parked' and now - tonumber(ended) < wait) then\n"
	"  return {}\n"
	"end\n"
	"local found, from = {}, '-inf'\n"
	"for page = 1, 50 do\n"
	"  local ids = redis.call('ZRANGEBYSCORE', P .. 'jobs:dead', from, '+inf', 'WITHSCORES', 'LIMIT', 0, 200)\n"
	"  for i = 1, #ids, 2 do\n"
	"    local j = redis.call('HMGET', J(ids[i]), 'state', 'host', 'ended')\n"
	"    if j[1] == 'parked' and (j[2] == host or j[2] == '') and\n"
	"        tonumber(j[3]) <= (before or now - wait) then found[#found + 1] = ids[i] end\n"
	"    from = '(' .. ids[i + 1]\n"
	"    if #found >= (before and 100 or 1) then break end\n"
	"  end\n"
	"  if #ids == 0 or #found >= (before and 100 or 1) then break end\n"
	"end\n"
	"if before and #found == 100 then\n"
	"  redis.call('HSET', P .. 'jobs:probes', host, '*' .. string.format('%.0f', before))\n"
	"elseif not before and #found == 1 then\n"
	"  redis.call('HSET', P .. 'jobs:probes', host, found[1])\n"
	"elseif probe ~= '' then\n"
	"  redis.call('HDEL', P .. 'jobs:probes', host)\n"
	"end\n"
	"return found\n" };

struct unpark {
	struct queue *q;
	queue_count_cb cb;
	void *ctx;
};

static void
found_cb(int rc, json_t *reply, const char *error, void *ctx)
{
	struct unpark *u = ctx;
	size_t n = rc == 0 ? json_array_size(reply) : 0;

	for (size_t i = 0; i < n; i++)
		queue_retry(u->q, queue_str(reply, i), NULL, NULL);
	u->cb(rc, (int)n, u->ctx);
	free(u);
}

void
queue_unpark(struct queue *q, int64_t wait_ms, bool all, queue_count_cb cb, void *ctx)
{
	char wait[QUEUE_NUMBER];
	const char *argv[] = { q->keys, q->prefix, q->host_id, queue_number(wait_ms, wait), all ? "1" : "0" };
	struct unpark *u = xcalloc(1, sizeof *u);

	*u = (struct unpark){ q, cb, ctx };
	redis_run(q->r, &script, 1, 5, argv, found_cb, u);
}
