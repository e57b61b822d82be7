-- What wrk sends: requests in absolute form to a proxy, or in origin form where there is none, each session in turn.
-- Arguments: the URL to ask for, `proxy` or `none`, a file with the header fields, a file with one session a line or `-`.

local requests = {}
local last = 0

function init(args)
  local url, way, fieldsFile, sessionsFile = args[1], args[2], args[3], args[4]
  local file = assert(io.open(fieldsFile, 'rb'))
  local fields = file:read('*a')
  file:close()
  local path = way == 'proxy' and url or url:match('^http://[^/]+(.*)$')
  local head = 'GET ' .. path .. ' HTTP/1.1\r\n' .. fields
  if sessionsFile == '-' then
    requests[1] = head .. '\r\n'
    return
  end
  for id in io.lines(sessionsFile) do
    requests[#requests + 1] = head .. 'X-Crawlera-Session: ' .. id .. '\r\n\r\n'
  end
end

function request()
  last = last % #requests + 1
  return requests[last]
end

-- Connections that were closed between two turns are opened again, and what was in flight then seems to have taken long:
-- neither is a failure.
function done(summary)
  local errors = summary.errors
  io.write(string.format('RESULT {"requests":%d,"failed":%d}\n', summary.requests,
    errors.connect + errors.write + errors.status))
end
