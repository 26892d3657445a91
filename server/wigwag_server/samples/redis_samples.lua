-- Adds samples of contexts; of each flag the latest stay, and of the flags those that came first.
--
-- KEYS  1 flags (sorted set: flag by the second of its latest sample)
-- ARGV  1 what the lists begin with  2 most samples of a flag  3 most flags  4 seconds that they are kept
--       then for each sample: flag, data

local now = tonumber(redis.call('TIME')[1])
local kept = tonumber(ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - kept)

local touched = {}
for at = 5, #ARGV, 2 do
  local flag = ARGV[at]
  if redis.call('ZSCORE', KEYS[1], flag) or redis.call('ZCARD', KEYS[1]) < tonumber(ARGV[3]) then
    redis.call('ZADD', KEYS[1], now, flag)
    redis.call('LPUSH', ARGV[1] .. flag, now .. ' ' .. ARGV[at + 1])
    touched[flag] = true
  end
end

for flag in pairs(touched) do
  local list = ARGV[1] .. flag
  redis.call('LTRIM', list, 0, ARGV[2] - 1)
  local last = redis.call('LINDEX', list, -1)
  while last and tonumber(string.match(last, '^%d+')) <= now - kept do
    redis.call('RPOP', list)
    last = redis.call('LINDEX', list, -1)
  end
  redis.call('EXPIRE', list, kept)
end
redis.call('EXPIRE', KEYS[1], kept)
return 1
