-- ARGV: claim, mark, lease

if not known then
  begin(nobody, 0, 0)
end
if entry.state == 'replied' then
  return hold()
elseif entry.state == 'done' then
  return {'done'}
end

if entry.owner ~= owner then
  if now < entry.lease then
    return {'running', age(), entry.lease - now}
  end
  entry.number = math.min(entry.number + 1, 4294967295)
end
run(ARGV[3])
return {'run', age(), entry.number}
