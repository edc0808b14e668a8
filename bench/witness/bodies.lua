-- Sends prepared bodies, each once: a signed log that is sent twice is a duplicate and no load.
-- Arguments: the files' common beginning (one file a thread: beginning.0, beginning.1, ...), and the path to send to.

local threads = {}

function setup(thread)
  thread:set("part", #threads)
  table.insert(threads, thread)
end

function init(args)
  file = assert(io.open(args[1] .. "." .. part, "r"))
  path = args[2]
  headers = { ["Content-Type"] = "application/json" }
  -- What was sent after the bodies had run out; it asks for nothing that costs much.
  spare = 0
end

function request()
  local body = file:read("*l")
  if body == nil then
    spare = spare + 1
    wrk.thread:stop()
    return wrk.format("GET", "/health/live")
  end
  return wrk.format("POST", path, headers, body)
end

function done(summary, latency)
  local spares = 0
  for _, thread in ipairs(threads) do
    spares = spares + thread:get("spare")
  end
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"spares":%d,"microseconds":%d,"p50":%d,"p90":%d,"p99":%d,"max":%d,"status":%d,"socket":%d,"timeout":%d}\n',
    summary.requests, spares, summary.duration, latency:percentile(50), latency:percentile(90), latency:percentile(99), latency.max,
    errors.status, errors.connect + errors.read + errors.write, errors.timeout))
end
