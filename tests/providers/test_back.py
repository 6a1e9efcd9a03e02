"""Back: what can be reversed is put back, what cannot is refused, and parts go only where they can."""

from __future__ import annotations

import asyncio

import pytest

from giftcard import is_reversed, minor_to_money, to_decimal, v1
from tests.providers.cells import CELLS, NATIVE, NONE, Cell
from tests.providers.refusals import (
    FIELD_INVALID,
    PARTIAL_UNSUPPORTED,
    REVERSAL_UNSUPPORTED,
    STATE_CONFLICT,
    TRANSACTION_REVERSED,
    refused,
)
from tests.providers.world import JEUDIMERCI, World

pytestmark = pytest.mark.asyncio(loop_scope="session")

REVERSED = v1.TransactionState.TRANSACTION_STATE_REVERSED
CONFIRMED = v1.TransactionState.TRANSACTION_STATE_CONFIRMED

REVERSIBLE = [cell for cell in CELLS if cell.guarantee != NONE]
FINAL_AT_ONCE = [cell for cell in CELLS if cell.guarantee == NONE]
WITH_AMOUNT = [cell for cell in CELLS if cell.requested]
WHOLE = [cell for cell in CELLS if not cell.requested]


def part(cell: Cell) -> dict[str, object]:
    """Return a fifth of the request's amount, under `amount`."""
    minor = int(to_decimal_minor(cell) / 5)
    return {"amount": minor_to_money(minor, str(cell.fields["currency"]))}


def to_decimal_minor(cell: Cell) -> int:
    """Return the request's amount in hundredths."""
    return round(float(cell.requested) * 100)


def undone(cell: Cell, effects: int) -> list[str]:
    """Return the kinds of effect after a reversal: JeudiMerci deletes each card of an issue."""
    return [cell.kind] + ["reverse"] * (cell.quantity if cell.provider == JEUDIMERCI else effects)


@pytest.mark.parametrize("cell", REVERSIBLE, ids=lambda cell: cell.name)
async def test_an_approval_is_put_back(world: World, cell: Cell) -> None:
    """A reversal puts everything back, once however often it is asked, and every card is as it was."""
    provider = world.providers[cell.provider]
    before = await provider.books()
    done = await world.ask(cell.provider, cell.operation, cell.fresh())
    for _ in range(2):
        back = await world.reverse(cell.operation, done.transaction_id)
        assert back.state == REVERSED
        assert back.reversed_amount == done.approved_amount
        assert back.reversal_reason == v1.ReversalReason.REVERSAL_REASON_CANCELLED
    assert await provider.kinds() == undone(cell, 1)
    after = await provider.books()
    assert after.moved_since(before) == {}
    assert before.states.items() <= after.states.items()
    with refused(*TRANSACTION_REVERSED):
        await world.confirm(cell.operation, done.transaction_id)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
async def test_a_confirmed_one_stays(world: World, cell: Cell) -> None:
    """What was confirmed cannot be reversed any more: the refusal names the state, nothing moves."""
    provider = world.providers[cell.provider]
    done = await world.ask(cell.provider, cell.operation, cell.fresh())
    await world.confirm(cell.operation, done.transaction_id)
    effects = await provider.effects()
    with refused(*STATE_CONFLICT) as caught:
        await world.reverse(cell.operation, done.transaction_id)
    assert caught.error.metadata["state"] == "CONFIRMED"
    assert await provider.effects() == effects


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
async def test_a_reversal_may_come_first(world: World, cell: Cell) -> None:
    """A reversal of an id never seen is REVERSED; the request that comes later is refused and not sent."""
    fields = cell.fresh()
    first = await world.reverse(cell.operation, str(fields["transaction_id"]))
    assert is_reversed(first)
    with refused(*TRANSACTION_REVERSED):
        await world.ask(cell.provider, cell.operation, fields)
    assert world.providers[cell.provider].heard == []


@pytest.mark.parametrize("cell", FINAL_AT_ONCE, ids=lambda cell: cell.name)
async def test_no_way_back_is_refused_before_and_after(world: World, cell: Cell) -> None:
    """Where there is no way back a reversal is refused in flight and after, and changes nothing."""
    provider = world.providers[cell.provider]
    await provider.go_wrong({"fault": "delay", "delay_s": 0.4, "match": {"method": "POST"}})
    fields = cell.fresh()
    asking = asyncio.create_task(world.ask(cell.provider, cell.operation, fields))
    transaction_id = str(fields["transaction_id"])
    await provider.heard_of()
    with refused(*REVERSAL_UNSUPPORTED) as caught:
        await world.reverse(cell.operation, transaction_id)
    assert caught.error.metadata["provider"] == cell.provider
    done = await asking
    with refused(*REVERSAL_UNSUPPORTED):
        await world.reverse(cell.operation, transaction_id)
    assert (await world.settled(transaction_id)).state == done.state
    assert (await world.confirm(cell.operation, transaction_id)).state == CONFIRMED
    assert await provider.kinds() == [cell.kind]


@pytest.mark.parametrize("cell", REVERSIBLE, ids=lambda cell: cell.name)
async def test_a_reversal_in_flight_is_delivered_once_the_outcome_is_known(world: World, cell: Cell) -> None:
    """A reversal that comes while the request is under way waits for its answer, and then puts it back."""
    provider = world.providers[cell.provider]
    before = await provider.books()
    await provider.go_wrong({"fault": "delay", "delay_s": 0.3, "match": {"method": "POST"}})
    fields = cell.fresh()
    asking = asyncio.create_task(world.ask(cell.provider, cell.operation, fields))
    await provider.heard_of()
    back = await world.reverse(cell.operation, str(fields["transaction_id"]))
    assert (await world.settled(back.transaction_id)).state == REVERSED
    assert (await asking).state in {REVERSED, v1.TransactionState.TRANSACTION_STATE_REVERSING}
    assert await provider.kinds() == undone(cell, 1)
    assert (await provider.books()).moved_since(before) == {}


@pytest.mark.parametrize("cell", WITH_AMOUNT, ids=lambda cell: cell.name)
async def test_a_part_is_confirmed_where_it_can_be(world: World, cell: Cell) -> None:
    """A smaller final amount is confirmed and the rest put back, or refused as PARTIAL_UNSUPPORTED."""
    provider = world.providers[cell.provider]
    before = await provider.books()
    done = await world.ask(cell.provider, cell.operation, cell.fresh())
    final = {"final_amount": part(cell)["amount"]}
    if not cell.partial_confirmation:
        with refused(*PARTIAL_UNSUPPORTED):
            await world.confirm(cell.operation, done.transaction_id, **final)
        assert (await world.confirm(cell.operation, done.transaction_id)).state == CONFIRMED
        return
    confirmed = await world.confirm(cell.operation, done.transaction_id, **final)
    assert (confirmed.state, confirmed.confirmed_amount) == (CONFIRMED, final["final_amount"])
    assert confirmed.approved_amount == done.approved_amount
    taken_back = to_decimal_minor(cell) * 4 // 5
    moved = (await provider.books()).moved_since(before)
    for number, (book, available) in cell.final.items():
        back = -taken_back if book > 0 else taken_back
        assert moved[number] == (book + back, available + back)


@pytest.mark.parametrize("cell", [cell for cell in REVERSIBLE if cell.requested], ids=lambda cell: cell.name)
async def test_a_part_is_reversed_where_it_can_be(world: World, cell: Cell) -> None:
    """A part is put back and the rest stands, or the reversal is refused as PARTIAL_UNSUPPORTED."""
    provider = world.providers[cell.provider]
    before = await provider.books()
    done = await world.ask(cell.provider, cell.operation, cell.fresh())
    if not cell.partial_reversal:
        with refused(*PARTIAL_UNSUPPORTED):
            await world.reverse(cell.operation, done.transaction_id, **part(cell))
        assert (await world.reverse(cell.operation, done.transaction_id)).state == REVERSED
        return
    back = await world.reverse(cell.operation, done.transaction_id, **part(cell))
    assert (back.state, back.reversed_amount) == (REVERSED, part(cell)["amount"])
    fifth = to_decimal_minor(cell) // 5
    moved = (await provider.books()).moved_since(before)
    for number, (book, _) in cell.final.items():
        assert moved[number][0] == book + (-fifth if book > 0 else fifth)


@pytest.mark.parametrize("cell", WITH_AMOUNT, ids=lambda cell: cell.name)
async def test_more_than_was_approved_is_refused(world: World, cell: Cell) -> None:
    """A final amount above the approved one names the field, and the transaction stays as it was."""
    done = await world.ask(cell.provider, cell.operation, cell.fresh())
    more = minor_to_money(to_decimal_minor(cell) + 1, str(cell.fields["currency"]))
    with refused(*FIELD_INVALID) as caught:
        await world.confirm(cell.operation, done.transaction_id, final_amount=more)
    assert [violation.field for violation in caught.error.violations] == ["final_amount"]
    assert (await world.confirm(cell.operation, done.transaction_id)).state == CONFIRMED


@pytest.mark.parametrize("cell", WHOLE, ids=lambda cell: cell.name)
async def test_an_operation_without_an_amount_has_no_parts(world: World, cell: Cell) -> None:
    """Of what names no amount no part can be confirmed or reversed: the field is refused."""
    assert cell.guarantee == NATIVE
    done = await world.ask(cell.provider, cell.operation, cell.fresh())
    some = minor_to_money(100, "ZAR")
    with refused(*FIELD_INVALID):
        await world.confirm(cell.operation, done.transaction_id, final_amount=some)
    with refused(*FIELD_INVALID):
        await world.reverse(cell.operation, done.transaction_id, amount=some)
    assert is_reversed(await world.reverse(cell.operation, done.transaction_id))
    assert to_decimal(done.approved_amount) == 0
