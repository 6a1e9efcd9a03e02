-- Tells what the gateway says behind its answer, such as `giftcard-replayed`, in front of it: plain JSON has no trailers.
-- Tells the access log how the call ended, which is no longer to be seen in what the transcoder made of the answer.
-- Gives gRPC-Web gRPC's own status where a call is beyond its route's measure: of an HTTP status alone its filter makes
-- UNAVAILABLE, which some clients repeat at once. For Connect connect.lua does it.

local function exhaust(handle)
  local headers = handle:headers()
  headers:replace(":status", "200")
  headers:replace("content-type", "application/grpc")
  headers:add("grpc-status", "8")
  headers:add("grpc-message", "local_rate_limited")
  local body = handle:body()
  if body then body:setBytes("") end
end

function envoy_on_response(handle)
  local door = handle:streamInfo():dynamicMetadata():get("door.call")
  if door and door["is_grpc"] and handle:headers():get(":status") == "429" then
    if not handle:streamInfo():dynamicMetadata():get("door.connect") then exhaust(handle) end
  end
  -- An error without a message stands in the headers.
  local status = handle:headers():get("grpc-status")
  local answers_once = door and door["answers_once"]
  if answers_once and not status then handle:body() end
  local trailers = not status and handle:trailers()
  if trailers then
    status = trailers:get("grpc-status")
    if answers_once then
      for _, name in ipairs({"giftcard-replayed", "giftcard-trace-id"}) do
        local said = trailers:get(name)
        if said then handle:headers():add(name, said) end
      end
    end
  end
  if status then handle:streamInfo():dynamicMetadata():set("door.call", "grpc_status", tonumber(status)) end
end
