-- ARGV: claim, reply, mark, acknowledged, status, body, content type if there is one

if not known then
  begin(owner, 1)
end
if entry.owner ~= owner then
  return {'lost'}
elseif entry.state == 'replied' then
  return {'stored'}
elseif entry.state == 'done' then
  return {'acknowledged'}
end

redis.call('HSET', key, 'format', '1', 'first_seen', integer(entry.first_seen),
  'number', integer(entry.number))
local answer
if entry.acknowledged or ARGV[4] == '1' then
  done(owner)
  answer = 'acknowledged'
else
  redis.call('HSET', key, 'state', 'replied', 'owner', owner, 'ends', after(ARGV[2]),
    'holders', owner .. ',', 'status', ARGV[5], 'body', ARGV[6])
  if ARGV[7] then
    redis.call('HSET', key, 'content_type', ARGV[7])
  end
  redis.call('HDEL', key, 'lease', 'acknowledged')
  answer = 'stored'
end
redis.call('PEXPIRE', key, ARGV[3])
return {answer}
