-- Sends the requests of a file, each with a NUL behind it, over and over.

local requests = {}
local next = 0

function init(arguments)
    local file = assert(io.open(arguments[1], "rb"))
    for request in file:read("*a"):gmatch("([^%z]+)%z") do
        requests[#requests + 1] = request
    end
    file:close()
end

function request()
    next = next % #requests + 1
    return requests[next]
end
