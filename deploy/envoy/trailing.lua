-- Tells what the gateway says behind its answer, such as `giftcard-replayed`, in front of it: plain JSON has no trailers.

function envoy_on_response(handle)
  local door = handle:streamInfo():dynamicMetadata():get("giftcard.door")
  if not door or not door["answers_once"] then return end
  handle:body()
  local trailers = handle:trailers()
  if not trailers then return end
  for _, name in ipairs({"giftcard-replayed", "giftcard-trace-id"}) do
    local said = trailers:get(name)
    if said then handle:headers():add(name, said) end
  end
end
