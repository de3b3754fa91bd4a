/*
 * queue_scripts.c - the queue's Lua, data only (queue_scripts.h says what goes in and out).
 *
 * The clock is Redis' own, so hosts need not agree on the time. A job's state is moved here
 * and nowhere else; each move takes it out of the sets it was in (pull, leave) and puts it
 * into those of the new state, so no job is ever in none. Sent by queue.c, queue_tend.c and
 * queue_list.c.
 */
#include "workers/common/queue_scripts.h"

/*
 * push: into its stream, whatever it was in is left already; of a lane only one at a time, the
 * oldest first (advance). pull: nobody has it any more, or is to get it. rest: it is over, or put
 * aside, and the next of its lane may go (leave).
 */
#define HEAD \
	"local P = ARGV[1]\n" \
	"local function now()\n" \
	"  local t = redis.call('TIME')\n" \
	"  return t[1] * 1000 + math.floor(t[2] / 1000)\n" \
	"end\n" \
	"local function J(id) return P .. 'job:' .. id end\n" \
	"local function Q(host, kind, prio)\n" \
	"  return P .. 'jobs:q:' .. (host == '' and 'shared' or 'host:' .. host) .. ':' .. kind .. ':' .. prio\n" \
	"end\n" \
	"local function seq() return redis.call('INCR', P .. 'jobs:seq') end\n" \
	"local function enter(id)\n" \
	"  local j = redis.call('HMGET', J(id), 'host', 'kind', 'prio')\n" \
	"  local entry = redis.call('XADD', Q(j[1], j[2], j[3]), '*', 'job', id)\n" \
	"  redis.call('HSET', J(id), 'state', 'queued', 'queued', now(), 'entry', entry)\n" \
	"end\n" \
	"local function lane_of(id)\n" \
	"  local lane = redis.call('HGET', J(id), 'lane')\n" \
	"  return lane and lane ~= '' and lane or nil\n" \
	"end\n" \
	"local function advance(lane)\n" \
	"  local has = redis.call('HGET', P .. 'jobs:lanes', lane)\n" \
	"  local state = has and redis.call('HGET', J(has), 'state')\n" \
	"  if state == 'queued' or state == 'running' then return end\n" \
	"  local id = redis.call('ZPOPMIN', P .. 'jobs:lane:' .. lane)[1]\n" \
	"  if id then\n" \
	"    redis.call('HSET', P .. 'jobs:lanes', lane, id)\n" \
	"    enter(id)\n" \
	"  else\n" \
	"    redis.call('HDEL', P .. 'jobs:lanes', lane)\n" \
	"  end\n" \
	"end\n" \
	"local function push(id)\n" \
	"  local lane = lane_of(id)\n" \
	"  if not lane then return enter(id) end\n" \
	"  redis.call('HSET', J(id), 'state', 'queued', 'queued', now(), 'entry', '')\n" \
	"  redis.call('ZADD', P .. 'jobs:lane:' .. lane, redis.call('ZSCORE', P .. 'jobs:live', id), id)\n" \
	"  advance(lane)\n" \
	"end\n" \
	"local function pull(id, j)\n" \
	"  j = j or redis.call('HMGET', J(id), 'host', 'kind', 'prio', 'entry')\n" \
	"  if j[4] and j[4] ~= '' then\n" \
	"    local q = Q(j[1], j[2], j[3])\n" \
	"    redis.call('XACK', q, 'w', j[4])\n" \
	"    redis.call('XDEL', q, j[4])\n" \
	"  end\n" \
	"  if redis.call('ZREM', P .. 'jobs:running', id) == 0 then\n" \
	"    redis.call('ZREM', P .. 'jobs:delayed', id)\n" \
	"  end\n" \
	"  local lane = lane_of(id)\n" \
	"  if not lane then return end\n" \
	"  redis.call('ZREM', P .. 'jobs:lane:' .. lane, id)\n" \
	"  if redis.call('HGET', P .. 'jobs:lanes', lane) == id then\n" \
	"    redis.call('HDEL', P .. 'jobs:lanes', lane)\n" \
	"  end\n" \
	"end\n" \
	"local function leave(id)\n" \
	"  local lane = lane_of(id)\n" \
	"  if lane then advance(lane) end\n" \
	"end\n" \
	"local function rest(id, state, set, ...)\n" \
	"  if redis.call('ZREM', P .. 'jobs:live', id) == 0 then\n" \
	"    redis.call('ZREM', P .. 'jobs:dead', id)\n" \
	"  end\n" \
	"  redis.call('ZADD', P .. set, seq(), id)\n" \
	"  redis.call('HSET', J(id), 'state', state, 'ended', now(), ...)\n" \
	"  leave(id)\n" \
	"end\n"

/* Whose a job is: 1 the asker's, 0 another's, -1 cancelled, nil: Redis does not know it. */
#define MINE \
	"local function mine(state, owner, epoch, key)\n" \
	"  if state == 'running' and owner == epoch then return 1 end\n" \
	"  if state == 'cancelled' and owner == epoch then return -1 end\n" \
	"  if state then return 0 end\n" \
	"  local other = redis.call('HGET', KEYS[1], key)\n" \
	"  if other and redis.call('EXISTS', J(other)) == 1 then return 0 end\n" \
	"  return nil\n" \
	"end\n"

/* Later: the n-th time after 2^(n-1) times retry_min, retry_max at most, +-20 %. */
#define DELAY \
	"local function delay(id, n, least, most, random, err)\n" \
	"  local d = math.min(least * 2 ^ math.min(n - 1, 40), most)\n" \
	"  d = now() + math.floor(d * (0.8 + 0.4 * random / 1000))\n" \
	"  redis.call('HSET', J(id), 'state', 'delayed', 'due', d, 'error', err)\n" \
	"  redis.call('ZADD', P .. 'jobs:delayed', d, id)\n" \
	"  leave(id)\n" \
	"end\n"

struct redis_script queue_script_add = { .text = HEAD
	"local id = redis.call('HGET', KEYS[1], ARGV[3])\n"
	"if id and redis.call('EXISTS', J(id)) == 1 then return {id, 1} end\n"
	"local t, n = now(), seq()\n"
	"id = string.format('%x-%x', t, n)\n"
	"redis.call('HSET', J(id), 'kind', ARGV[2], 'key', ARGV[3], 'host', ARGV[4], 'prio', ARGV[5],\n"
	"  'args', ARGV[6], 'file', ARGV[7], 'stream', ARGV[8], 'lane', ARGV[9], 'added', t, 'attempts', 0,\n"
	"  'waits', 0, 'crashes', 0, 'epoch', 0, 'progress', 0, 'best', 0, 'error', '')\n"
	"redis.call('HSET', KEYS[1], ARGV[3], id)\n"
	"redis.call('ZADD', P .. 'jobs:live', n, id)\n"
	"push(id)\n"
	"return {id, 0}\n" };

/* An entry whose job is elsewhere by now (cancelled, retried) is thrown away. */
struct redis_script queue_script_take = { .text = HEAD
	"local function read(q)\n"
	"  if redis.call('EXISTS', q) == 0 then return nil end\n"
	"  local r = redis.pcall('XREADGROUP', 'GROUP', 'w', ARGV[2], 'COUNT', 1, 'STREAMS', q, '>')\n"
	"  if r and r.err then\n"
	"    redis.call('XGROUP', 'CREATE', q, 'w', '0')\n"
	"    r = redis.call('XREADGROUP', 'GROUP', 'w', ARGV[2], 'COUNT', 1, 'STREAMS', q, '>')\n"
	"  end\n"
	"  return r and r[1][2][1]\n"
	"end\n"
	"local function take(q)\n"
	"  for round = 1, 100 do\n"
	"    local e = read(q)\n"
	"    if not e then return nil end\n"
	"    local id = e[2][2]\n"
	"    local j = redis.call('HMGET', J(id), 'state', 'entry', 'kind', 'host', 'attempts', 'crashes',\n"
	"      'prio', 'key', 'args', 'epoch')\n"
	"    if j[1] == 'queued' and j[2] == e[1] then\n"
	"      local t = now()\n"
	"      local epoch = j[10] + 1\n"
	"      redis.call('HSET', J(id), 'state', 'running', 'epoch', epoch, 'worker', ARGV[3], 'taken', t,\n"
	"        'progress', 0)\n"
	"      redis.call('ZADD', P .. 'jobs:running', t + ARGV[4], id)\n"
	"      return {id, j[3], j[4], epoch, j[5], j[6], j[7], j[8], j[9]}\n"
	"    end\n"
	"    redis.call('XACK', q, 'w', e[1])\n"
	"    redis.call('XDEL', q, e[1])\n"
	"  end\n"
	"end\n"
	"for prio = 0, 2 do\n"
	"  for i = 5, #ARGV do\n"
	"    local got = take(Q(ARGV[2], ARGV[i], prio)) or take(Q('', ARGV[i], prio))\n"
	"    if got then return got end\n"
	"  end\n"
	"end\n"
	"return {}\n" };

/* More progress than ever: its worker's deaths before that are forgotten. */
struct redis_script queue_script_renew = { .text = HEAD MINE
	"local id, t = ARGV[2], now()\n"
	"local j = redis.call('HMGET', J(id), 'state', 'epoch', 'best')\n"
	"local whose = mine(j[1], j[2], ARGV[3], ARGV[8])\n"
	"if whose and whose < 1 then return whose end\n"
	"if not whose then\n"
	"  redis.call('HSET', J(id), 'kind', ARGV[7], 'key', ARGV[8], 'host', ARGV[9], 'prio', ARGV[10],\n"
	"    'args', ARGV[11], 'file', ARGV[12], 'stream', ARGV[13], 'added', t, 'queued', t, 'attempts', 0,\n"
	"    'waits', 0, 'crashes', 0, 'epoch', ARGV[3], 'best', 0, 'error', '', 'entry', '', 'state',\n"
	"    'running', 'worker', ARGV[6], 'taken', t, 'lane', ARGV[14])\n"
	"  if ARGV[14] ~= '' then redis.call('HSETNX', P .. 'jobs:lanes', ARGV[14], id) end\n"
	"  redis.call('HSET', KEYS[1], ARGV[8], id)\n"
	"  redis.call('ZADD', P .. 'jobs:live', seq(), id)\n"
	"end\n"
	"redis.call('HSET', J(id), 'progress', ARGV[5])\n"
	"if tonumber(ARGV[5]) > tonumber(j[3] or 0) then\n"
	"  redis.call('HSET', J(id), 'best', ARGV[5], 'crashes', 0)\n"
	"end\n"
	"redis.call('ZADD', P .. 'jobs:running', t + ARGV[4], id)\n"
	"return 1\n" };

/* Said a second time (the first answer was lost), or by one whose lease ran out without anybody
 * having taken the job since: what is done is done. */
struct redis_script queue_script_end = { .text = HEAD MINE DELAY
	"local id, key, verb, text = ARGV[2], ARGV[4], ARGV[5], ARGV[6]\n"
	"local j = redis.call('HMGET', J(id), 'host', 'kind', 'prio', 'entry', 'state', 'epoch')\n"
	"if j[6] == ARGV[3] and j[5] ~= 'running' and j[5] ~= 'cancelled' then\n"
	"  if verb ~= 'done' or (j[5] ~= 'queued' and j[5] ~= 'delayed') then return 1 end\n"
	"else\n"
	"  local whose = mine(j[5], j[6], ARGV[3], key)\n"
	"  if whose ~= 1 then return whose or 1 end\n"
	"end\n"
	"local least, most, random = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])\n"
	"pull(id, j)\n"
	"if verb == 'done' then\n"
	"  rest(id, 'done', 'jobs:done', 'result', text, 'progress', 1000, 'error', '')\n"
	"  redis.call('HDEL', KEYS[1], key)\n"
	"  local over = redis.call('ZCARD', P .. 'jobs:done') - ARGV[11]\n"
	"  if over > 0 then\n"
	"    for _, old in ipairs(redis.call('ZRANGE', P .. 'jobs:done', 0, math.min(over, 100) - 1)) do\n"
	"      redis.call('DEL', J(old))\n"
	"      redis.call('ZREM', P .. 'jobs:done', old)\n"
	"    end\n"
	"  end\n"
	"elseif verb == 'back' then\n"
	"  push(id)\n"
	"elseif verb == 'later' then\n"
	"  delay(id, redis.call('HINCRBY', J(id), 'waits', 1), least, most, random, text)\n"
	"elseif verb == 'park' then\n"
	"  rest(id, 'parked', 'jobs:dead', 'error', text)\n"
	"else\n"
	"  local n = redis.call('HINCRBY', J(id), 'attempts', 1)\n"
	"  if verb == 'dead' or n >= tonumber(ARGV[7]) then\n"
	"    rest(id, 'dead', 'jobs:dead', 'error', text)\n"
	"  else\n"
	"    delay(id, n, least, most, random, text)\n"
	"  end\n"
	"end\n"
	"return 1\n" };

/* A first death of its worker costs a job nothing, the next ones put it off. After a time in
 * which nobody tended, Redis was away for all: whoever is still at work gets a new lease. */
struct redis_script queue_script_tend = { .text = HEAD DELAY
	"local host, lease, t = ARGV[2], tonumber(ARGV[3]), now()\n"
	"local running = P .. 'jobs:running'\n"
	"local function crashed(id)\n"
	"  local n = redis.call('HINCRBY', J(id), 'crashes', 1)\n"
	"  pull(id)\n"
	"  if n >= tonumber(ARGV[5]) then\n"
	"    rest(id, 'dead', 'jobs:dead', 'error', 'its worker died or hung ' .. n .. ' times in a row')\n"
	"  elseif n == 1 then\n"
	"    push(id)\n"
	"  else\n"
	"    delay(id, n - 1, tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]),\n"
	"      'its worker died or hung ' .. n .. ' times in a row')\n"
	"  end\n"
	"end\n"
	"local last = redis.call('GET', P .. 'jobs:tended')\n"
	"redis.call('SET', P .. 'jobs:tended', t)\n"
	"if last and t - last > tonumber(ARGV[4]) then\n"
	"  for _, id in ipairs(redis.call('ZRANGEBYSCORE', running, '-inf', t + lease)) do\n"
	"    redis.call('ZADD', running, t + lease, id)\n"
	"  end\n"
	"end\n"
	"if ARGV[9] ~= '' and redis.call('HGET', P .. 'jobs:hosts', host) ~= ARGV[9] then\n"
	"  redis.call('HSET', P .. 'jobs:hosts', host, ARGV[9])\n"
	"end\n"
	"for i = 10, #ARGV, 2 do\n"
	"  local j = redis.call('HMGET', J(ARGV[i]), 'state', 'epoch')\n"
	"  if j[1] == 'running' and j[2] == ARGV[i + 1] then crashed(ARGV[i]) end\n"
	"end\n"
	"for _, id in ipairs(redis.call('ZRANGEBYSCORE', running, '-inf', t, 'LIMIT', 0, 100)) do\n"
	"  crashed(id)\n"
	"end\n"
	"for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'jobs:delayed', '-inf', t, 'LIMIT', 0, 100)) do\n"
	"  pull(id)\n"
	"  push(id)\n"
	"end\n"
	"local out = {}\n"
	"for i, set in ipairs({'live', 'running', 'delayed', 'dead', 'done'}) do\n"
	"  out[i] = redis.call('ZCARD', P .. 'jobs:' .. set)\n"
	"end\n"
	"out[6] = 0\n"
	"for _, id in ipairs(redis.call('ZRANGE', P .. 'jobs:live', 0, 31)) do\n"
	"  local j = redis.call('HMGET', J(id), 'state', 'queued', 'entry')\n"
	"  if j[1] == 'queued' and j[3] ~= '' then\n"
	"    out[6] = math.max(out[6], t - j[2])\n"
	"  end\n"
	"end\n"
	"for _, id in ipairs(redis.call('ZRANGE', running, 0, 255)) do\n"
	"  local j = redis.call('HMGET', J(id), 'epoch', 'worker')\n"
	"  if j[2] and string.sub(j[2], 1, #host + 1) == host .. ':' then\n"
	"    out[#out + 1] = id\n"
	"    out[#out + 1] = j[1]\n"
	"    out[#out + 1] = j[2]\n"
	"  end\n"
	"end\n"
	"return out\n" };

struct redis_script queue_script_list = { .text = HEAD
	"local want, count = ARGV[2], tonumber(ARGV[4])\n"
	"local sets = {'jobs:live', 'jobs:dead'}\n"
	"if want == 'done' then\n"
	"  sets = {'jobs:done'}\n"
	"elseif want == 'cancelled' then\n"
	"  sets = {'jobs:cancelled'}\n"
	"elseif want == 'failed' or want == 'dead' or want == 'parked' then\n"
	"  sets = {'jobs:dead'}\n"
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

struct redis_script queue_script_retry = { .text = HEAD
	"local id = ARGV[2]\n"
	"local j = redis.call('HMGET', J(id), 'state', 'key')\n"
	"if not j[1] then return 0 end\n"
	"if j[1] == 'queued' or j[1] == 'running' or j[1] == 'done' then return j[1] end\n"
	"pull(id)\n"
	"redis.call('ZREM', P .. 'jobs:dead', id)\n"
	"redis.call('ZREM', P .. 'jobs:cancelled', id)\n"
	"redis.call('HSET', J(id), 'attempts', 0, 'waits', 0, 'crashes', 0)\n"
	"redis.call('HDEL', J(id), 'ended')\n"
	"redis.call('HSET', KEYS[1], j[2], id)\n"
	"redis.call('ZADD', P .. 'jobs:live', seq(), id)\n"
	"push(id)\n"
	"return 1\n" };

struct redis_script queue_script_cancel = { .text = HEAD
	"local id = ARGV[2]\n"
	"local state = redis.call('HGET', J(id), 'state')\n"
	"if not state then return 0 end\n"
	"if state == 'done' or state == 'cancelled' then return state end\n"
	"pull(id)\n"
	"rest(id, 'cancelled', 'jobs:cancelled')\n"
	"return 1\n" };
