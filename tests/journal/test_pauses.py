"""Pauses of providers in every journal: each process reads what any has written, the last word counts."""

from __future__ import annotations

from giftcard_gateway.clock import SystemClock
from giftcard_gateway.journal.contract import Journal
from giftcard_gateway.journal.notes import PauseRow
from giftcard_gateway.pipeline.pauses import Pauses
from giftcard_gateway.providers.connections import Connection, Connections, Terms
from tests.journal.damage import damages
from tests.journal.places import Place
from tests.world.provider import Scripted


async def test_the_last_word_counts(place: Place, journal: Journal) -> None:
    """A second document of a provider takes the first one's place, whichever process writes and reads."""
    beside = place.journal()
    await beside.put_pause(PauseRow(provider="one", document=b"first"))
    await journal.put_pause(PauseRow(provider="one", document=b"second"))
    await journal.put_pause(PauseRow(provider="two", document=b"third"))
    for each in (journal, beside):
        assert {row.provider: row.document for row in await each.pauses()} == {
            "one": b"second",
            "two": b"third",
        }


async def test_a_damaged_pause_holds_and_keeps_no_other(place: Place) -> None:
    """A provider whose row is damaged stays paused; the others are as they were said to be."""
    await place.journal().upgrade()
    found, clock = await damages(place, "pauses"), SystemClock()
    journal = place.journal()
    await journal.start()
    names = [f"p{number}" for number in range(len(found) + 1)]
    connections = Connections(
        Connection(name, Scripted.open(clock), Terms(), clock) for name in (*names, "never-paused")
    )
    pauses = Pauses(journal, connections, clock)
    for name in names:
        await pauses.pause(connections.get(name), by="ana", note="slow")
    await pauses.resume(connections.get(names[-1]))
    damaged_documents = []
    for name, damage in zip(names, found, strict=False):
        await damage.do(place, f"provider = '{name}'")
        if damage.column == "document":
            damaged_documents.append(name)
    await pauses.read()
    assert damaged_documents
    assert all(connections.get(name).pause is not None for name in damaged_documents)
    assert connections.get(names[-1]).pause is None
    assert connections.get("never-paused").pause is None
    await journal.close()
