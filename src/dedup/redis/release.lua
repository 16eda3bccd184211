-- ARGV: claim, mark

if not known then
  return {'unknown'}
elseif entry.state == 'running' then
  if entry.owner ~= owner then
    -- With its lease over, nobody runs it: another claim has lost it.
    return {now < entry.lease and 'held' or 'unknown'}
  end
  redis.call('HSET', key, 'lease', integer(entry.first_seen))
  redis.call('PEXPIRE', key, ARGV[2])
  return {'running'}
end

local start, stop = string.find(entry.holders, owner .. ',', 1, true)
if not start then
  -- A repeated operation, if the claim was the last holder.
  return {entry.holders == '' and entry.owner == owner and 'last' or 'held'}
end
local others = string.sub(entry.holders, 1, start - 1) .. string.sub(entry.holders, stop + 1)
redis.call('HSET', key, 'holders', others)
if others ~= '' then
  return {'held'}
end
redis.call('HSET', key, 'owner', owner)
done()
return {'last'}
