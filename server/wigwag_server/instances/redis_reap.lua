-- Forget what is over.
--
-- KEYS  1 servers  2 seats  3 details  4 applied  5 tracked  6 tripped
-- ARGV  µs after which to forget: 1 servers that are dead  2 seats that were lost  3 seats that were left
--       4 revisions that were tracked

local now = now_us()
local alive = {}
local servers = redis.call('HGETALL', KEYS[1])
for i = 1, #servers, 2 do
  if now - string.match(servers[i + 1], '^%d+') > tonumber(ARGV[1]) then
    redis.call('HDEL', KEYS[1], servers[i])
  else
    alive[servers[i]] = true
  end
end

local keep = {lost = tonumber(ARGV[2]), left = tonumber(ARGV[3])}
local seats = redis.call('HGETALL', KEYS[2])
for i = 1, #seats, 2 do
  local server, via, since = string.match(seats[i + 1], '^(%S+) (%S+) (%d+)$')
  local over = not alive[server]
  if keep[via] then
    over = now - since > keep[via]
  end
  if over then
    redis.call('HDEL', KEYS[2], seats[i])
    redis.call('HDEL', KEYS[3], seats[i])
  end
end

for _, key in ipairs({KEYS[4], KEYS[6]}) do
  for _, id in ipairs(redis.call('HKEYS', key)) do
    if redis.call('HEXISTS', KEYS[2], id) == 0 then
      redis.call('HDEL', key, id)
    end
  end
end
redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', whole(now - ARGV[4]))
return 1
