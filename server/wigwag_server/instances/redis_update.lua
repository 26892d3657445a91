-- A sign of life of a server, and what has changed there.
--
-- KEYS  1 servers (hash: id to "µs note")  2 seats (hash: id to "server via µs")  3 details (hash: id to JSON)
-- ARGV  1 server  2 note  3 most seats  4 how many are seated, then for each: id, via, details
--       then how many are lost, and their ids; then how many have left, and their ids
-- Returns 1 if the server was known.

local now = whole(now_us())
local known = redis.call('HEXISTS', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], now .. ' ' .. ARGV[2])

local at = 5
local room = tonumber(ARGV[3]) - redis.call('HLEN', KEYS[2])
for _ = 1, tonumber(ARGV[4]) do
  local id = ARGV[at]
  if redis.call('HEXISTS', KEYS[2], id) == 1 or room > 0 then
    room = room - redis.call('HSET', KEYS[2], id, ARGV[1] .. ' ' .. ARGV[at + 1] .. ' ' .. now)
    redis.call('HSET', KEYS[3], id, ARGV[at + 2])
  end
  at = at + 3
end

local lost = tonumber(ARGV[at])
for i = at + 1, at + lost do
  local seat = redis.call('HGET', KEYS[2], ARGV[i])
  -- Only from the server that has it: it may have moved on to another one already.
  if seat and string.sub(seat, 1, #ARGV[1] + 1) == ARGV[1] .. ' ' and not string.find(seat, ' left ', 1, true) then
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[1] .. ' lost ' .. now)
  end
end

at = at + lost + 1
for i = at + 1, at + tonumber(ARGV[at]) do
  if redis.call('HEXISTS', KEYS[2], ARGV[i]) == 1 then
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[1] .. ' left ' .. now)
  end
end
return known
