"""How a client is connected: options, protection, and the waiting client on grpcio-testing's fake channel."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path

import grpc
import grpc_testing
import pytest

from giftcard import CHANNEL_OPTIONS, AsyncClient, Client, Conflict, v1
from giftcard.v1 import gift_card_service_pb2
from tests.clients.scripted import PAN, Refusal, ScriptedGateway, State, Time, response
from tests.patience import PATIENCE_S

PROTOS = Path(__file__).resolve().parents[2] / "protos"
SERVICE = gift_card_service_pb2.DESCRIPTOR.services_by_name["GiftCardService"]


def test_the_service_config_is_the_contracts() -> None:
    """The shipped copy is the contract's own file; if not, run `make protos`."""
    shipped = files("giftcard").joinpath("grpc_service_config.json").read_bytes()
    assert shipped == (PROTOS / "grpc_service_config.json").read_bytes()


def test_a_channel_has_the_options_of_the_contract() -> None:
    """Every channel carries the service config, keepalive and the client's name."""
    options = dict(CHANNEL_OPTIONS)
    assert "methodConfig" in json.loads(str(options["grpc.service_config"]))
    assert str(options["grpc.primary_user_agent"]).startswith("giftcard-python/")
    assert int(options["grpc.keepalive_time_ms"]) >= 10_000


def test_a_channel_is_protected_or_not() -> None:
    """Credentials and plaintext at once are refused, by both clients."""
    credentials = grpc.ssl_channel_credentials()
    for client in (Client, AsyncClient):
        with pytest.raises(TypeError, match="say one of them"):
            client("127.0.0.1:1", credentials=credentials, plaintext=True)


async def test_a_channel_is_protected_by_default(address: str, gateway: ScriptedGateway) -> None:
    """Without a word about it the channel is TLS: nothing reaches a gateway that speaks plain text."""
    time = Time()
    async with AsyncClient(address, policy=time.policy(attempts=1), sleep=time.asleep) as client:
        with pytest.raises(Exception, match="UNAVAILABLE"):
            await client.confirm_redeem(transaction_id="t")
    assert not gateway.seen


@pytest.fixture
def channel() -> grpc_testing.Channel:
    """Give a channel that a test answers by hand."""
    services = gift_card_service_pb2.DESCRIPTOR.services_by_name.values()
    return grpc_testing.channel(services, grpc_testing.strict_real_time())


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    """Give a thread for the client, which waits for the test's answers."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool


def answer(channel: grpc_testing.Channel, name: str, reply: object) -> object:
    """Take the next call of a name, answer it, and give its request."""
    _metadata, request, rpc = channel.take_unary_unary(SERVICE.methods_by_name[name])
    if isinstance(reply, Refusal):
        rpc.terminate(None, reply.trailing(), reply.code, reply.message)
    else:
        rpc.terminate(reply, (), grpc.StatusCode.OK, "")
    return request


def redeem_on(channel: grpc.Channel, time: Time) -> Callable[[], v1.Transaction]:
    """Make the redemption that the tests below answer."""
    client = Client(channel, policy=time.policy(), sleep=time.sleep, metadata=lambda: (("x-till", "4"),))
    return lambda: client.redeem(transaction_id="t", card=PAN, amount_minor=9995, currency="ZAR")


def test_a_channel_of_your_own_will_do(channel: grpc_testing.Channel, thread: ThreadPoolExecutor) -> None:
    """The waiting client runs on any channel, such as the fake one of grpcio-testing."""
    asked = thread.submit(redeem_on(channel, Time()))
    approved = response("Redeem", State.TRANSACTION_STATE_APPROVED)
    request = answer(channel, "Redeem", approved)
    assert isinstance(request, v1.RedeemRequest)
    assert request.amount.nanos == 950_000_000
    assert asked.result(timeout=PATIENCE_S).state == State.TRANSACTION_STATE_APPROVED


def test_a_fake_channel_sees_metadata_and_repeats(
    channel: grpc_testing.Channel, thread: ThreadPoolExecutor
) -> None:
    """Metadata goes with each attempt, the request stays the same, and a refusal arrives with its reason."""
    asked = thread.submit(redeem_on(channel, Time()))
    first = answer(channel, "Redeem", Refusal(grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN"))
    metadata, second, rpc = channel.take_unary_unary(SERVICE.methods_by_name["Redeem"])
    reused = Refusal(grpc.StatusCode.ALREADY_EXISTS, "TRANSACTION_ID_REUSED", metadata={"field": "amount"})
    rpc.terminate(None, reused.trailing(), reused.code, reused.message)
    with pytest.raises(Conflict) as caught:
        asked.result(timeout=PATIENCE_S)
    assert first == second
    assert ("x-till", "4") in metadata
    assert caught.value.metadata == {"field": "amount"}
