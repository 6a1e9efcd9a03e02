-- Keeps Envoy's bridge for Connect to what is safe and works: binary messages, never in an address, and errors whose details
-- its clients find. Stands before the bridge, so it sees requests as they came and answers as they go.

local PREFIX = '"type":"type%.googleapis%.com/'

-- Connect names a detail by its message alone, and its clients look it up so; the bridge writes the address of the type.
local function renamed(text)
  return (text:gsub(PREFIX, '"type":"'))
end

local function refuse(handle, status, code, message)
  handle:respond(
    {[":status"] = status, ["content-type"] = "application/json"},
    '{"code":"' .. code .. '","message":"' .. message .. '"}'
  )
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local kind = headers:get("content-type") or ""
  if headers:get(":method") == "GET" and headers:get(":path"):find("^/giftcard%.") then
    -- Its GET holds the whole request, and so a card, in the address.
    refuse(handle, "405", "unimplemented", "GET is not taken: it would put the request into the address")
  elseif kind:find("^application/connect%+") or headers:get("connect-protocol-version") then
    if kind ~= "application/proto" and kind ~= "application/connect+proto" then
      refuse(handle, "415", "unimplemented", "Connect is taken in binary alone: set useBinaryFormat or its like")
    end
    handle:streamInfo():dynamicMetadata():set("door.connect", "asked", true)
  end
end

function envoy_on_response(handle)
  if not handle:streamInfo():dynamicMetadata():get("door.connect") then return end
  local kind = handle:headers():get("content-type")
  if handle:headers():get(":status") == "429" and kind ~= "application/json" then
    -- The door's own measure, which it tells by an HTTP status and a word.
    local body = handle:body()
    handle:headers():replace("content-type", "application/json")
    if body then body:setBytes('{"code":"resource_exhausted","message":"the door takes no more calls of this kind for now"}') end
  elseif kind == "application/json" then
    local body = handle:body()
    if body then body:setBytes(renamed(body:getBytes(0, body:length()))) end
  elseif kind == "application/connect+proto" then
    -- A stream's error is in the envelope that ends it, which the bridge writes at once.
    for chunk in handle:bodyChunks() do
      local length = chunk:length()
      if length > 5 and chunk:getBytes(0, 1) == "\2" then
        local text = renamed(chunk:getBytes(5, length - 5))
        local size = #text
        chunk:setBytes("\2" .. string.char(
          math.floor(size / 16777216), math.floor(size / 65536) % 256, math.floor(size / 256) % 256, size % 256
        ) .. text)
      end
    end
  end
end
