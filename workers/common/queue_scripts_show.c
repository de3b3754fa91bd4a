/*
 * queue_scripts_show.c - the queue's Lua that only reads, data only (queue_scripts.h says what goes
 * in and out): lists of jobs, one job, hosts with work. Each looks at a bounded number of keys, so
 * that Redis is not held up by whoever looks. Sent by queue_list.c.
 */
#include "workers/common/queue_scripts.h"

#define HEAD \
	"local P = ARGV[1]\n" \
	"local function J(id) return P .. 'job:' .. id end\n"

struct redis_script queue_script_list = { .text = HEAD
	"local want, count = ARGV[2], tonumber(ARGV[4])\n"
	"local sets = {'jobs:live', 'jobs:dead'}\n"
	"if want == 'done' then\n"
	"  sets = {'jobs:done'}\n"
	"elseif want == 'cancelled' then\n"
	"  sets = {'jobs:cancelled'}\n"
	"elseif want == 'failed' or want == 'dead' or want == 'parked' then\n"
	"  sets = {'jobs:dead', 'jobs:refused'}\n"
	"end\n"
	"local function wanted(set, state)\n"
	"  if want == '' then return set == 'jobs:live' or state == 'parked' end\n"
	"  return state == want or (want == 'failed' and (state == 'dead' or state == 'parked'))\n"
	"end\n"
	"local at, from = string.match(ARGV[3], '^([12]):(%d+)$')\n"
	"at, from = tonumber(at or 1), from or '0'\n"
	"local out, looked = {''}, 0\n"
	"while sets[at] do\n"
	"  local ids = redis.call('ZRANGEBYSCORE', P .. sets[at], '(' .. from, '+inf', 'WITHSCORES', 'LIMIT', 0, 50)\n"
	"  for i = 1, #ids, 2 do\n"
	"    from = ids[i + 1]\n"
	"    looked = looked + 1\n"
	"    local v = redis.call('HMGET', J(ids[i]), 'state', unpack(ARGV, 5))\n"
	"    if v[1] and wanted(sets[at], v[1]) then\n"
	"      v[1] = at .. ':' .. from\n"
	"      for k = 2, #v do v[k] = v[k] or '' end\n"
	"      v[#v + 1] = ids[i]\n"
	"      v[#v + 1] = redis.call('HGET', P .. 'jobs:hosts', v[2]) or ''\n"
	"      out[#out + 1] = v\n"
	"    end\n"
	"    if #out > count or looked >= 500 then\n"
	"      out[1] = at .. ':' .. from\n"
	"      return out\n"
	"    end\n"
	"  end\n"
	"  if #ids == 0 then at, from = at + 1, '0' end\n"
	"end\n"
	"return out\n" };

struct redis_script queue_script_find = { .text = HEAD
	"local id = ARGV[2]\n"
	"if redis.call('EXISTS', J(id)) == 0 then id = redis.call('HGET', KEYS[1], id) end\n"
	"if not id then return {} end\n"
	"local v = redis.call('HMGET', J(id), unpack(ARGV, 3))\n"
	"if not v[2] then return {} end\n"
	"for k = 1, #v do v[k] = v[k] or '' end\n"
	"table.insert(v, 1, '')\n"
	"v[#v + 1] = id\n"
	"v[#v + 1] = redis.call('HGET', P .. 'jobs:hosts', v[2]) or ''\n"
	"return v\n" };

/* Waiting: what is in its own queues and nobody has. A host's name is a dead one's, too. */
struct redis_script queue_script_hosts = { .text = HEAD
	"local running, out = {}, {}\n"
	"for _, id in ipairs(redis.call('ZRANGE', P .. 'jobs:running', 0, 4095)) do\n"
	"  local h = string.match(redis.call('HGET', J(id), 'worker') or '', '^([^:]*):')\n"
	"  if h then running[h] = (running[h] or 0) + 1 end\n"
	"end\n"
	"local names = redis.call('HGETALL', P .. 'jobs:hosts')\n"
	"for i = 1, math.min(#names, 1000), 2 do\n"
	"  local waiting = 0\n"
	"  for k = 2, #ARGV do\n"
	"    for prio = 0, 2 do\n"
	"      local q = P .. 'jobs:q:host:' .. names[i] .. ':' .. ARGV[k] .. ':' .. prio\n"
	"      local n = redis.call('XLEN', q)\n"
	"      local taken = n > 0 and redis.pcall('XPENDING', q, 'w')\n"
	"      waiting = waiting + n - (taken and not taken.err and taken[1] or 0)\n"
	"    end\n"
	"  end\n"
	"  local n = running[names[i]] or 0\n"
	"  if n + waiting > 0 then\n"
	"    for _, v in ipairs({names[i], names[i + 1], n, waiting}) do out[#out + 1] = v end\n"
	"  end\n"
	"end\n"
	"return out\n" };
