"""The same id again: the recorded transaction, said to be so, and no second effect (rule 1)."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from grpc import aio

from giftcard import v1
from giftcard.requests import make_request
from tests.patience import PATIENCE_S
from tests.providers.cells import CELLS, Cell
from tests.providers.refusals import TRANSACTION_ID_REUSED, refused
from tests.providers.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def call(world: World, cell: Cell, fields: dict[str, object]) -> tuple[v1.Transaction, bool]:
    """Ask by the bare stub; return the transaction and whether the trailing metadata calls it replayed."""
    request = make_request(getattr(v1, f"{cell.operation}Request"), {"provider": cell.provider, **fields})
    running: aio.UnaryUnaryCall[Any, Any] = getattr(world.stubs.gift_cards, cell.operation)(
        request, timeout=PATIENCE_S
    )
    told = await running
    assert await running.code() is grpc.StatusCode.OK
    trailing = dict(await running.trailing_metadata() or ())
    return told.transaction, trailing.get("giftcard-replayed") == "true"


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
async def test_a_repeat_is_replayed(world: World, cell: Cell) -> None:
    """The same request returns the very same transaction, marked as replayed, also once it is confirmed."""
    fields = cell.fresh()
    first, was_replayed = await call(world, cell, fields)
    assert not was_replayed
    heard = len(world.providers[cell.provider].heard)
    again, is_replayed = await call(world, cell, fields)
    assert is_replayed
    assert again == first
    confirmed = await world.confirm(cell.operation, first.transaction_id)
    late, is_replayed = await call(world, cell, fields)
    assert is_replayed
    assert late.state == confirmed.state
    assert await world.providers[cell.provider].kinds() == [
        cell.kind,
        *["confirm"] * cell.is_confirmation_told,
    ]
    assert len(world.providers[cell.provider].heard) == heard + cell.is_confirmation_told


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
async def test_other_content_is_refused(world: World, cell: Cell) -> None:
    """The same id with one other field is ALREADY_EXISTS and names the field as the contract does."""
    fields = cell.fresh(external_reference="till 1")
    await call(world, cell, fields)
    heard = len(world.providers[cell.provider].heard)
    with refused(*TRANSACTION_ID_REUSED) as caught:
        await call(world, cell, {**fields, "external_reference": "till 2"})
    assert caught.error.metadata["field"] == "external_reference"
    if cell.requested:
        with refused(*TRANSACTION_ID_REUSED) as caught:
            await call(world, cell, {**fields, "amount": "1.00"})
        assert caught.error.metadata["field"] == "amount"
    assert len(world.providers[cell.provider].heard) == heard


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
async def test_many_at_once_are_one(world: World, cell: Cell) -> None:
    """Ten callers with the same request at the same time get one transaction of one effect."""
    fields = cell.fresh()
    told = await asyncio.gather(*(call(world, cell, fields) for _ in range(10)))
    assert sorted(is_replayed for _, is_replayed in told) == [False] + [True] * 9
    assert {one.state for one, _ in told} == {v1.TransactionState.TRANSACTION_STATE_APPROVED}
    assert await world.providers[cell.provider].kinds() == [cell.kind]
