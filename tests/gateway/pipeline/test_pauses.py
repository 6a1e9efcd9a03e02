"""A paused provider: nothing new is sent there, what is open goes on, and every process heeds it."""

from __future__ import annotations

import asyncio

import pytest

from giftcard_gateway.access.identities import LOCAL
from giftcard_gateway.errors import ProviderPaused
from giftcard_gateway.journal.notes import PauseRow
from giftcard_gateway.ledger.entry import State
from giftcard_gateway.pipeline.pauses import Pauses
from giftcard_gateway.providers.routing import Rule
from tests.gateway.pipeline.conftest import Start
from tests.world.gateway import World
from tests.world.provider import AGAIN, APPROVED, ISSUED, LOST


def pauses_of(world: World) -> Pauses:
    """Return the pauses as another process has them."""
    return Pauses(world.records.journal, world.connections, world.clock)


async def test_nothing_new_is_written_or_sent(world: World) -> None:
    """A new request is refused before anything is written, retryably; resumed, the same one goes through."""
    pauses, ask = pauses_of(world), world.redeem()
    connection = world.connections.get("first")
    assert await pauses.pause(connection, by="ana", note="they lose answers")
    with pytest.raises(ProviderPaused) as refusal:
        await world.transactions.begin(ask, wait_s=30, by=LOCAL)
    assert refusal.value.retry_after_s
    assert await world.records.get(ask.transaction_id) is None
    assert world.script.requests == []
    assert await pauses.resume(connection)
    assert (await world.begin(ask)).state is State.APPROVED


async def test_what_is_open_goes_on_to_its_end(world: World) -> None:
    """Confirmations, reversals and the ends of unknowns go to a paused provider; a repeat is answered."""
    confirmed, reversed_ = await world.begin(world.redeem()), await world.begin(world.redeem())
    world.script.reactions.append(LOST)
    lost = await world.begin(world.redeem(), wait_s=1)
    await pauses_of(world).pause(world.connections.get("first"), by="ana", note="slow")
    world.script.reactions.append(AGAIN)
    assert (await world.reverse(reversed_)).state is State.REVERSING
    assert (await world.confirm(confirmed)).state is State.CONFIRMED
    await asyncio.sleep(600)
    assert (await world.entry(reversed_.transaction_id)).state is State.REVERSED
    assert (await world.entry(lost.transaction_id)).state is State.REVERSED
    again = await world.transactions.begin(world.redeem(confirmed.transaction_id), wait_s=30, by=LOCAL)
    assert again.is_replayed


async def test_an_issue_goes_to_the_provider_that_stands_in(start: Start) -> None:
    """Where a rule names a failover, it takes the issues of a paused provider."""
    world = await start(is_sweeping=True, rules=[Rule(provider="first", failover="second")])
    await pauses_of(world).pause(world.connections.get("first"), by="ana", note="slow")
    world.scripts["second"].reactions.append(ISSUED)
    assert (await world.begin(world.issue())).provider == "second"


async def test_another_process_knows_within_a_second(world: World) -> None:
    """What one process pauses and resumes, another heeds at its next look; repeats change nothing."""
    connection, ours, theirs = world.connections.get("first"), pauses_of(world), pauses_of(world)
    looking = asyncio.create_task(theirs.run())
    assert await ours.pause(connection, by="ana", note="first")
    assert not await ours.pause(connection, by="ben", note="second")
    connection.pause = None
    await asyncio.sleep(1.5)
    told = world.connections.get("first").pause
    assert told is not None
    assert (told.by, told.note) == ("ana", "first")
    assert await ours.resume(connection)
    assert not await ours.resume(connection)
    connection.pause = told
    await asyncio.sleep(1.5)
    assert world.connections.get("first").pause is None
    looking.cancel()


async def test_a_look_that_began_before_a_pause_ends_none(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a look read before the pause was written is not taken for the latest, however late it arrives."""
    connection, pauses = world.connections.get("first"), pauses_of(world)
    journal, go_on, has_read = world.records.journal, asyncio.Event(), asyncio.Event()
    read = journal.pauses

    async def late() -> object:
        monkeypatch.setattr(journal, "pauses", read)
        rows = await read()
        has_read.set()
        await go_on.wait()
        return rows

    monkeypatch.setattr(journal, "pauses", late)
    looking = asyncio.create_task(pauses.read())
    await has_read.wait()
    pausing = asyncio.create_task(pauses.pause(connection, by="ana", note="slow"))
    await asyncio.sleep(0.5)
    go_on.set()
    await asyncio.gather(looking, pausing)
    assert connection.pause is not None


async def test_one_that_comes_again_is_paused_at_once(world: World) -> None:
    """A connection that is new by a reload is paused by what was read last, without asking the journal."""
    connection, pauses = world.connections.get("first"), pauses_of(world)
    await pauses.pause(connection, by="ana", note="slow")
    told, connection.pause = connection.pause, None
    pauses.heed()
    assert connection.pause == told is not None


async def test_a_pause_that_nobody_can_read_holds(world: World) -> None:
    """Of a damaged row it is believed that somebody wanted a pause; whoever resumes it mends it."""
    connection, pauses = world.connections.get("first"), pauses_of(world)
    await world.records.journal.put_pause(PauseRow(provider="first", document=b"\xff not JSON"))
    await pauses.read()
    with pytest.raises(ProviderPaused):
        await world.transactions.begin(world.redeem(), wait_s=30, by=LOCAL)
    assert await pauses.resume(connection)
    assert connection.pause is None


async def test_nothing_is_sent_again_while_paused(world: World) -> None:
    """An unknown that a repeat would end is looked for instead: a repeat could move money there anew."""
    world.script.reactions.append(LOST)
    ask = world.load()
    await world.transactions.begin(ask, wait_s=0, by=LOCAL)
    await pauses_of(world).pause(world.connections.get("first"), by="ana", note="slow")
    world.script.found.append(APPROVED)
    await asyncio.sleep(60)
    assert (await world.entry(ask.transaction_id)).state is State.APPROVED
    assert len(world.script.requests) == 1
