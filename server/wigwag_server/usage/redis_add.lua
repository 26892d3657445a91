-- Add batches of counts, each once.
--
-- A series is a string of 1,440 counters of 48 bits for a period: a day of minutes, or 60 days of hours.
--
-- KEYS  1 asked (sorted set: flag by second)  2 unknown (sorted set: name by second)  3 unknown:count  4 unknown:first
-- ARGV  1 what other keys begin with  2 most series of a flag  3 most unknown names  4 seconds that those are kept
--       5 seconds that `asked` is kept  6 seconds that batches are kept  7 most batches  8 <others>
--       then for each batch: instance, number, how many counts, for each flag, series, amount;
--       how many unknown names, for each name, amount

local prefix = ARGV[1]
local now = tonumber(redis.call('TIME')[1])
local CELLS = 1440

-- Which batches were counted stands in two hashes, of this stretch of time and the one before.
local stretch = math.floor(now / tonumber(ARGV[6]))
local batches, before = prefix .. 'batches:' .. stretch, prefix .. 'batches:' .. (stretch - 1)

local counts, order, unknown = {}, {}, {}
local at = 9
while at <= #ARGV do
  local instance, number = ARGV[at], tonumber(ARGV[at + 1])
  local last = tonumber(redis.call('HGET', batches, instance) or redis.call('HGET', before, instance) or 0)
  local new = number > last and (last > 0 or redis.call('HLEN', batches) < tonumber(ARGV[7]))
  if new then
    redis.call('HSET', batches, instance, number)
  end
  local some = tonumber(ARGV[at + 2])
  at = at + 3
  for _ = 1, some do
    if new then
      local flag, series = ARGV[at], ARGV[at + 1]
      if not counts[flag] then
        counts[flag] = {}
        table.insert(order, flag)
      end
      counts[flag][series] = (counts[flag][series] or 0) + tonumber(ARGV[at + 2])
    end
    at = at + 3
  end
  some = tonumber(ARGV[at])
  at = at + 1
  for _ = 1, some do
    if new then
      unknown[ARGV[at]] = (unknown[ARGV[at]] or 0) + tonumber(ARGV[at + 1])
    end
    at = at + 2
  end
end
redis.call('EXPIRE', batches, 2 * ARGV[6])

local function add(size, kept, flag, series, amount)
  local period, cell = math.floor(now / (size * CELLS)), math.floor(now / size) % CELLS
  local key = prefix .. size .. ':' .. period .. ':' .. flag .. ':' .. series
  local sum = redis.call('BITFIELD', key, 'OVERFLOW', 'SAT', 'INCRBY', 'i48', '#' .. cell, string.format('%.0f', amount))
  if sum[1] == amount then
    redis.call('EXPIRE', key, kept + size * CELLS)
  end
end

for _, flag in ipairs(order) do
  redis.call('ZADD', KEYS[1], now, flag)
  local known = prefix .. 'series:' .. flag
  for series, amount in pairs(counts[flag]) do
    if redis.call('HEXISTS', known, series) == 1 or redis.call('HLEN', known) < tonumber(ARGV[2]) then
      redis.call('HSET', known, series, now)
      add(60, 86400, flag, series, amount)
      add(3600, 60 * 86400, flag, series, amount)
    end
  end
  redis.call('EXPIRE', known, 121 * 86400)
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[5])

for name, amount in pairs(unknown) do
  if not redis.call('ZSCORE', KEYS[2], name) and redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[3]) then
    local oldest = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
    if now - oldest[2] > tonumber(ARGV[4]) then
      redis.call('ZREM', KEYS[2], oldest[1])
      redis.call('HDEL', KEYS[3], oldest[1])
      redis.call('HDEL', KEYS[4], oldest[1])
    else
      name = ARGV[8]
    end
  end
  redis.call('ZADD', KEYS[2], now, name)
  redis.call('HINCRBY', KEYS[3], name, string.format('%.0f', amount))
  redis.call('HSETNX', KEYS[4], name, now)
end
return 1
