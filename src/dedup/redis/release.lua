-- ARGV: claim

if not known then
  return {'unknown'}
elseif entry.state == 'done' then
  -- A repeated operation, if the claim ended the message.
  return {entry.owner == owner and 'last' or 'held'}
elseif entry.state == 'running' then
  if entry.owner ~= owner then
    return {'held'}
  end
  redis.call('HSET', key, 'lease', integer(now))
  return {'running'}
end

local start, stop = string.find(entry.holders, owner .. ',', 1, true)
if not start then
  return {'held'}
end
local others = string.sub(entry.holders, 1, start - 1) .. string.sub(entry.holders, stop + 1)
if others == '' then
  done(owner)
  return {'last'}
end
redis.call('HSET', key, 'holders', others)
return {'held'}
