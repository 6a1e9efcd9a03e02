"""What surrounds every call: validation, limits, drain, errors without text. Through a real server."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio
import msgspec
import pytest
from google.protobuf.message_factory import GetMessageClass

from giftcard import read_error, v1
from giftcard.v1 import gift_card_service_pb2
from giftcard_gateway.access.identities import LOCAL, SignIn
from giftcard_gateway.access.machines import Machines, machine_of
from giftcard_gateway.access.shares import Shares
from giftcard_gateway.access.signing_in import SigningIn
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.config.settings import Limits
from giftcard_gateway.errors import Overloaded, ShuttingDown
from giftcard_gateway.rpc.admission import Admission
from giftcard_gateway.rpc.auditing import CallAudit
from giftcard_gateway.rpc.call import RpcCall
from giftcard_gateway.rpc.handlers import Surroundings, build
from giftcard_gateway.telemetry import open_telemetry
from tests.attacks.frames import MAX_CONCURRENT_STREAMS, connect
from tests.gateway.services.served import Refusal, Served, refusal_of, serve
from tests.gateway.wire.filled import METHODS, PAN, fill, is_alone, is_required, places
from tests.patience import PATIENCE_S

UNARY = {
    name.rpartition("/")[2]: method
    for name, method in METHODS.items()
    if not (method.client_streaming or method.server_streaming)
}


async def test_every_call_refuses_an_empty_request(served: Served) -> None:
    """An empty request of any call that has duties is refused with every one of them."""
    refused = 0
    for name, method in UNARY.items():
        request = GetMessageClass(method.input_type)()
        duties = {
            place.path for place in places(request) if is_required(place.field) and is_alone(place.field)
        }
        oneofs = {
            oneof.name
            for oneof in method.input_type.oneofs
            if all(is_required(field) for field in oneof.fields)
        }
        if duties | oneofs:
            refusal = await served.refused(name, request)
            assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID")
            assert set(refusal.violations) == duties | oneofs
            refused += 1
    assert refused > 30


async def test_nothing_is_unimplemented(served: Served) -> None:
    """Every call of the contract has an implementation: none answers NOT_IMPLEMENTED."""
    for name, method in UNARY.items():
        reason = ""
        try:
            await served.call(name, fill(method.input_type))
        except grpc.aio.AioRpcError as error:
            reason = refusal_of(error).reason
        assert reason not in {"NOT_IMPLEMENTED", "INTERNAL"}, name


async def test_faults_keep_their_text(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    """An exception of ours reaches the caller as INTERNAL and its text reaches nobody (rule 16)."""
    served.telling.answers["lookup"] = ValueError(f"card {PAN}")
    request = v1.LookupRequest(card=v1.Card(number=v1.CardNumber(pan=PAN)))
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await served.call("Lookup", request)
    assert refusal_of(failed.value).reason == "INTERNAL"
    assert PAN not in str(failed.value) + str(failed.value.trailing_metadata())
    assert PAN not in caplog.text


async def test_a_fault_is_told_by_its_trace(served: Served) -> None:
    """An answer names its trace in trailing metadata, a fault of ours in RequestInfo, to be quoted."""
    trace = "0af7651916cd43dd8448eb211c80319c"
    sent = [("traceparent", f"00-{trace}-b7ad6b7169203331-01")]
    call: Any = served.channel.unary_unary("/giftcard.v1.GiftCardService/Redeem")
    answered = call(served.redemption().SerializeToString(), metadata=sent)
    await answered
    assert dict(await answered.trailing_metadata()) == {"giftcard-trace-id": trace}
    served.telling.answers["lookup"] = ValueError("no")
    request = v1.LookupRequest(card=v1.Card(number=v1.CardNumber(pan=PAN)))
    look: Any = served.channel.unary_unary("/giftcard.v1.GiftCardService/Lookup")
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await look(request.SerializeToString(), metadata=sent)
    assert read_error(failed.value).request_id == trace


async def test_full_house() -> None:
    """One call more than the limit is refused at once, told to come again, and nothing of it is sent."""
    async with serve(limit=1) as served:
        served.telling.answers["lookup"] = 5.0
        request = v1.LookupRequest(card=v1.Card(number=v1.CardNumber(pan=PAN)))
        inside = served.start("Lookup", request)
        await served.asked()
        refusal = await served.refused("Redeem", served.redemption())
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
        assert refusal.retry_after_s
        assert not served.script.requests
        inside.cancel()
        await served.idle()
        assert (await served.redeem()).transaction_id


async def test_no_room_is_told_before_a_request_is_read() -> None:
    """With the house full even bytes that are no request hear OVERLOADED: nobody looked at them."""
    async with serve(limit=1) as served:
        served.telling.answers["lookup"] = 5.0
        inside = served.start("Lookup", v1.LookupRequest(card=v1.Card(number=v1.CardNumber(pan=PAN))))
        await served.asked()
        call: Any = served.channel.unary_unary("/giftcard.v1.GiftCardService/Redeem")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call(b"\xff\xff\xff")
        assert refusal_of(refused.value).reason == "OVERLOADED"
        assert read_error(refused.value).metadata["cause"] == "calls"
        inside.cancel()
        await served.idle()


async def test_one_more_of_a_caller_that_has_its_part_is_refused() -> None:
    """A call beyond those that are worked on at once is refused, and one that comes later is served."""
    async with serve(limit=4, at_once=1) as served:
        served.telling.answers["lookup"] = 5.0
        inside = served.start("Lookup", v1.LookupRequest(card=v1.Card(number=v1.CardNumber(pan=PAN))))
        await served.asked()
        refusal = await served.refused("Redeem", served.redemption())
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
        assert not served.script.requests
        inside.cancel()
        await served.idle()
        assert (await served.redeem()).transaction_id


async def test_drain(served: Served) -> None:
    """Once admission is closed new calls are refused, the one inside ends in peace, and streams end."""
    served.script.reactions.append(0.2)
    inside = served.start("Redeem", served.redemption())
    stream = served.stream("WatchTransactions", v1.WatchTransactionsRequest())
    await served.asked()
    served.app.admission.close()
    refusal = await served.refused("Redeem", served.redemption())
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
    answer = await inside
    assert answer.transaction.state == v1.TransactionState.TRANSACTION_STATE_APPROVED  # type: ignore[attr-defined]  # a RedeemResponse
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        async for _ in stream:
            pass
    assert refusal_of(ended.value).reason == "SHUTTING_DOWN"


STREAMS = sorted(
    name for name, method in METHODS.items() if method.client_streaming or method.server_streaming
)


async def refused_stream(served: Served, name: str) -> Refusal:
    """Return how a call with a stream of any form is refused before its client has streamed anything."""
    way: Any = served.channel
    if METHODS[name].client_streaming:
        call = way.stream_unary(f"/{name}")(timeout=PATIENCE_S)
        answer = call
    else:
        answer = way.unary_stream(f"/{name}")(b"", timeout=PATIENCE_S).read()
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await answer
    return refusal_of(raised.value)


@pytest.mark.parametrize("name", STREAMS)
async def test_every_stream_is_refused_at_once(served: Served, name: str) -> None:
    """Without room, and at the drain, a stream hears why and when to come back, before it sent anything."""
    taken = served.app.settings.server.max_streams
    for _ in range(taken):
        served.app.admission.enter(is_stream=True)
    refusal = await refused_stream(served, name)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
    assert refusal.retry_after_s
    for _ in range(taken):
        served.app.admission.leave(is_stream=True)
    served.app.admission.close()
    refusal = await refused_stream(served, name)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
    assert refusal.retry_after_s


async def test_the_limit_of_a_connection_is_announced(served: Served) -> None:
    """The first SETTINGS name the calls one connection may have, so that clients wait by themselves."""
    connection = await connect(served.app.server.port)
    await asyncio.wait_for(connection.greeted.wait(), PATIENCE_S)
    await connection.close()
    assert connection.announced[MAX_CONCURRENT_STREAMS] == served.app.settings.server.max_calls_per_connection


async def test_oversized_metadata(served: Served) -> None:
    """Metadata beyond the limit is refused before anything of ours sees it."""
    call: Any = served.channel.unary_unary("/giftcard.v1.ProviderService/ListProviders")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call(b"", metadata=[("x-padding", "x" * 40_000)])
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_bytes_that_are_no_message(served: Served) -> None:
    """Bytes that are no request are refused, and the server goes on."""
    call: Any = served.channel.unary_unary("/giftcard.v1.GiftCardService/Redeem")
    with pytest.raises(grpc.aio.AioRpcError):
        await call(b"\xff\xff\xff")
    assert (await served.redeem()).transaction_id


def test_every_call_needs_an_implementation() -> None:
    """A service with a call that nothing implements is not built, nor one with a call it does not have."""
    service = gift_card_service_pb2.DESCRIPTOR.services_by_name["GiftCardService"]
    telemetry = open_telemetry({}, SystemClock())
    around = Surroundings(
        admission=Admission(1),
        machines=Machines(),
        signing_in=SigningIn(anonymous=LOCAL),
        shares=Shares(Limits(), SystemClock()),
        telemetry=telemetry,
        audit=CallAudit(None, SystemClock()),
    )
    every: dict[str, Any] = {method.name: lambda: None for method in service.methods}
    build(service, every, around)
    with pytest.raises(KeyError, match="GiftCardService has no Spend"):
        build(service, every | {"Spend": lambda: None}, around)
    del every["Redeem"]
    with pytest.raises(KeyError, match="GiftCardService has no implementation of Redeem"):
        build(service, every, around)
    telemetry.close()


@pytest.mark.parametrize(
    ("left_s", "waits_s"), [(None, 30.0), (100.0, 30.0), (10.0, 9.75), (0.5, 0.4), (0.0, 0.0)]
)
def test_wait_leaves_room_for_the_answer(left_s: float | None, waits_s: float) -> None:
    """What is waited is the caller's deadline less what the answer needs to travel, and never without end."""

    class Context:
        """A call with so much time left."""

        def time_remaining(self) -> float | None:
            """Return it."""
            return left_s

    call = RpcCall(Context(), LOCAL, Admission(1), caller="")  # type: ignore[arg-type]  # all it reads
    assert call.wait_s() == pytest.approx(waits_s)


def test_admission() -> None:
    """Admission counts who is inside, refuses above its limit, and stays closed once it is."""
    admission = Admission(1)
    admission.enter()
    with pytest.raises(Overloaded):
        admission.enter()
    admission.leave()
    admission.enter()
    admission.close()
    with pytest.raises(ShuttingDown):
        admission.enter()


@pytest.mark.parametrize(
    ("peer", "machine"),
    [
        ("ipv4:10.0.0.7:51234", "10.0.0.7"),
        ("ipv6:%5B2001:db8::7%5D:51234", "2001:db8::/64"),
        ("ipv6:%5B2001:db8::ffff:0:0:7%5D:51234", "2001:db8::/64"),
        ("ipv6:%5B2001:db8:0:1::7%5D:51234", "2001:db8:0:1::/64"),
        ("ipv6:%5B::ffff:10.0.0.7%5D:51234", "10.0.0.7"),
        ("ipv6:%5Bfe80::1%25eth0%5D:51234", "fe80::/64"),
        ("unix:/run/gateway.sock", "unix:/run/gateway.sock"),
    ],
)
def test_callers_are_known_by_their_machine(peer: str, machine: str) -> None:
    """Limits count who did not sign in by machine or IPv6 network; others by who they are."""
    shares = Shares(Limits(), SystemClock())
    assert shares.caller(LOCAL, machine_of(peer)) == machine
    till = msgspec.structs.replace(LOCAL, name="till-7", tenant="shop", sign_in=SignIn.API_KEY)
    assert shares.caller(till, machine_of(peer)) == "shop/till-7"


@pytest.mark.parametrize("name", sorted(METHODS))
async def test_what_is_no_message_is_an_invalid_argument(served: Served, name: str) -> None:
    """Bytes that are no request of a call are refused with our reason, whatever the call's form."""
    encoded, method = b"\x0a\x02\xff", METHODS[name]
    way: Any = served.channel
    if method.client_streaming:
        answer = way.stream_unary(f"/{name}")(iter([encoded]), timeout=PATIENCE_S)
    elif method.server_streaming:
        answer = way.unary_stream(f"/{name}")(encoded, timeout=PATIENCE_S).read()
    else:
        answer = way.unary_unary(f"/{name}")(encoded, timeout=PATIENCE_S)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await answer
    refusal = refusal_of(raised.value)
    assert refusal.code == grpc.StatusCode.INVALID_ARGUMENT
    assert refusal.info.reason == "FIELD_INVALID"
