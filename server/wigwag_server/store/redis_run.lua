-- Put before each of the other scripts.

-- What the scripts of this release read and write. A later one that keeps its state in another form counts on, and
-- this one then keeps its hands off.
local FORMAT = 1

-- An error reply where the state is of such a release, nil otherwise.
local function too_new(state)
  local format = tonumber(redis.call('HGET', state, 'format') or FORMAT)
  if format > FORMAT then
    return redis.error_reply('ERR this was written by a newer wigwag (format ' .. format .. ', this one reads up to '
      .. FORMAT .. '): run that release, or restore a backup of before')
  end
end

-- The run of Redis that this is. Another one may have come back without data that the last one had acknowledged.
local function this_run()
  return string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
end

-- Unix time in ms by the one clock that all servers share: theirs differ, and a history that is begun later than
-- another must have the greater generation, whoever begins it.
local function unix_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The epoch of a history that begins now: of at least this generation, with the random part of another epoch.
local function epoch_now(least, like)
  return string.format('%.0f', math.max(unix_ms(), least)) .. '.' .. string.match(like, '%.(.+)$')
end

-- Whether the records are as many as they were. A Redis that evicts keys, or somebody who deletes one, takes them away
-- and leaves the state: that must not look like an environment without flags.
local function intact(count, records)
  return not count or tonumber(count) == redis.call('HLEN', records)
end

-- {1 if settled else 0, epoch, revision, head, parent}; empty strings where there is nothing.
local function head_of(state, records, run)
  local now = redis.call('HMGET', state, 'epoch', 'revision', 'head', 'run', 'parent', 'count')
  local settled = 0
  if now[1] and now[4] == run and intact(now[6], records) then
    settled = 1
  end
  return {settled, now[1] or '', now[2] or '', now[3] or '', now[5] or ''}
end

