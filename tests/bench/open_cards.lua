-- wrk's side: every request opens the resident's page of one of many cards. Argument: a file with a cookie per line.

local cookies = {}

function init(arguments)
  for line in io.lines(arguments[1]) do cookies[#cookies + 1] = line end
end

function request()
  return wrk.format("GET", "/card", {["Cookie"] = "zoufang_card=" .. cookies[math.random(#cookies)]})
end

-- What is no page of a door is a failure too: of an unknown card the page is another one, and shorter.
short = 0

function response(status, headers, body)
  if status ~= 200 or #body < 4000 then short = short + 1 end
end

local threads = {}

function setup(thread)
  threads[#threads + 1] = thread
end

function done(summary, latency, requests)
  local failed = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write
    + summary.errors.timeout
  for _, thread in ipairs(threads) do failed = failed + (thread:get("short") or 0) end
  io.write(string.format('{"requests":%d,"seconds":%f,"p50_ms":%f,"p99_ms":%f,"failed":%d}\n', summary.requests,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, failed))
end
