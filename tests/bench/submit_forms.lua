-- wrk's side of ODK Collect: every request submits a new visit with two problems, by one of many members.
-- Arguments: a file with a Basic credential per line, a file with a category per line, west, south, east, north.

local credentials, categories, box = {}, {}, {}
local now_ms

local visit = [[<?xml version='1.0' ?><data id="visit" version="2026112501" xmlns:ev="http://www.w3.org/2001/xml-events" xmlns:orx="http://openrosa.org/xforms" xmlns:odk="http://www.opendatakit.org/xforms" xmlns:h="http://www.w3.org/1999/xhtml" xmlns:jr="http://openrosa.org/javarosa" xmlns:xsd="http://www.w3.org/2001/XMLSchema"><visit_started_at>%s</visit_started_at><visit_ended_at>%s</visit_ended_at><visit_door /><visit_door_kind /><visit_door_name /><visit_door_address /><visit_campaign /><visit_found><visit_found_kind>shop</visit_found_kind><visit_found_name>和平路%d号便民商店</visit_found_name><visit_found_address>和平路%d号院3单元</visit_found_address></visit_found><visit_outcome>met</visit_outcome><visit_position>%.6f %.6f 0.0 %d.0</visit_position><visit_contact_card /><visit_problems>yes</visit_problems>%s%s<visit_note>店主反映周边环境近来有所改善，但早晚高峰仍有占道和噪声，希望社区继续关注，并在一周内回访一次。</visit_note><orx:meta><orx:instanceID>uuid:%s</orx:instanceID><orx:instanceName>和平路便民商店 · 见到了</orx:instanceName></orx:meta></data>]]
local issue = [[<issue><issue_category>%s</issue_category><issue_title>%s%d处</issue_title><issue_description>%s，位于和平路%d号门前，影响附近居民出行，居民多次反映，希望尽快派人到现场查看并处理，处理后请回访。</issue_description><issue_urgency>normal</issue_urgency><issue_photo /><issue_photo_2 /><issue_photo_3 /><issue_solved>no</issue_solved><issue_how /><issue_contact_name /><issue_contact_phone /></issue>]]
local part = "--%s\r\nContent-Disposition: form-data; name=\"xml_submission_file\"; filename=\"visit_2026-11-25_09-30-00.xml\"\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s\r\n--%s--\r\n"
local boundary = "a2c9f1d4-8f6e-4f0b-9d1c-5a1f3f0e7b66"
local titles = {"垃圾堆放无人清理", "路灯夜间不亮", "下水道井盖松动", "小区门口占道经营", "消防通道被车辆堵塞",
                "绿化带枯死需要补种", "墙面小广告清理", "雨后路面积水严重", "楼道堆放杂物", "企业贷款手续办理缓慢"}

local function lines(path)
  local found = {}
  for line in io.lines(path) do found[#found + 1] = line end
  return found
end

local function uuid()
  local high = now_ms + math.random(0, 999)
  return string.format("%08x-%04x-4%03x-%04x-%06x%06x", math.floor(high / 65536), high % 65536,
    math.random(0, 4095), 32768 + math.random(0, 16383), math.random(0, 16777215), math.random(0, 16777215))
end

local function one_issue(at)
  local title = titles[math.random(#titles)]
  return string.format(issue, categories[math.random(#categories)], title, at % 97, title, at % 400)
end

local function one_visit()
  local at, seconds = math.random(0, 9999), math.random(600, 86400)
  local started = os.date("!%Y-%m-%dT%H:%M:%S.000Z", os.time() - seconds)
  local ended = os.date("!%Y-%m-%dT%H:%M:%S.000Z", os.time() - seconds + 300)
  return string.format(visit, started, ended, at, at, box[2] + math.random() * (box[4] - box[2]),
    box[1] + math.random() * (box[3] - box[1]), math.random(3, 30), one_issue(at), one_issue(at + 1), uuid())
end

function init(arguments)
  credentials, categories = lines(arguments[1]), lines(arguments[2])
  box = {tonumber(arguments[3]), tonumber(arguments[4]), tonumber(arguments[5]), tonumber(arguments[6])}
  local random = io.open("/dev/urandom", "rb")
  local a, b, c, d = random:read(4):byte(1, 4)
  random:close()
  math.randomseed(((a * 256 + b) * 256 + c) * 128 + d)
end

function request()
  now_ms = os.time() * 1000
  local form = one_visit()
  local headers = {["Authorization"] = "Basic " .. credentials[math.random(#credentials)], ["X-OpenRosa-Version"] = "1.0",
    ["Date"] = os.date("!%a, %d %b %Y %H:%M:%S GMT"), ["User-Agent"] = "org.odk.collect.android/v2026.2 Dalvik/2.1.0",
    ["Content-Type"] = "multipart/form-data; boundary=" .. boundary}
  return wrk.format("POST", "/openrosa/submission", headers, string.format(part, boundary, #form, form, boundary))
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"p50_ms":%.3f,"p99_ms":%.3f,"failed":%d}\n', summary.requests,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
