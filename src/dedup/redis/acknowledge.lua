-- ARGV: claim, mark

if not known then
  return {'recorded'}
elseif entry.state == 'replied' then
  return hold()
elseif entry.state == 'running' then
  redis.call('HSET', key, 'acknowledged', '1')
end
return {'recorded'}
