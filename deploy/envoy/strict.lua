-- Refuses what Envoy's transcoder would drop or choose from without a word: fields and enum values that the contract does
-- not have, fields that come twice or stand in the address already, and a query where there is a body, which would bring
-- cards into addresses. A misspelt `nanos` must not move another amount. What it does not know as a call ends here.
-- What may be said is in contract.lua, which deploy/envoy writes from the contract.

local contract = require("contract")

local DEEPEST = 32

-- Ends the check: `place` is the field's path, `fault` what is wrong there. Neither holds a value of the request.
local function refuse(place, fault)
  error({place = place, fault = fault}, 0)
end

local function below(place, name)
  return place == "" and name or place .. "." .. name
end

local function skip(text, at)
  return text:find("[^ \t\r\n]", at) or #text + 1
end

-- Returns the text of a string that begins at `at`, escapes and all, and where the rest begins.
local function read_string(text, at, place)
  local from = at + 1
  while true do
    local found = text:find('["\\]', from)
    if not found then refuse(place, "is no JSON") end
    if text:byte(found) == 34 then return text:sub(at + 1, found - 1), found + 1 end
    from = found + 2
  end
end

local check

-- Checks the members of an object, and returns where the rest begins. `fields` gives the kind of each member.
local function check_object(text, at, fields, place, depth, taken)
  local seen = {}
  at = skip(text, at + 1)
  if text:sub(at, at) == "}" then return at + 1 end
  while true do
    if text:sub(at, at) ~= '"' then refuse(place, "is no JSON") end
    local name
    name, at = read_string(text, at, place)
    local field = fields(name)
    if not field then
      -- What is no word may be a card number in the wrong place.
      if not name:find("^[%a_]+$") then refuse(place, "has a field that the contract does not know") end
      refuse(below(place, name), "is no field of the contract")
    end
    local here = field.name and below(place, field.name) or place
    local once = field.group or field.name or name
    if taken[once] then refuse(here, "stands in the address already") end
    if seen[once] then refuse(here, field.group and "excludes another one that is set" or "must come once") end
    seen[once] = true
    at = skip(text, at)
    if text:sub(at, at) ~= ":" then refuse(here, "is no JSON") end
    at = skip(text, check(text, skip(text, at + 1), field.kind, field.many, here, depth + 1))
    local next_one = text:sub(at, at)
    if next_one == "}" then return at + 1 end
    if next_one ~= "," then refuse(here, "is no JSON") end
    at = skip(text, at + 1)
  end
end

local function check_list(text, at, kind, place, depth)
  local count = 0
  at = skip(text, at + 1)
  if text:sub(at, at) == "]" then return at + 1 end
  while true do
    at = skip(text, check(text, at, kind, nil, place .. "[" .. count .. "]", depth + 1))
    count = count + 1
    local next_one = text:sub(at, at)
    if next_one == "]" then return at + 1 end
    if next_one ~= "," then refuse(place, "is no JSON") end
    at = skip(text, at + 1)
  end
end

local NOTHING = {}

-- Checks one value, and returns where the rest begins.
-- `kind` is the name of a message or an enum, or nil; `many` is "list", "map" or nil.
check = function(text, at, kind, many, place, depth, taken)
  if depth > DEEPEST then refuse(place, "lies too deep") end
  local first = text:sub(at, at)
  local message = contract.messages[kind]
  if first == "{" then
    if many == "map" then
      local entries = function(name)
        if name:find("\\", 1, true) then refuse(place, "must have keys without escapes") end
        return {kind = kind}
      end
      return check_object(text, at, entries, place, depth, NOTHING)
    end
    if many == "list" or not message then refuse(place, "must not be an object") end
    return check_object(text, at, function(name) return message[name] end, place, depth, taken or NOTHING)
  end
  if first == "[" then
    if many ~= "list" then refuse(place, "must not be a list") end
    return check_list(text, at, kind, place, depth)
  end
  local word = text:match("^[%w+.-]+", at)
  if word ~= "null" and (many or message) then refuse(place, many == "list" and "must be a list" or "must be an object") end
  if first == '"' then
    local said, rest = read_string(text, at, place)
    local values = contract.enums[kind]
    if values and not values[said] then refuse(place, "is no value that the contract knows") end
    return rest
  end
  if word == "true" or word == "false" or word == "null" or (word and word:find("^-?%d+%.?%d*[eE]?[+-]?%d*$")) then return at + #word end
  refuse(place, "is no JSON")
end

-- Returns the call that an address belongs to, and what stands in the address.
local function call_of(verb, path)
  for _, call in ipairs(contract.calls) do
    if call.verb == verb and path:find(call.pattern) then return call end
  end
end

local function quoted(text)
  return '"' .. text:gsub('[%c"\\]', "?") .. '"'
end

-- An error as the gateway tells its own.
local function answer(handle, place, fault)
  local said = place == "" and fault or place .. ": " .. fault
  -- The door words every other 400 anew.
  handle:streamInfo():dynamicMetadata():set("door.strict", "refused", "here")
  handle:respond(
    {[":status"] = "400", ["content-type"] = "application/json"},
    '{"code":3,"message":' .. quoted(said)
      .. ',"details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"FIELD_INVALID","domain":"giftcard.v1"}'
      .. ',{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":' .. quoted(place)
      .. ',"description":' .. quoted(fault) .. "}]}]}"
  )
end

-- Checks what stands in a query: a read says each thing once, and what has a body says all of it there.
local function check_query(query, call)
  if query ~= "" and call.verb == "POST" then refuse("", "must be said in the body, not in the address") end
  local seen = {}
  for said in query:gmatch("([^&=]+)[^&]*") do
    if said:find("%", 1, true) then refuse("", "must name its fields without escapes") end
    local kind, many, place = call.message, nil, ""
    for name in said:gmatch("[^.]+") do
      local field = (contract.messages[kind] or NOTHING)[name]
      -- The transcoder refuses what it does not find.
      if not field then return end
      kind, many, place = field.kind, field.many, below(place, field.name)
    end
    if seen[place] and not many then refuse(place, "must come once") end
    if call.taken[place] then refuse(place, "stands in the address already") end
    seen[place] = true
  end
end

local function check_body(handle, call)
  local body = handle:body()
  if not body or body:length() == 0 then return end
  if call.verb ~= "POST" then refuse("", "must come without a body") end
  local text = body:getBytes(0, body:length())
  local rest = check(text, skip(text, 1), call.message, call.many, "", 0, call.taken)
  if skip(text, rest) <= #text then refuse("", "is no JSON") end
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local kind = headers:get("content-type") or ""
  -- gRPC, which the transcoder lets pass as it is; gRPC-Web has become it by now.
  if kind == "application/grpc" or kind:find("^application/grpc%+") then return end
  local path, query = headers:get(":path"):match("^([^?]*)%??(.*)$")
  local call = call_of(headers:get(":method"), path)
  if not call then
    handle:respond({[":status"] = "404", ["content-type"] = "application/json"}, '{"code":5,"message":"no such address"}')
    return
  end
  handle:streamInfo():dynamicMetadata():set("giftcard.door", "answers_once", not call.streams)
  local fine, why = pcall(function() check_query(query, call) end)
  if fine then
    fine, why = pcall(check_body, handle, call)
  end
  if fine then return end
  if type(why) ~= "table" then error(why) end
  answer(handle, why.place, why.fault)
end
