"""Advices: confirmations and reversals arrive however often they get lost, and count once (rule 8)."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from giftcard import v1
from tests.providers.cells import CELLS, NATIVE, NONE, Cell
from tests.providers.world import JEUDIMERCI, World

pytestmark = pytest.mark.asyncio(loop_scope="session")

State = v1.TransactionState
PROMISED = {"confirm": State.TRANSACTION_STATE_CONFIRMING, "reverse": State.TRANSACTION_STATE_REVERSING}
KEPT = {"confirm": State.TRANSACTION_STATE_CONFIRMED, "reverse": State.TRANSACTION_STATE_REVERSED}

FAULTS: Mapping[str, Mapping[str, object]] = {
    "drop_answer": {"fault": "drop_answer"},
    "drop_request": {"fault": "drop_request"},
    "html_502": {"fault": "html_502"},
    "truncated_json": {"fault": "truncated_json"},
    "status 500 after acting": {"fault": "status", "status": 500, "after_acting": True},
}
CASES = [
    pytest.param(cell, "confirm", id=f"{cell.name}-confirm") for cell in CELLS if cell.guarantee == NATIVE
] + [pytest.param(cell, "reverse", id=f"{cell.name}-reverse") for cell in CELLS if cell.guarantee != NONE]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("cell", "end"), CASES)
async def test_an_advice_is_repeated_until_it_is_heard(
    world: World, cell: Cell, end: str, fault: str
) -> None:
    """An advice that gets lost twice is sent again unchanged until it is heard, and counts once."""
    provider = world.providers[cell.provider]
    done = await world.ask(cell.provider, cell.operation, cell.fresh())
    heard = len(provider.heard)
    method = "DELETE" if cell.provider == JEUDIMERCI else "POST"
    await provider.go_wrong({**FAULTS[fault], "match": {"method": method}, "times": 2})
    act = world.confirm if end == "confirm" else world.reverse
    promised = await act(cell.operation, done.transaction_id)
    assert promised.state in {PROMISED[end], KEPT[end]}
    assert (await world.settled(done.transaction_id)).state == KEPT[end]
    assert await provider.faults_left() == 0
    copies = cell.quantity if method == "DELETE" else 1
    assert await provider.kinds() == [cell.kind] + [end] * copies
    told = {(one.path, one.body) for one in provider.heard[heard:] if one.method == method}
    assert len(told) == copies


async def test_what_was_never_found_is_not_reversed(world: World) -> None:
    """An approved e-card that the first delete does not find goes to a person, and is still there."""
    (cell,) = [cell for cell in CELLS if cell.provider == JEUDIMERCI]
    provider = world.providers[cell.provider]
    done = await world.ask(cell.provider, cell.operation, cell.fresh())
    await provider.go_wrong({"fault": "status", "status": 404, "match": {"method": "DELETE"}, "times": 1})
    await world.reverse(cell.operation, done.transaction_id)
    ended = await world.settled(done.transaction_id)
    assert ended.state == State.TRANSACTION_STATE_UNRESOLVED
    assert await provider.kinds() == [cell.kind]
    await world.client.redeliver_advice(transaction_id=done.transaction_id)
    assert (await world.settled(done.transaction_id)).state == State.TRANSACTION_STATE_REVERSED
    # Two cards were bought, and each is deleted by itself.
    assert await provider.kinds() == [cell.kind, "reverse", "reverse"]
