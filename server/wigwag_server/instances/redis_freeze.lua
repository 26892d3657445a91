-- Keep the roster as it is for a commit.
--
-- KEYS  1 seats  2 tracked (sorted set: "epoch:revision" by the µs of the commit)
-- ARGV  1 what keys of frozen rosters begin with  2 the same of confirmations  3 epoch  4 revision
--       5 µs since it was heard of  6 how many are tracked  7 seconds to keep  then ids of the asking server

local name = ARGV[3] .. ':' .. ARGV[4]
local frozen = ARGV[1] .. name
local at = now_us() - ARGV[5]
local known = redis.call('ZSCORE', KEYS[2], name)
if not known then
  -- In C: ten thousand seats take a millisecond or two, where a loop here would take ten times that.
  redis.call('COPY', KEYS[1], frozen, 'REPLACE')
  redis.call('EXPIRE', frozen, ARGV[7])
  redis.call('ZADD', KEYS[2], whole(at), name)
  while redis.call('ZCARD', KEYS[2]) > tonumber(ARGV[6]) do
    local oldest = redis.call('ZPOPMIN', KEYS[2])[1]
    redis.call('UNLINK', ARGV[1] .. oldest, ARGV[2] .. oldest)
  end
elseif at < tonumber(known) then
  redis.call('ZADD', KEYS[2], whole(at), name)
end
for i = 8, #ARGV do
  local seat = redis.call('HGET', KEYS[1], ARGV[i])
  if seat then
    redis.call('HSETNX', frozen, ARGV[i], seat)
  end
end
return 1
