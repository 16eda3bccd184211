-- ARGV: owner

if not known then
  return 0
elseif entry.state == 'done' then
  -- Said before.
  return entry.owner == owner and 1 or 0
elseif entry.state == 'running' then
  if entry.owner == owner then
    redis.call('HSET', key, 'lease', integer(now))
  end
  return 0
end

local start, stop = string.find(entry.holders, owner .. ',', 1, true)
if not start then
  return 0
end
local others = string.sub(entry.holders, 1, start - 1) .. string.sub(entry.holders, stop + 1)
if others == '' then
  done(owner)
  return 1
end
redis.call('HSET', key, 'holders', others)
return 0
