"""The audit in every journal: who has the database can lift its guards, and is found all the same."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime

import asyncpg
import pytest

from giftcard_gateway.audit.records import AuditRecord
from giftcard_gateway.audit.trail import Trail
from giftcard_gateway.audit.verify import Broken, verify
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.journal.contract import Journal
from giftcard_gateway.journal.notes import AuditRow
from giftcard_gateway.seal import KEY_BYTES, Seal
from tests.journal.places import File, Place

SEAL = Seal(
    keys={"a": b"k" * KEY_BYTES}, active="a", hash_keys={"first": b"h" * KEY_BYTES}, random_bytes=bytes
)
AT = datetime(2026, 11, 28, tzinfo=UTC)
GUARDS = ("audit_is_never_changed", "audit_is_never_deleted", "audit_is_never_replaced")
CHANGES = {
    "taken out": "DELETE FROM audit WHERE number = 3",
    "the first taken out": "DELETE FROM audit WHERE number = 1",
    "dated back": "UPDATE audit SET at_us = at_us - 1 WHERE number = 3",
    "another hash": "UPDATE audit SET mac = document WHERE number = 3",
    "another document": "UPDATE audit SET document = mac WHERE number = 3",
    "put in": "INSERT INTO audit SELECT chain, 7, at_us, key_id, document, mac FROM audit WHERE number = 3",
    "exchanged": (
        "UPDATE audit SET (document, mac) = (SELECT o.document, o.mac FROM audit o"
        " WHERE o.chain = audit.chain AND o.number = 7 - audit.number) WHERE number IN (3, 4)"
    ),
}


async def rows_of(journal: Journal) -> AsyncIterator[AuditRow]:
    """Give every record, two at a time, as a reader of a long audit gets them."""
    after = ("", 0)
    while rows := await journal.audit(after=after, limit=2):
        for row in rows:
            yield row
        after = rows[-1].chain, rows[-1].number


async def trail_of(journal: Journal, name: str, records: int) -> Trail:
    """Write a chain: its beginning, and so many records."""
    trail = Trail(journal, SEAL, SystemClock(), name=name)
    await trail.start()
    told = [trail.tell(AuditRecord(at=AT, act="Redeem", by=f"{name}-{number}")) for number in range(records)]
    await asyncio.gather(*told)
    await trail.close()
    return trail


async def tamper(place: Place, statement: str, *, is_guarded: bool) -> None:
    """Do something to the table, after its triggers were lifted unless it is to be guarded."""
    if isinstance(place, File):
        with closing(sqlite3.connect(place.path)) as file, file:
            for guard in () if is_guarded else GUARDS:
                file.execute(f"DROP TRIGGER {guard}")
            file.execute(statement)
        return
    server = await asyncpg.connect(place.url)
    try:
        if not is_guarded:
            await server.execute("ALTER TABLE audit DISABLE TRIGGER USER")
        await server.execute(statement)
    finally:
        await server.close()


@pytest.mark.parametrize("change", CHANGES)
async def test_what_is_done_to_the_table_is_found(place: Place, journal: Journal, change: str) -> None:
    """A record changed, taken out, put in or exchanged in the database is named by its chain."""
    trail = await trail_of(journal, "till", 5)
    assert (await verify(lambda: rows_of(journal), SEAL)).faults == ()
    await tamper(place, CHANGES[change], is_guarded=False)
    (fault,) = (await verify(lambda: rows_of(journal), SEAL)).faults
    first = {"the first taken out": {1}, "put in": {7}}.get(change, {3})
    assert fault.chain == trail.chain
    assert fault.number in first
    assert (fault.wrong == "is missing") == change.endswith("taken out")


@pytest.mark.parametrize("change", ["taken out", "dated back"])
async def test_the_database_refuses_what_is_not_an_addition(
    place: Place, journal: Journal, change: str
) -> None:
    """Triggers keep accidents away: an UPDATE or DELETE changes nothing."""
    await trail_of(journal, "till", 5)
    with pytest.raises((sqlite3.IntegrityError, asyncpg.PostgresError)):
        await tamper(place, CHANGES[change], is_guarded=True)
    checked = await verify(lambda: rows_of(journal), SEAL)
    assert (checked.records, checked.faults) == (6, ())


async def test_two_processes_write_at_once(journal: Journal) -> None:
    """Each has a chain of its own, so neither waits for the other and both hold."""
    trails = await asyncio.gather(trail_of(journal, "one", 300), trail_of(journal, "two", 300))
    checked = await verify(lambda: rows_of(journal), SEAL)
    assert (checked.records, checked.faults) == (602, ())
    assert {name: head.number for name, head in checked.heads.items()} == {
        trail.chain: 301 for trail in trails
    }


async def test_a_whole_chain_taken_out_is_found_by_the_next(place: Place, journal: Journal) -> None:
    """Who begins notes how far the others are, so none of them can vanish."""
    first = await trail_of(journal, "one", 5)
    await trail_of(journal, "two", 0)
    await tamper(place, "DELETE FROM audit WHERE chain LIKE '%-one/%'", is_guarded=False)
    assert (await verify(lambda: rows_of(journal), SEAL)).faults == (
        Broken(first.chain, 6, "is not there, though it was noted elsewhere"),
    )
