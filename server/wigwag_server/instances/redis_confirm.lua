-- Who has what in force.
--
-- KEYS  1 applied (hash: id to "µs cursor")  2 tracked
-- ARGV  1 what keys of frozen rosters begin with  2 the same of confirmations  3 most entries  4 seconds to keep
--       then for each: id, cursor, µs since

local now = now_us()
local tracked = {}
for _, name in ipairs(redis.call('ZREVRANGE', KEYS[2], 0, -1)) do
  local epoch, revision = string.match(name, '^(.+):(%d+)$')
  table.insert(tracked, {name = name, epoch = epoch, revision = tonumber(revision), new = false})
end
local room = tonumber(ARGV[3]) - redis.call('HLEN', KEYS[1])

for i = 5, #ARGV, 3 do
  local id, cursor, at = ARGV[i], ARGV[i + 1], whole(now - ARGV[i + 2])
  local generation, nonce, revision = string.match(cursor, '^(%d+)%.(%w+):(%d+):')
  local epoch = generation .. '.' .. nonce
  generation, revision = tonumber(generation), tonumber(revision)

  local before = redis.call('HGET', KEYS[1], id)
  local later = true
  if before then
    local g, r = string.match(before, '^%d+ (%d+)%.%w+:(%d+):')
    g, r = tonumber(g), tonumber(r)
    later = g < generation or (g == generation and r < revision)
  end
  if later and (before or room > 0) then
    room = room - redis.call('HSET', KEYS[1], id, at .. ' ' .. cursor)
  end

  -- Newest first: who has confirmed one has confirmed those before it.
  for _, each in ipairs(tracked) do
    if each.epoch == epoch and each.revision <= revision and redis.call('HEXISTS', ARGV[1] .. each.name, id) == 1 then
      if redis.call('HSETNX', ARGV[2] .. each.name, id, at) == 0 then
        break
      end
      each.new = true
    end
  end
end

for _, each in ipairs(tracked) do
  if each.new then
    redis.call('EXPIRE', ARGV[2] .. each.name, ARGV[4])
  end
end
return 1
