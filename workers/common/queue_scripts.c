/*
 * queue_scripts.c - the queue's Lua, data only (queue_scripts.h says what goes in and out).
 *
 * The clock is Redis' own, so hosts need not agree on the time. A job's state is moved here
 * and nowhere else; each move takes it out of the sets it was in (pull, leave) and puts it
 * into those of the new state, so no job is ever in none. Scripts that only read are in queue_scripts_show.c.
 * Sent by queue_batch.c, queue_tend.c and queue_list.c.
 */
#include "workers/common/queue_scripts.h"

/*
 * push: into its stream, whatever it was in is left already; of a lane only one at a time, the
 * oldest first (advance). pull: nobody has it any more, or is to get it. rest: it is over, or put
 * aside, and the next of its lane may go (leave).
 */
#define HEAD \
	"local P, T = ARGV[1], redis.call('TIME')\n" \
	"T = T[1] * 1000 + math.floor(T[2] / 1000)\n" \
	"local function J(id) return P .. 'job:' .. id end\n" \
	"local function Q(host, kind, prio)\n" \
	"  return P .. 'jobs:q:' .. (host == '' and 'shared' or 'host:' .. host) .. ':' .. kind .. ':' .. prio\n" \
	"end\n" \
	"local function seq() return redis.call('INCR', P .. 'jobs:seq') end\n" \
	"local function num(v) return tonumber(v) or 0 end\n" \
	"local function enter(id)\n" \
	"  local j = redis.call('HMGET', J(id), 'host', 'kind', 'prio')\n" \
	"  local entry = redis.call('XADD', Q(j[1], j[2], j[3]), '*', 'job', id)\n" \
	"  redis.call('HSET', J(id), 'state', 'queued', 'queued', T, 'entry', entry)\n" \
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
	"  redis.call('HSET', J(id), 'state', 'queued', 'queued', T, 'entry', '')\n" \
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
	"    redis.call('ZREM', P .. 'jobs:refused', id)\n" \
	"  end\n" \
	"  redis.call('ZADD', P .. set, seq(), id)\n" \
	"  redis.call('HSET', J(id), 'state', state, 'ended', T, ...)\n" \
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
	"  d = T + math.floor(d * (0.8 + 0.4 * random / 1000))\n" \
	"  redis.call('HSET', J(id), 'state', 'delayed', 'due', d, 'error', err)\n" \
	"  redis.call('ZADD', P .. 'jobs:delayed', d, id)\n" \
	"  leave(id)\n" \
	"end\n"

struct redis_script queue_script_add = { .text = HEAD
	"local out, new, keys, made = {}, {}, {}, {}\n"
	"for a = 2, #ARGV, 8 do keys[#keys + 1] = ARGV[a + 1] end\n"
	"local have = redis.call('HMGET', KEYS[1], unpack(keys))\n"
	"for i, key in ipairs(keys) do\n"
	"  if have[i] and redis.call('EXISTS', J(have[i])) == 1 then\n"
	"    out[i] = {have[i], 1}\n"
	"  elseif not made[key] then\n"
	"    new[#new + 1] = i\n"
	"    made[key] = true\n"
	"  end\n"
	"end\n"
	"if #new == 0 then return out end\n"
	"local n, live, map, laned = redis.call('INCRBY', P .. 'jobs:seq', #new) - #new, {}, {}, {}\n"
	"for k, i in ipairs(new) do\n"
	"  local a, id = 8 * i - 6, string.format('%x-%x', T, n + k)\n"
	"  local lane, entry = ARGV[a + 7], ''\n"
	"  if lane == '' then\n"
	"    entry = redis.call('XADD', Q(ARGV[a + 2], ARGV[a], ARGV[a + 3]), '*', 'job', id)\n"
	"  else\n"
	"    laned[#laned + 1] = id\n"
	"  end\n"
	"  redis.call('HSET', J(id), 'state', 'queued', 'queued', T, 'entry', entry, 'lane', lane,\n"
	"    'kind', ARGV[a], 'key', ARGV[a + 1], 'host', ARGV[a + 2], 'prio', ARGV[a + 3],\n"
	"    'args', ARGV[a + 4], 'file', ARGV[a + 5], 'stream', ARGV[a + 6], 'added', T, 'attempts', 0,\n"
	"    'waits', 0, 'crashes', 0, 'epoch', 0, 'progress', 0, 'best', 0, 'error', '')\n"
	"  map[2 * k - 1], map[2 * k], live[2 * k - 1], live[2 * k] = ARGV[a + 1], id, n + k, id\n"
	"  out[i], made[ARGV[a + 1]] = {id, 0}, id\n"
	"end\n"
	"for i, key in ipairs(keys) do out[i] = out[i] or {made[key], 1} end\n"
	"redis.call('HSET', KEYS[1], unpack(map))\n"
	"redis.call('ZADD', P .. 'jobs:live', unpack(live))\n"
	"for _, id in ipairs(laned) do push(id) end\n"
	"return out\n" };

/*
 * An entry whose job is elsewhere by now (cancelled, retried) is thrown away. The epoch is a time: a
 * master that never heard of the last take must not give the same one to somebody else.
 */
struct redis_script queue_script_take = { .text = HEAD
	"local want, looked, out, running = tonumber(ARGV[5]), 0, {}, {}\n"
	"local function read(q)\n"
	"  if redis.call('EXISTS', q) == 0 then return {} end\n"
	"  local n = want - #out\n"
	"  local r = redis.pcall('XREADGROUP', 'GROUP', 'w', ARGV[2], 'COUNT', n, 'STREAMS', q, '>')\n"
	"  if r and r.err then\n"
	"    redis.call('XGROUP', 'CREATE', q, 'w', '0')\n"
	"    r = redis.call('XREADGROUP', 'GROUP', 'w', ARGV[2], 'COUNT', n, 'STREAMS', q, '>')\n"
	"  end\n"
	"  return r and r[1][2] or {}\n"
	"end\n"
	"local function give(q, e)\n"
	"  local id = e[2][2]\n"
	"  local j = redis.call('HMGET', J(id), 'state', 'entry', 'kind', 'host', 'attempts', 'crashes',\n"
	"    'prio', 'key', 'args', 'epoch')\n"
	"  if j[1] ~= 'queued' or j[2] ~= e[1] then\n"
	"    redis.call('XACK', q, 'w', e[1])\n"
	"    redis.call('XDEL', q, e[1])\n"
	"    return\n"
	"  end\n"
	"  local epoch = math.max(num(j[10]) + 1, T)\n"
	"  redis.call('HSET', J(id), 'state', 'running', 'epoch', epoch, 'worker', ARGV[3], 'taken', T,\n"
	"    'progress', 0)\n"
	"  running[#running + 1] = T + ARGV[4]\n"
	"  running[#running + 1] = id\n"
	"  out[#out + 1] = {id, j[3], j[4], epoch, j[5], j[6], j[7], j[8], j[9]}\n"
	"end\n"
	"local function take(q)\n"
	"  while #out < want and looked < want + 100 do\n"
	"    local got = read(q)\n"
	"    if #got == 0 then return end\n"
	"    for _, e in ipairs(got) do give(q, e) end\n"
	"    looked = looked + #got\n"
	"  end\n"
	"end\n"
	"for prio = 0, 2 do\n"
	"  for i = 6, #ARGV do\n"
	"    take(Q(ARGV[2], ARGV[i], prio))\n"
	"    take(Q('', ARGV[i], prio))\n"
	"    if #out == want then break end\n"
	"  end\n"
	"  if #out == want then break end\n"
	"end\n"
	"if #running > 0 then redis.call('ZADD', P .. 'jobs:running', unpack(running)) end\n"
	"return out\n" };

/* More progress than ever: its worker's deaths before that are forgotten. */
struct redis_script queue_script_renew = { .text = HEAD MINE
	"local function renew(id, epoch, progress, kind, key, host, prio, args, file, stream, lane)\n"
	"  local j = redis.call('HMGET', J(id), 'state', 'epoch', 'best')\n"
	"  local whose = mine(j[1], j[2], epoch, key)\n"
	"  if whose and whose < 1 then return whose end\n"
	"  if not whose then\n"
	"    redis.call('HSET', J(id), 'kind', kind, 'key', key, 'host', host, 'prio', prio,\n"
	"      'args', args, 'file', file, 'stream', stream, 'added', T, 'queued', T, 'attempts', 0,\n"
	"      'waits', 0, 'crashes', 0, 'epoch', epoch, 'best', 0, 'error', '', 'entry', '', 'state',\n"
	"      'running', 'worker', ARGV[3], 'taken', T, 'lane', lane)\n"
	"    if lane ~= '' then redis.call('HSETNX', P .. 'jobs:lanes', lane, id) end\n"
	"    redis.call('HSET', KEYS[1], key, id)\n"
	"    redis.call('ZADD', P .. 'jobs:live', seq(), id)\n"
	"  end\n"
	"  redis.call('HSET', J(id), 'progress', progress)\n"
	"  if tonumber(progress) > num(j[3]) then\n"
	"    redis.call('HSET', J(id), 'best', progress, 'crashes', 0)\n"
	"  end\n"
	"  redis.call('ZADD', P .. 'jobs:running', T + ARGV[2], id)\n"
	"  return 1\n"
	"end\n"
	"local out = {}\n"
	"for a = 4, #ARGV, 11 do out[#out + 1] = renew(unpack(ARGV, a, a + 10)) end\n"
	"return out\n" };

/*
 * Said a second time (the first answer was lost), or by one whose lease ran out without anybody
 * having taken the job since: what is done is done. Those that were running and are done go
 * together; a job that is running is in jobs:running and jobs:live, so no other set is asked.
 */
struct redis_script queue_script_end = { .text = HEAD MINE DELAY
	"local tries, keep = tonumber(ARGV[2]), tonumber(ARGV[5])\n"
	"local least, most = tonumber(ARGV[3]), tonumber(ARGV[4])\n"
	"local ids, keys, gone, qs, lanes = {}, {}, {}, {}, {}\n"
	"local function done(id, key, text, j)\n"
	"  redis.call('HSET', J(id), 'state', 'done', 'ended', T, 'result', text, 'progress', 1000, 'error', '')\n"
	"  if j[5] ~= 'running' then\n"
	"    pull(id, j)\n"
	"  elseif j[4] and j[4] ~= '' then\n"
	"    local q = Q(j[1], j[2], j[3])\n"
	"    if not gone[q] then\n"
	"      gone[q] = {}\n"
	"      qs[#qs + 1] = q\n"
	"    end\n"
	"    table.insert(gone[q], j[4])\n"
	"  end\n"
	"  if j[7] and j[7] ~= '' then lanes[#lanes + 1] = j[7] end\n"
	"  ids[#ids + 1] = id\n"
	"  keys[#keys + 1] = key\n"
	"end\n"
	"local function over(id, epoch, key, verb, text, random)\n"
	"  local j = redis.call('HMGET', J(id), 'host', 'kind', 'prio', 'entry', 'state', 'epoch', 'lane')\n"
	"  if j[6] == epoch and j[5] ~= 'running' and j[5] ~= 'cancelled' then\n"
	"    if verb ~= 'done' or (j[5] ~= 'queued' and j[5] ~= 'delayed') then return 1 end\n"
	"  else\n"
	"    local whose = mine(j[5], j[6], epoch, key)\n"
	"    if whose ~= 1 then return whose or 1 end\n"
	"  end\n"
	"  if verb == 'done' then\n"
	"    done(id, key, text, j)\n"
	"    return 1\n"
	"  end\n"
	"  pull(id, j)\n"
	"  if verb == 'back' then\n"
	"    push(id)\n"
	"  elseif verb == 'later' then\n"
	"    delay(id, redis.call('HINCRBY', J(id), 'waits', 1), least, most, tonumber(random), text)\n"
	"  elseif verb == 'park' then\n"
	"    rest(id, 'parked', 'jobs:dead', 'error', text)\n"
	"  elseif verb == 'refuse' then\n"
	"    redis.call('HINCRBY', J(id), 'attempts', 1)\n"
	"    rest(id, 'dead', 'jobs:refused', 'error', text)\n"
	"  else\n"
	"    local n = redis.call('HINCRBY', J(id), 'attempts', 1)\n"
	"    if verb == 'dead' or n >= tries then\n"
	"      rest(id, 'dead', 'jobs:dead', 'error', text)\n"
	"    else\n"
	"      delay(id, n, least, most, tonumber(random), text)\n"
	"    end\n"
	"  end\n"
	"  return 1\n"
	"end\n"
	"local out = {}\n"
	"for a = 6, #ARGV, 6 do out[#out + 1] = over(unpack(ARGV, a, a + 5)) end\n"
	"if #ids == 0 then return out end\n"
	"for _, q in ipairs(qs) do\n"
	"  redis.call('XACK', q, 'w', unpack(gone[q]))\n"
	"  redis.call('XDEL', q, unpack(gone[q]))\n"
	"end\n"
	"redis.call('ZREM', P .. 'jobs:running', unpack(ids))\n"
	"redis.call('ZREM', P .. 'jobs:live', unpack(ids))\n"
	"redis.call('HDEL', KEYS[1], unpack(keys))\n"
	"for _, lane in ipairs(lanes) do advance(lane) end\n"
	"local n, rank = redis.call('INCRBY', P .. 'jobs:seq', #ids) - #ids, {}\n"
	"for i, id in ipairs(ids) do rank[2 * i - 1], rank[2 * i] = n + i, id end\n"
	"redis.call('ZADD', P .. 'jobs:done', unpack(rank))\n"
	"local past = redis.call('ZCARD', P .. 'jobs:done') - keep\n"
	"if past > 0 then\n"
	"  local old = redis.call('ZRANGE', P .. 'jobs:done', 0, math.min(past, 100 + #ids) - 1)\n"
	"  redis.call('ZREMRANGEBYRANK', P .. 'jobs:done', 0, #old - 1)\n"
	"  for i, id in ipairs(old) do old[i] = J(id) end\n"
	"  redis.call('DEL', unpack(old))\n"
	"end\n"
	"return out\n" };

/* A first death of its worker costs a job nothing, the next ones put it off. After a time in
 * which nobody tended, Redis was away for all: whoever is still at work gets a new lease. */
struct redis_script queue_script_tend = { .text = HEAD DELAY
	"local host, lease, t = ARGV[2], tonumber(ARGV[3]), T\n"
	"local running = P .. 'jobs:running'\n"
	"local function crashed(id)\n"
	"  local n = redis.call('HINCRBY', J(id), 'crashes', 1)\n"
	"  local err = 'its worker died or hung' .. (n > 1 and ' ' .. n .. ' times in a row' or '')\n"
	"  pull(id)\n"
	"  if n >= tonumber(ARGV[5]) then\n"
	"    rest(id, 'dead', 'jobs:dead', 'error', err)\n"
	"  elseif n == 1 then\n"
	"    redis.call('HSET', J(id), 'error', err)\n"
	"    push(id)\n"
	"  else\n"
	"    delay(id, n - 1, tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), err)\n"
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
	"for i, set in ipairs({'live', 'running', 'delayed', 'dead', 'done', 'refused'}) do\n"
	"  out[i] = redis.call('ZCARD', P .. 'jobs:' .. set)\n"
	"end\n"
	"out[7] = 0\n"
	"for _, id in ipairs(redis.call('ZRANGE', P .. 'jobs:live', 0, 31)) do\n"
	"  local j = redis.call('HMGET', J(id), 'state', 'queued', 'entry')\n"
	"  if j[1] == 'queued' and j[3] ~= '' then\n"
	"    out[7] = math.max(out[7], t - j[2])\n"
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

struct redis_script queue_script_retry = { .text = HEAD
	"local id = ARGV[2]\n"
	"local j = redis.call('HMGET', J(id), 'state', 'key')\n"
	"if not j[1] then return 0 end\n"
	"if j[1] == 'queued' or j[1] == 'running' or j[1] == 'done' then return j[1] end\n"
	"pull(id)\n"
	"redis.call('ZREM', P .. 'jobs:dead', id)\n"
	"redis.call('ZREM', P .. 'jobs:refused', id)\n"
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

struct redis_script queue_script_forget = { .text = HEAD
	"local id = ARGV[2]\n"
	"local j = redis.call('HMGET', J(id), 'state', 'key')\n"
	"if not j[1] then return 0 end\n"
	"if j[1] ~= 'dead' and j[1] ~= 'cancelled' then return j[1] end\n"
	"for _, set in ipairs({'dead', 'refused', 'cancelled'}) do redis.call('ZREM', P .. 'jobs:' .. set, id) end\n"
	"if redis.call('HGET', KEYS[1], j[2]) == id then redis.call('HDEL', KEYS[1], j[2]) end\n"
	"redis.call('DEL', J(id))\n"
	"return 1\n" };
