"""Who is let through to a provider, what it knows of its health, and what an adapter may refuse."""

from __future__ import annotations

import asyncio

import pytest

from giftcard_adapters.errors import (
    BrokenOff,
    Invalid,
    NoAnswer,
    NotSent,
    Refused,
    TimedOut,
    Unreadable,
    Unsupported,
)
from giftcard_adapters.values.advices import Acknowledgement, Advice, Receipt
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import MoneyOperation, Operation
from giftcard_adapters.values.outcomes import Outcome
from giftcard_adapters.values.point_of_sale import Tender, TenderType
from giftcard_gateway.access.identities import LOCAL
from giftcard_gateway.errors import (
    InvalidRequest,
    OperationUnsupported,
    Overloaded,
    PartialUnsupported,
    ProviderNotFound,
    ProviderUnreachable,
    ReversalUnsupported,
)
from giftcard_gateway.ledger.entry import Entry, State
from giftcard_gateway.providers.circuit import CircuitState
from giftcard_gateway.providers.connections import Connection, Terms
from tests.gateway.pipeline.conftest import Start
from tests.world.gateway import World
from tests.world.provider import LOST, NUMBER, REFUSED_CONNECTION, Scripted

AGAIN = Acknowledgement(receipt=Receipt.AGAIN)
HALF = Money("ZAR", 5_000)


def first(world: World) -> Connection:
    """Return the connection most stories go through."""
    return world.connections.get("first")


async def test_full_connection_refuses_before_writing(start: Start) -> None:
    """Beyond so many exchanges in flight a request is refused, surely not sent; repeats still find theirs."""
    world = await start(is_sweeping=True, terms=Terms(max_in_flight=1))
    world.script.reactions.extend([5.0])
    ask = world.redeem()
    begun = asyncio.create_task(world.transactions.begin(ask, wait_s=30, by=LOCAL))
    await asyncio.sleep(1)
    assert first(world).in_flight == 1
    late = world.redeem()
    with pytest.raises(Overloaded):
        await world.transactions.begin(late, wait_s=30, by=LOCAL)
    assert await world.records.get(late.transaction_id) is None
    assert (await world.transactions.begin(ask, wait_s=30, by=LOCAL)).is_replayed
    assert (await begun).entry.state is State.APPROVED
    assert first(world).in_flight == 0
    assert (await world.begin(late)).state is State.APPROVED


async def test_half_open_circuit_lets_one_request_probe(start: Start) -> None:
    """After the cooldown one request finds out whether the provider is back; others are put off till then."""
    world = await start(is_sweeping=True, terms=Terms(circuit_threshold=2))
    world.script.reactions.extend([REFUSED_CONNECTION] * 2)
    for _ in range(2):
        await world.transactions.begin(world.redeem(), wait_s=30, by=LOCAL)
    with pytest.raises(ProviderUnreachable) as refusal:
        await world.transactions.begin(world.redeem(), wait_s=30, by=LOCAL)
    assert refusal.value.retry_after_s == 5
    await asyncio.sleep(5)
    world.script.reactions.append(2.0)
    probe = asyncio.create_task(world.transactions.begin(world.redeem(), wait_s=30, by=LOCAL))
    await asyncio.sleep(1)
    with pytest.raises(ProviderUnreachable) as busy:
        await world.transactions.begin(world.redeem(), wait_s=30, by=LOCAL)
    assert busy.value.retry_after_s == 0.1
    assert (await probe).entry.state is State.APPROVED
    assert first(world).circuit.state is CircuitState.CLOSED


async def test_abandoned_probe_leaves_room_for_another(start: Start) -> None:
    """A read whose caller left proves nothing: the next one may probe."""
    world = await start(is_sweeping=True, terms=Terms(circuit_threshold=1))
    connection = first(world)
    connection.circuit.failed()
    await asyncio.sleep(5)

    async def read() -> None:
        with connection.exchange():
            await asyncio.sleep(100)

    probe = asyncio.create_task(read())
    await asyncio.sleep(1)
    assert not connection.circuit.admits()
    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)
    assert connection.circuit.admits()
    assert connection.in_flight == 0
    assert connection.last_answer_at is None


@pytest.mark.parametrize(
    ("fault", "is_answer"),
    [
        (None, True),
        (Refused(Decline(reason=DeclineReason.CARD_UNKNOWN)), True),
        (NotSent("no connection"), False),
        (Unreadable("HTTP 500"), True),
        (NoAnswer("find: HTTP 502"), True),
        (TimedOut("no answer in time"), False),
        (BrokenOff("the connection broke"), False),
        (ZeroDivisionError(), False),
    ],
)
async def test_what_counts_as_an_answer(world: World, fault: Exception | None, is_answer: bool) -> None:
    """Whatever a provider answers shows that it is there; silence and our own faults are no answer."""
    connection = first(world)
    await asyncio.sleep(7)
    try:
        with connection.exchange():
            if fault is not None:
                raise fault
    except type(fault or ValueError()):
        assert fault is not None
    assert connection.last_answer_at == (world.clock.now() if is_answer else None)
    assert connection.circuit.is_failing is isinstance(fault, NotSent | TimedOut | BrokenOff)
    assert connection.in_flight == 0


async def test_provider_switched_off_still_gets_what_it_is_owed(world: World) -> None:
    """A provider the operator switched off takes no new request; its advices are delivered all the same."""
    one = await world.begin(world.redeem())
    other = await world.begin(world.redeem())
    world.script.reactions.append(AGAIN)
    assert (await world.reverse(one)).state is State.REVERSING
    first(world).is_enabled = False
    with pytest.raises(ProviderUnreachable, match="switched this provider off"):
        await world.transactions.begin(world.redeem(), wait_s=30, by=LOCAL)
    confirmed = await world.confirm(other)
    await asyncio.sleep(5)
    assert confirmed.state is State.CONFIRMED
    assert (await world.entry(one.transaction_id)).state is State.REVERSED
    again = await world.transactions.begin(world.redeem(one.transaction_id), wait_s=30, by=LOCAL)
    assert again.is_replayed


async def test_advices_wait_for_their_turn(start: Start) -> None:
    """No more advices are under way at a provider at a time than agreed (rule 8)."""
    world = await start(is_sweeping=True, terms=Terms(advice_concurrency=2))
    entries = [await world.begin(world.redeem()) for _ in range(6)]
    world.script.reactions.extend([1.0, Acknowledgement(receipt=Receipt.DONE)] * 6)
    calls = [asyncio.create_task(world.reverse(entry)) for entry in entries]
    most = 0
    for _ in range(50):
        await asyncio.sleep(0.1)
        most = max(most, first(world).in_flight)
    assert most == 2
    assert {(await call).state for call in calls} == {State.REVERSED}


async def test_advice_whose_turn_comes_when_the_provider_is_gone_is_not_sent(start: Start) -> None:
    """What waited for its turn while the circuit opened is put off, instead of each waiting for no answer."""
    world = await start(is_sweeping=True, terms=Terms(advice_concurrency=1, circuit_threshold=2))
    entries = [await world.begin(world.redeem()) for _ in range(8)]
    world.script.reactions.extend([1.0, LOST] * 8)
    calls = [asyncio.create_task(world.reverse(entry)) for entry in entries]
    await asyncio.gather(*calls)
    assert len(world.script.advices) == 2
    world.script.reactions.clear()
    await asyncio.sleep(100)
    for entry in entries:
        assert (await world.entry(entry.transaction_id)).state is State.REVERSED


async def test_adapter_may_refuse_a_confirmation(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tenders an adapter cannot write are refused by field before anything is promised, and can be mended."""

    def confirmation(_self: Scripted, ask: MoneyOperation, _outcome: Outcome, advice: Advice) -> tuple[()]:
        if advice.amount is not None and not advice.tenders:
            raise Invalid([("tenders", "say how the rest was paid")])
        if len(advice.tenders) > 1:
            raise Unsupported(f"one tender only for {ask.operation}")
        return ()

    monkeypatch.setattr(Scripted, "confirmation", confirmation)
    tender = Tender(amount=HALF, tender_type=TenderType.CASH)
    entry = await world.begin(world.redeem())

    async def confirm(*tenders: Tender) -> Entry:
        return await world.transactions.confirm(
            Operation.REDEEM, entry.transaction_id, amount=HALF, tenders=tenders, wait_s=30, by=LOCAL
        )

    with pytest.raises(InvalidRequest) as refusal:
        await confirm()
    assert refusal.value.violations == (("tenders", "say how the rest was paid"),)
    with pytest.raises(PartialUnsupported, match="one tender only"):
        await confirm(tender, tender)
    assert await world.entry(entry.transaction_id) == entry
    confirmed = await confirm(tender)
    assert confirmed.state is State.CONFIRMED
    assert confirmed.advice is not None
    assert (confirmed.advice.amount, confirmed.advice.tenders) == (HALF, (tender,))


@pytest.mark.parametrize(
    ("fault", "refusal"),
    [(Invalid([("amount", "too small")]), InvalidRequest), (Unsupported("gone"), ReversalUnsupported)],
)
async def test_adapter_may_refuse_a_reversal(
    world: World, fault: Exception, refusal: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reversal an adapter cannot write is refused before anything is promised, and the approval stands."""

    def reversal(*_: object) -> tuple[()]:
        raise fault

    entry = await world.begin(world.redeem())
    with monkeypatch.context() as patch:
        patch.setattr(Scripted, "reversal", reversal)
        with pytest.raises(refusal):
            await world.reverse(entry, amount=HALF)
    assert await world.entry(entry.transaction_id) == entry
    assert (await world.reverse(entry, amount=HALF)).state is State.REVERSED


async def test_unknown_names(world: World) -> None:
    """A provider nobody configured, an operation or a read it does not have: each is refused by name."""
    await asyncio.sleep(0)
    with pytest.raises(ProviderNotFound) as missing:
        world.connections.get("nobody")
    assert missing.value.metadata["provider"] == "nobody"
    with pytest.raises(ProviderNotFound) as number:
        world.connections.get(NUMBER + " 1225")
    assert NUMBER not in str(number.value) + str(number.value.metadata)
    with pytest.raises(OperationUnsupported):
        first(world).traits(Operation.TRANSFER)
    with pytest.raises(OperationUnsupported):
        first(world).demand("list_templates")


async def test_terms_by_operation(start: Start) -> None:
    """How long a caller has to decide is the operation's own term, else the provider's."""
    world = await start(
        is_sweeping=True, terms=Terms(confirm_by_operation_s={Operation.LOAD: 60.0}, lease_margin_s=2.0)
    )
    await asyncio.sleep(0)
    connection = first(world)
    assert connection.confirm_within_s(Operation.LOAD) == 60
    assert connection.confirm_within_s(Operation.REDEEM) == 900
    assert not connection.confirms_when_overdue(Operation.REDEEM)
    assert connection.confirms_when_overdue(Operation.ISSUE)
    assert connection.lease.total_seconds() == 32
