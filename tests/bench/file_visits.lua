-- wrk's side: every request files new visits with two issues each, by one of many members.
-- Arguments: a file with a token per line, a file with a category per line, west, south, east, north, visits a request.

local tokens, categories, box, batch = {}, {}, {}, 1
local now_ms

local visit = [[{"id":"%s","premises":{"kind":"shop","name":"和平路%d号便民商店","address":"和平路%d号院3单元"},"started_at":"%s","ended_at":"%s","outcome":"met","position":{"lon":%.6f,"lat":%.6f,"accuracy_m":%d,"system":"wgs84","source":"gps"},"note":"店主反映周边环境近来有所改善，但早晚高峰仍有占道和噪声，希望社区继续关注，并在一周内回访一次。","issues":[%s,%s]}]]
local issue = [[{"id":"%s","category":"%s","title":"%s%d处","description":"%s，位于和平路%d号门前，影响附近居民出行，居民多次反映，希望尽快派人到现场查看并处理，处理后请回访。","urgency":"normal"}]]
local titles = {"垃圾堆放无人清理", "路灯夜间不亮", "下水道井盖松动", "小区门口占道经营", "消防通道被车辆堵塞",
                "绿化带枯死需要补种", "墙面小广告清理", "雨后路面积水严重", "楼道堆放杂物", "企业贷款手续办理缓慢"}

local function lines(path)
  local found = {}
  for line in io.lines(path) do found[#found + 1] = line end
  return found
end

local function uuid()
  local high = now_ms + math.random(0, 999)
  return string.format("%08x-%04x-7%03x-%04x-%06x%06x", math.floor(high / 65536), high % 65536,
    math.random(0, 4095), 32768 + math.random(0, 16383), math.random(0, 16777215), math.random(0, 16777215))
end

local function one_issue(at)
  local title = titles[math.random(#titles)]
  return string.format(issue, uuid(), categories[math.random(#categories)], title, at % 97, title, at % 400)
end

local function one_visit()
  local at, seconds = math.random(0, 9999), math.random(600, 86400)
  local started = os.date("!%Y-%m-%dT%H:%M:%SZ", os.time() - seconds)
  local ended = os.date("!%Y-%m-%dT%H:%M:%SZ", os.time() - seconds + 300)
  return string.format(visit, uuid(), at, at, started, ended, box[1] + math.random() * (box[3] - box[1]),
    box[2] + math.random() * (box[4] - box[2]), math.random(3, 30), one_issue(at), one_issue(at + 1))
end

function init(arguments)
  tokens, categories = lines(arguments[1]), lines(arguments[2])
  box = {tonumber(arguments[3]), tonumber(arguments[4]), tonumber(arguments[5]), tonumber(arguments[6])}
  batch = tonumber(arguments[7])
  local random = io.open("/dev/urandom", "rb")
  local a, b, c, d = random:read(4):byte(1, 4)
  random:close()
  math.randomseed(((a * 256 + b) * 256 + c) * 128 + d)
end

function request()
  now_ms = os.time() * 1000
  local headers = {["Authorization"] = "Bearer " .. tokens[math.random(#tokens)], ["Content-Type"] = "application/json"}
  if batch == 1 then return wrk.format("POST", "/api/visits", headers, one_visit()) end
  local visits = {}
  for at = 1, batch do visits[at] = one_visit() end
  return wrk.format("POST", "/api/visits/batch", headers, "[" .. table.concat(visits, ",") .. "]")
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"p50_ms":%.3f,"p99_ms":%.3f,"failed":%d}\n', summary.requests,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
