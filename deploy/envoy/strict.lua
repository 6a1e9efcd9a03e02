-- Refuses what Envoy's transcoder would drop, round or choose from without a word: fields and enum values that the contract
-- does not have, fields that come twice or stand in the address already, numbers that a double does not hold, and a query
-- where there is a body, which would bring cards into addresses. A misspelt `nanos` must not move another amount. What is
-- of another type it refuses too, because the transcoder cannot say which field that was. What it does not know as a call
-- ends here. What may be said is in contract.lua, which deploy/envoy writes from the contract.

local contract = require("contract")

local DEEPEST = 32
local MOST_FAULTS = 20
local NOTHING = {}

-- Notes what is wrong at a place, which is a field's path. Neither holds a value of the request.
local function complain(request, place, fault)
  if #request.faults < MOST_FAULTS then table.insert(request.faults, {place = place, fault = fault}) end
end

-- Notes it and ends the check, because nobody knows how it goes on.
local function refuse(request, place, fault)
  complain(request, place, fault)
  error(NOTHING, 0)
end

local function below(place, name)
  return place == "" and name or place .. "." .. name
end

-- Returns the digits before the point, those behind it and the exponent of a number as JSON writes it, or nothing.
local function number_parts(word)
  local whole, rest = word:match("^%-?(%d+)(.*)$")
  if not whole or whole:find("^0%d") then return end
  local fraction, exponent = rest:match("^%.(%d+)(.*)$")
  if not fraction then fraction, exponent = "", rest end
  if exponent ~= "" then exponent = exponent:match("^[eE]([+-]?%d+)$") end
  if not exponent then return end
  return whole, fraction, tonumber(exponent) or 0
end

-- Makes the check of a whole number of so many bits; `most` are its digits.
local function whole_number(bits, most)
  local least = most:sub(1, -2) .. (tonumber(most:sub(-1)) + 1)
  local function fits(word)
    local digits = word:match("^%-?(%d+)$")
    if not digits or digits:find("^0%d") then return false end
    local limit = word:sub(1, 1) == "-" and least or most
    return #digits < #limit or (#digits == #limit and digits <= limit)
  end
  return {
    must = "must be a whole number of " .. bits .. " bits, written by its digits",
    quoted = fits,
    -- 1.0 and 1e2 are whole numbers. The transcoder reads such through a double, which holds 15 digits for certain.
    bare = function(word)
      if fits(word) then return true end
      local whole, fraction, exponent = number_parts(word)
      if not whole or math.abs(exponent) > 30 then return false end
      local kept = #whole + exponent
      local digits = whole .. fraction .. ("0"):rep(kept - #whole - #fraction)
      local before, behind = digits:sub(1, math.max(kept, 0)), digits:sub(math.max(kept, 0) + 1)
      local value = before:match("^0*(.*)$")
      return not behind:find("[^0]") and #value <= 15 and fits(value == "" and "0" or value)
    end,
  }
end

local function is_number(word)
  local whole, _, exponent = number_parts(word)
  return whole ~= nil and math.abs(exponent) <= 308 and math.abs(tonumber(word)) < math.huge
end

local DAYS = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

local function is_time(said)
  local year, month, day, hour, minute, second, rest = said:match("^(%d%d%d%d)-(%d%d)-(%d%d)T(%d%d):(%d%d):(%d%d)(.*)$")
  if not year then return false end
  local fraction = rest:match("^%.(%d+)")
  if fraction then rest = rest:sub(#fraction + 2) end
  if fraction and #fraction > 9 then return false end
  year, month, day = tonumber(year), tonumber(month), tonumber(day)
  local is_leap = year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
  if year < 1 or day < 1 or day > (DAYS[month] or 0) or (month == 2 and day == 29 and not is_leap) then return false end
  if tonumber(hour) > 23 or tonumber(minute) > 59 or tonumber(second) > 59 then return false end
  if rest == "Z" then return true end
  local hours, minutes = rest:match("^[+-](%d%d):(%d%d)$")
  -- An offset must not lead out of the years that there are.
  return hours ~= nil and tonumber(hours) < 24 and tonumber(minutes) < 60 and year > 1 and year < 9999
end

local function is_span(said)
  local whole, rest = said:match("^%-?(%d+)(.*)s$")
  return whole ~= nil and tonumber(whole) <= 315576000000 and (rest == "" or (rest:find("^%.%d+$") ~= nil and #rest <= 10))
end

-- How a value of each kind may be written: in quotes, or as a bare word.
local KINDS = {
  text = {must = "must be a text", quoted = function() return true end},
  bool = {must = "must be true or false", bare = function(word) return word == "true" or word == "false" end},
  int32 = whole_number(32, "2147483647"),
  int64 = whole_number(64, "9223372036854775807"),
  double = {must = "must be a number", bare = is_number, quoted = is_number},
  time = {must = "must be a time, such as 2026-01-31T12:00:00Z", quoted = is_time},
  span = {must = "must be a number of seconds, such as 1.5s", quoted = is_span},
}
for name, values in pairs(contract.enums) do
  KINDS[name] = {
    must = "is no value that the contract knows",
    quoted = function(said) return values[said] ~= nil end,
    bare = KINDS.int32.bare,
  }
end

local function skip(text, at)
  return text:find("[^ \t\r\n]", at) or #text + 1
end

-- Returns whether the escapes of a string are JSON's, with both halves of what takes two.
local function are_escapes(said)
  local half = nil
  for at, escape in said:gmatch("()\\(.)") do
    local code = escape == "u" and said:match("^%x%x%x%x", at + 2)
    if not (code or escape:find('["\\/bfnrt]')) then return false end
    local number = code and tonumber(code, 16) or 0
    local is_low = number >= 0xDC00 and number <= 0xDFFF
    if is_low ~= (half ~= nil and half == at - 6) then return false end
    if half and not is_low then return false end
    half = (number >= 0xD800 and number <= 0xDBFF) and at or nil
  end
  return half == nil
end

-- Returns the text of a string that begins at `at`, escapes and all, and where the rest begins.
local function read_string(request, at, place)
  local text, from = request.text, at + 1
  while true do
    local found = text:find('["\\]', from)
    if not found then refuse(request, place, "is no JSON") end
    if text:byte(found) == 34 then
      local said = text:sub(at + 1, found - 1)
      if said:find("[%z\1-\31]") or not are_escapes(said) then refuse(request, place, "is no JSON") end
      return said, found + 1
    end
    from = found + 2
  end
end

local check

-- Checks the members of an object, and returns where the rest begins. `fields` gives the kind of each member.
local function check_object(request, at, fields, place, depth, taken)
  local text, seen = request.text, {}
  at = skip(text, at + 1)
  if text:sub(at, at) == "}" then return at + 1 end
  while true do
    if text:sub(at, at) ~= '"' then refuse(request, place, "is no JSON") end
    local name
    name, at = read_string(request, at, place)
    local field, here = fields(name), place
    if field then
      here = field.name and below(place, field.name) or place
      local once = field.group or field.name or name
      if taken[once] then complain(request, here, "stands in the address already") end
      if seen[once] then complain(request, here, field.group and "excludes another one that is set" or "must come once") end
      seen[once] = true
    elseif name:find("^[%a_]+$") then
      here = below(place, name)
      complain(request, here, "is no field of the contract")
    else
      -- What is no word may be a card number in the wrong place.
      complain(request, place, "has a field that the contract does not know")
    end
    at = skip(text, at)
    if text:sub(at, at) ~= ":" then refuse(request, here, "is no JSON") end
    at = skip(text, check(request, skip(text, at + 1), field or NOTHING, here, depth + 1))
    local next_one = text:sub(at, at)
    if next_one == "}" then return at + 1 end
    if next_one ~= "," then refuse(request, here, "is no JSON") end
    at = skip(text, at + 1)
  end
end

local function check_list(request, at, field, place, depth)
  local text, count = request.text, 0
  at = skip(text, at + 1)
  if text:sub(at, at) == "]" then return at + 1 end
  while true do
    at = skip(text, check(request, at, field, place .. "[" .. count .. "]", depth + 1))
    count = count + 1
    local next_one = text:sub(at, at)
    if next_one == "]" then return at + 1 end
    if next_one ~= "," then refuse(request, place, "is no JSON") end
    at = skip(text, at + 1)
  end
end

-- Returns how to look up the members of an object, if a field may be one. Of what the contract does not know all may be.
local function members_of(request, field, place)
  if field == NOTHING then return function() return NOTHING end end
  if field.many == "list" then return end
  if field.many == "map" then
    local entry = {kind = field.kind, within = true}
    return function(name)
      if name:find("\\", 1, true) then refuse(request, place, "must have keys without escapes") end
      return entry
    end
  end
  local message = contract.messages[field.kind]
  return message and function(name) return message[name] end
end

-- Checks one value, and returns where the rest begins. `field` tells its `kind`, which is a message, an enum or a plain
-- one; `many`, which is "list", "map" or nil; and whether it is `within` one of these.
check = function(request, at, field, place, depth, taken)
  if depth > DEEPEST then refuse(request, place, "lies too deep") end
  local text, first = request.text, request.text:sub(at, at)
  local members = members_of(request, field, place)
  if first == "{" then
    if not members then complain(request, place, "must not be an object") end
    return check_object(request, at, members or members_of(request, NOTHING), place, depth, taken or NOTHING)
  end
  if first == "[" then
    local inner = field
    if field.many == "list" then
      inner = {kind = field.kind, within = true}
    elseif field ~= NOTHING then
      complain(request, place, "must not be a list")
      inner = NOTHING
    end
    return check_list(request, at, inner, place, depth)
  end
  local said, rest, word
  if first == '"' then
    said, rest = read_string(request, at, place)
  else
    word = text:match("^[%w+.-]+", at) or ""
    rest = at + #word
    if word ~= "true" and word ~= "false" and word ~= "null" and not number_parts(word) then
      refuse(request, place, "is no JSON")
    end
  end
  if field == NOTHING then return rest end
  if word == "null" and not field.within then return rest end
  if members or field.many then
    complain(request, place, field.many == "list" and "must be a list" or "must be an object")
  else
    local kind = KINDS[field.kind]
    local is_fine = said and kind.quoted or word and kind.bare
    if not is_fine or not is_fine(said or word) then complain(request, place, kind.must) end
  end
  return rest
end

-- Returns the call that an address belongs to.
local function call_of(verb, path)
  for _, call in ipairs(contract.calls) do
    if call.verb == verb and path:find(call.pattern) then return call end
  end
end

local function quoted(text)
  return '"' .. text:gsub('[%c"\\]', "?") .. '"'
end

-- Tells the access log how the call ended, as gRPC counts it.
local function log_status(handle, number)
  handle:streamInfo():dynamicMetadata():set("door.call", "grpc_status", number)
end

-- An error as the gateway tells its own.
local function answer(handle, faults)
  local said, violations = {}, {}
  for _, one in ipairs(faults) do
    table.insert(said, one.place == "" and one.fault or one.place .. ": " .. one.fault)
    table.insert(violations, '{"field":' .. quoted(one.place) .. ',"description":' .. quoted(one.fault) .. "}")
  end
  -- The door words every other 400 anew.
  handle:streamInfo():dynamicMetadata():set("door.strict", "refused", "here")
  log_status(handle, 3)
  handle:respond(
    {[":status"] = "400", ["content-type"] = "application/json"},
    '{"code":3,"message":' .. quoted(table.concat(said, "; "))
      .. ',"details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"FIELD_INVALID","domain":"giftcard.v1"}'
      .. ',{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[' .. table.concat(violations, ",") .. "]}]}"
  )
end

-- Checks what stands in a query: a read says each thing once, and what has a body says all of it there.
local function check_query(request, query, call)
  if query ~= "" and call.verb == "POST" then refuse(request, "", "must be said in the body, not in the address") end
  local seen = {}
  for name, value in query:gmatch("([^&=]+)=?([^&]*)") do
    if name:find("%", 1, true) then refuse(request, "", "must name its fields without escapes") end
    local field, place = {kind = call.message}, ""
    for part in name:gmatch("[^.]+") do
      field = (contract.messages[field.kind] or NOTHING)[part]
      if not field then
        refuse(request, "", "has a field in the address that the contract does not know")
      end
      place = below(place, field.name)
    end
    if seen[place] and not field.many then complain(request, place, "must come once") end
    if call.taken[place] then complain(request, place, "stands in the address already") end
    seen[place] = true
    local kind = KINDS[field.kind]
    local is_fine = kind and (kind.quoted or kind.bare)
    local said = value:gsub("%%(%x%x)", function(code) return string.char(tonumber(code, 16)) end)
    if is_fine and not is_fine(said) then complain(request, place, kind.must) end
  end
end

local function check_body(handle, request, call)
  local body = handle:body()
  if not body or body:length() == 0 then return end
  if call.verb ~= "POST" then refuse(request, "", "must come without a body") end
  request.text = body:getBytes(0, body:length())
  local whole = {kind = call.message, many = call.many, within = true}
  local rest = check(request, skip(request.text, 1), whole, "", 0, call.taken)
  if skip(request.text, rest) <= #request.text then refuse(request, "", "is no JSON") end
end

function envoy_on_request(handle)
  -- Whatever the wire, it is gRPC by now, but for plain JSON. trailing.lua asks.
  if (handle:headers():get("content-type") or ""):find("^application/grpc") then
    handle:streamInfo():dynamicMetadata():set("door.call", "is_grpc", true)
  end
  local headers = handle:headers()
  local kind = headers:get("content-type") or ""
  -- gRPC, which the transcoder lets pass as it is; gRPC-Web has become it by now.
  if kind == "application/grpc" or kind:find("^application/grpc%+") then return end
  local path, query = headers:get(":path"):match("^([^?]*)%??(.*)$")
  local call = call_of(headers:get(":method"), path)
  if not call then
    log_status(handle, 5)
    handle:respond({[":status"] = "404", ["content-type"] = "application/json"}, '{"code":5,"message":"no such address"}')
    return
  end
  handle:streamInfo():dynamicMetadata():set("door.call", "answers_once", not call.streams)
  local request = {faults = {}}
  local fine, why = pcall(function()
    check_query(request, query, call)
    check_body(handle, request, call)
  end)
  if not fine and why ~= NOTHING then error(why) end
  if #request.faults > 0 then answer(handle, request.faults) end
end
