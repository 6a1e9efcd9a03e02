"""Unknown: whatever is lost ends as the provider declared, and is never done twice (rules 3 to 5)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from giftcard import v1
from tests.providers.cells import BY_NAME, CELLS, Cell
from tests.providers.world import ELECTRUM, GATEPAY, GR4VY, JEUDIMERCI, Provider, World

pytestmark = pytest.mark.asyncio(loop_scope="session")

State = v1.TransactionState
APPROVED, FAILED = State.TRANSACTION_STATE_APPROVED, State.TRANSACTION_STATE_FAILED
PENDING, REVERSED = State.TRANSACTION_STATE_PENDING, State.TRANSACTION_STATE_REVERSED
UNRESOLVED = State.TRANSACTION_STATE_UNRESOLVED

NO_EFFECT = {"drop_request", "html_502"}
"""Faults after which the provider has done nothing."""
FAULTS: Mapping[str, Mapping[str, object]] = {
    "drop_answer": {"fault": "drop_answer"},
    "drop_request": {"fault": "drop_request"},
    "html_502": {"fault": "html_502"},
    "html_502 after acting": {"fault": "html_502", "after_acting": True},
    "status 500 after acting": {"fault": "status", "status": 500, "after_acting": True},
    "truncated_json": {"fault": "truncated_json"},
    "wrong_amount": {"fault": "wrong_amount"},
}
REDEEM = BY_NAME[f"{GR4VY}-Redeem"]
E_CARDS, SLOW_CARDS = BY_NAME[f"{JEUDIMERCI}-Issue"], BY_NAME[f"{GATEPAY}-Issue"]

REVERSES = [cell for cell in CELLS if cell.provider == ELECTRUM]
ASKS_A_PERSON = [cell for cell in CELLS if cell.provider == GR4VY and cell is not REDEEM]


async def go_wrong(provider: Provider, name: str) -> None:
    """Script one fault for the next money request."""
    await provider.go_wrong({**FAULTS[name], "match": {"method": "POST"}})


CASES = [
    pytest.param(cell, fault, id=f"{cell.name}-{fault}")
    for cell in REVERSES
    for fault in FAULTS
    if not (fault == "wrong_amount" and not cell.requested)
]


@pytest.mark.parametrize(("cell", "fault"), CASES)
async def test_electrum_reverses(world: World, cell: Cell, fault: str) -> None:
    """Whatever is lost, Electrum's operation ends REVERSED: put back if it was done, and nothing if not."""
    provider = world.providers[cell.provider]
    before = await provider.books()
    await go_wrong(provider, fault)
    done = await world.ask(cell.provider, cell.operation, cell.fresh())
    done = await world.settled(done.transaction_id)
    assert (done.state, await provider.faults_left()) == (REVERSED, 0)
    assert done.reversal_reason in {
        v1.ReversalReason.REVERSAL_REASON_TIMEOUT,
        v1.ReversalReason.REVERSAL_REASON_RESPONSE_NOT_FINAL,
    }
    assert await provider.kinds() == ([] if fault in NO_EFFECT else [cell.kind, "reverse"])
    assert (await provider.books()).moved_since(before) == {}


@pytest.mark.parametrize("fault", FAULTS)
async def test_gr4vy_sends_a_redemption_again(world: World, fault: str) -> None:
    """Whatever is lost, a redemption is sent again under its key: APPROVED in the end, and done once."""
    provider = world.providers[GR4VY]
    await go_wrong(provider, fault)
    done = await world.ask(GR4VY, "Redeem", REDEEM.fresh())
    done = await world.settled(done.transaction_id)
    assert (done.state, await provider.faults_left()) == (APPROVED, 0)
    assert await provider.kinds() == ["redeem"]
    sent = [request for request in provider.heard if request.path == "/transactions"]
    posted = [request for request in sent if request.method == "POST"]
    assert {(one.headers["idempotency-key"], one.body) for one in posted} == {
        (done.transaction_id, posted[0].body)
    }


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("cell", ASKS_A_PERSON, ids=lambda cell: cell.name)
async def test_gr4vy_asks_a_person_of_the_rest(world: World, cell: Cell, fault: str) -> None:
    """A lost issue or activation is UNRESOLVED with evidence at once: it was sent once and is not guessed."""
    provider = world.providers[GR4VY]
    await go_wrong(provider, fault)
    done = await world.ask(GR4VY, cell.operation, cell.fresh())
    effects = [] if fault in NO_EFFECT else [cell.kind]
    if fault == "wrong_amount" and cell.operation == "Activate":
        # The answer to an activation tells no amount, so there was none to be wrong.
        assert done.state == APPROVED
    else:
        assert done.state == UNRESOLVED
        assert done.evidence.summary
    assert await provider.kinds() == effects


@pytest.mark.parametrize("fault", FAULTS)
async def test_jeudimerci_looks_in_its_list(turned: World, fault: str) -> None:
    """A lost issue is sent once: surely absent it FAILED, named it is APPROVED, else a person decides."""
    provider = turned.providers[JEUDIMERCI]
    await go_wrong(provider, fault)
    asking = asyncio.create_task(turned.ask(JEUDIMERCI, "Issue", E_CARDS.fresh()))
    await provider.heard_of("GET")
    if fault == "wrong_amount":
        # The answer names its cards, and their details tell what they really cost.
        done = await asking
        assert done.state == APPROVED
        await turned.confirm("Issue", done.transaction_id)
    elif fault in NO_EFFECT:
        turned.clock.skip(minutes=65)
        assert (await asking).state == FAILED
    else:
        turned.clock.skip(hours=2, minutes=5)
        done = await asking
        assert done.state == UNRESOLVED
        assert "2 e-card" in done.evidence.summary
    assert await provider.kinds() == ([] if fault in NO_EFFECT else ["issue"])
    assert sum(one.path.endswith("/generate") for one in provider.heard) <= 1


@pytest.mark.parametrize("fault", FAULTS)
async def test_gatepay_asks_by_the_cards_number(turned: World, fault: str) -> None:
    """A lost issue is never sent again: named by its answer it is asked for until APPROVED, else a person."""
    provider = turned.providers[GATEPAY]
    await go_wrong(provider, fault)
    asking = asyncio.create_task(turned.ask(GATEPAY, "Issue", SLOW_CARDS.fresh()))
    if fault == "wrong_amount":
        done = await asking
        assert done.state == APPROVED
        await turned.confirm("Issue", done.transaction_id)
    else:
        await provider.script_played()
        turned.clock.skip(hours=24, minutes=1)
        done = await asking
        assert done.state == UNRESOLVED
        assert done.evidence.summary
    assert await provider.kinds() == ([] if fault in NO_EFFECT else ["issue"])
    assert sum(one.path.endswith("/create") for one in provider.heard) <= 1


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
async def test_an_answer_that_comes_twice_is_read_once(world: World, cell: Cell) -> None:
    """The second copy of an answer is never taken for the answer to the next call."""
    provider = world.providers[cell.provider]
    await provider.go_wrong({"fault": "answer_twice", "match": {"method": "POST"}, "times": 2})
    done = await world.ask(cell.provider, cell.operation, cell.fresh())
    assert done.state == APPROVED
    confirmed = await world.confirm(cell.operation, done.transaction_id)
    assert (await world.settled(confirmed.transaction_id)).state == State.TRANSACTION_STATE_CONFIRMED
    assert await provider.kinds() == [cell.kind, *["confirm"] * cell.is_confirmation_told]


ENDS = {ELECTRUM: REVERSED, GR4VY: APPROVED, JEUDIMERCI: PENDING, GATEPAY: PENDING}


async def heard_by(world: World, cell: Cell) -> asyncio.Task[v1.Transaction]:
    """Ask, anew as long as a slow machine does not even connect in time, until the provider has heard it."""
    while True:
        asking = asyncio.create_task(world.ask(cell.provider, cell.operation, cell.fresh()))
        hearing = asyncio.create_task(world.providers[cell.provider].heard_of())
        await asyncio.wait({asking, hearing}, return_when=asyncio.FIRST_COMPLETED)
        if hearing.done():
            return asking
        hearing.cancel()
        assert (await asking).state == State.TRANSACTION_STATE_FAILED


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
async def test_an_answer_too_late_is_unknown(hasty: World, cell: Cell) -> None:
    """An answer after the timeout is as good as none: ended as declared, and done once."""
    provider = hasty.providers[cell.provider]
    await provider.go_wrong({"fault": "delay", "delay_s": 1.2, "match": {"method": "POST"}})
    asking = await heard_by(hasty, cell)
    if ENDS[cell.provider] is PENDING:
        hasty.clock.skip(hours=25)
    is_a_persons = cell in ASKS_A_PERSON or ENDS[cell.provider] is PENDING
    done = await hasty.settled((await asking).transaction_id)
    assert done.state == (UNRESOLVED if is_a_persons else ENDS[cell.provider])
    assert await provider.kinds() == [cell.kind, *["reverse"] * (cell.provider == ELECTRUM)]
    if done.state == APPROVED:
        await hasty.confirm(cell.operation, done.transaction_id)
