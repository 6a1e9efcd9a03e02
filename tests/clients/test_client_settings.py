"""What a client is told once or for some calls: deadlines, metadata, interceptors, options, a listener."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import cast

import grpc
import pytest
from google.protobuf.message import Message
from grpc import aio

from giftcard import CHANNEL_OPTIONS, Answered, AsyncClient, CallPhase, Client, v1
from giftcard.channels import merged, timeout_of
from tests.clients.scripted import CUT, PAN, Driver, ScriptedGateway, State, fields_of, response


async def test_every_call_takes_a_deadline_and_metadata(driver: Driver, gateway: ScriptedGateway) -> None:
    """`calling` gives a read, a change and a money call their deadline and further metadata."""
    view = Driver(driver.client.calling(deadline_s=5000.0, metadata=(("giftcard-end-user", "7"),)))
    await view.call("balance", card=PAN)
    await view.call("store_card", card=PAN)
    await view.call("redeem", **fields_of("Redeem"))
    assert all((seen.seconds_left or 0.0) > 1000.0 for seen in gateway.seen)
    assert [seen.metadata["giftcard-end-user"] for seen in gateway.seen] == ["7"] * 3
    await driver.call("balance", card=PAN)
    assert "giftcard-end-user" not in gateway.seen[-1].metadata
    assert (gateway.seen[-1].seconds_left or 9999.0) < 1000.0


async def test_a_view_leaves_the_channel_to_its_client(driver: Driver, gateway: ScriptedGateway) -> None:
    """Closing what `calling` gave closes nothing."""
    view = driver.client.calling(deadline_s=3.0)
    await view.close() if isinstance(view, AsyncClient) else view.close()
    await driver.call("list_providers")
    assert gateway.names() == ["ListProviders"]


async def test_metadata_may_be_async_and_is_asked_each_time(address: str, gateway: ScriptedGateway) -> None:
    """Async sources of the token and of metadata are awaited before every attempt."""
    fresh = iter("abcd")

    async def token() -> str:
        return next(fresh)

    async def metadata() -> tuple[tuple[str, str], ...]:
        return (("x-till", next(fresh)),)

    async with AsyncClient(address, plaintext=True, token=token, metadata=metadata) as client:
        await client.list_providers()
        await client.list_providers()
    sent = [(one.metadata["x-till"], one.metadata["authorization"]) for one in gateway.seen]
    assert sent == [("a", "Bearer b"), ("c", "Bearer d")]


async def test_the_listener_hears_of_replays_and_traces(driver: Driver, gateway: ScriptedGateway) -> None:
    """`on_answer` is told the call, whether its answer was recorded before, and the trace."""
    heard: list[Answered] = []
    driver.client._on_answer = heard.append  # noqa: SLF001 - both clients take it as `on_answer=`
    gateway.trailing = (("giftcard-replayed", "true"), ("giftcard-trace-id", "ab"))
    given = fields_of("Redeem")
    await driver.call("redeem", **given)
    gateway.trailing = ()
    await driver.call("balance", card=PAN)
    replayed, read = heard
    assert (replayed.is_replayed, replayed.trace_id) == (True, "ab")
    assert (replayed.about.call, replayed.about.transaction_id) == ("Redeem", given["transaction_id"])
    assert (read.is_replayed, read.trace_id, read.about.phase) == (False, "", CallPhase.READING)


async def test_a_listener_that_fails_loses_no_answer(
    address: str, gateway: ScriptedGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """An answer that is there is given, whatever the listener does; its failure is logged."""

    def fail(_answered: Answered) -> None:
        raise ZeroDivisionError

    gateway.expect("Redeem", response("Redeem", State.TRANSACTION_STATE_APPROVED))
    async with AsyncClient(address, plaintext=True, on_answer=fail) as client:
        with caplog.at_level(logging.ERROR, "giftcard"):
            transaction = await client.redeem(transaction_id="t", card=PAN)
    assert transaction.state == State.TRANSACTION_STATE_APPROVED
    assert "on_answer failed for Redeem t" in caplog.text


class Counting(aio.UnaryUnaryClientInterceptor):
    """Counts what goes through, for asyncio."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def intercept_unary_unary(  # type: ignore[override]  # its types are not public
        self, continuation: Callable[..., object], details: aio.ClientCallDetails, request: Message
    ) -> object:
        """Count, and go on."""
        self.seen.append(str(details.method))
        return await cast("aio.UnaryUnaryCall[Message, Message]", continuation(details, request))


class CountingHere(grpc.UnaryUnaryClientInterceptor):
    """Counts what goes through."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def intercept_unary_unary(  # type: ignore[override]  # its types are not public
        self,
        continuation: Callable[..., object],
        client_call_details: grpc.ClientCallDetails,
        request: object,
    ) -> object:
        """Count, and go on."""
        self.seen.append(str(client_call_details.method))
        return continuation(client_call_details, request)


async def test_interceptors_see_every_call(address: str) -> None:
    """Both clients take gRPC's own interceptors; the waiting one also over a channel of one's own."""
    counting = Counting()
    async with AsyncClient(address, plaintext=True, interceptors=[counting]) as client:
        await client.list_providers()
    assert len(counting.seen) == 1
    here = CountingHere()
    with Client(address, plaintext=True, interceptors=[here]) as waiting:
        await Driver(waiting).call("list_providers")
    with grpc.insecure_channel(address) as channel:
        await Driver(Client(channel, interceptors=[here])).call("list_providers")
    assert len(here.seen) == 2


def test_options_of_the_caller_win() -> None:
    """`options=` goes beside the client's own and wins over them."""
    options = merged([("grpc.keepalive_time_ms", 7), ("grpc.max_send_message_length", 8)])
    assert ("grpc.keepalive_time_ms", 7) in options
    assert ("grpc.max_send_message_length", 8) in options
    assert len(options) == len(CHANNEL_OPTIONS) + 1


async def test_a_channel_of_ones_own_cannot_be_changed(address: str) -> None:
    """What gRPC takes only when a channel is made is refused with one made before, and says what to do."""
    async with aio.insecure_channel(address) as channel:
        for given in ({"options": [("a", 1)]}, {"interceptors": [Counting()]}, {"plaintext": True}):
            with pytest.raises(TypeError, match=r"giftcard\.CHANNEL_OPTIONS"):
                AsyncClient(channel, **given)
    with grpc.insecure_channel(address) as waiting, pytest.raises(TypeError, match="CHANNEL_OPTIONS"):
        Client(waiting, options=[("a", 1)])


async def test_a_read_on_a_bare_channel_has_its_timeout(address: str, gateway: ScriptedGateway) -> None:
    """The service config's timeouts hold on a channel of one's own too; streams have none."""
    async with aio.insecure_channel(address) as channel:
        await AsyncClient(channel).balance(card=PAN)
    assert 0.0 < (gateway.seen[0].seconds_left or 0.0) <= 10.1
    assert timeout_of("WatchTransactions") is None
    assert timeout_of("GetTransaction") == 70.0


async def test_the_constant_gives_a_channel_the_service_config(
    address: str, gateway: ScriptedGateway
) -> None:
    """A channel made with CHANNEL_OPTIONS repeats reads as the client's own channel does."""
    gateway.expect("Balance", CUT, v1.BalanceResponse())
    async with aio.insecure_channel(address, options=CHANNEL_OPTIONS) as channel:
        await AsyncClient(channel).balance(card=PAN)
    assert gateway.names() == ["Balance"] * 2
