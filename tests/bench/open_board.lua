-- wrk's side: every request opens the public board. Argument: the least bytes that a whole answer has.

short, least = 0, 0

function init(arguments)
  least = tonumber(arguments[1])
end

function request()
  return wrk.format("GET", "/board?lang=zh", {["Accept-Encoding"] = "gzip"})
end

function response(status, headers, body)
  if status ~= 200 or #body < least then short = short + 1 end
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
