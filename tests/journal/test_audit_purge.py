"""Purging the audit in every journal: what is left still holds, and what else goes is found all the same."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from giftcard_gateway.audit import trail
from giftcard_gateway.audit.purge import AuditBroken, purge, rows_of
from giftcard_gateway.audit.records import AUDIT_PURGED, AuditRecord, Head, chained, exported, record_of
from giftcard_gateway.audit.verify import Checked, verify
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.journal.contract import Journal, JournalClosed
from giftcard_gateway.journal.notes import AuditRow
from giftcard_gateway.seal import KEY_BYTES, Seal
from tests.journal.places import File, Place
from tests.journal.test_audit import everything
from tests.journal.test_audit_tampering import SEAL, tamper

START = datetime(2026, 1, 1, tzinfo=UTC)
OTHER = Seal(
    keys={"a": b"k" * KEY_BYTES}, active="a", hash_keys={"first": b"o" * KEY_BYTES}, random_bytes=bytes
)


def day(number: int) -> datetime:
    """Return the beginning of a day."""
    return START + timedelta(days=number)


def chain(name: str, days: Sequence[int], heads: dict[str, Head] | None = None) -> list[AuditRow]:
    """Return a chain with a record on each of these days, the last of which notes `heads`."""
    rows: list[AuditRow] = []
    for number, at in enumerate(days, 1):
        noted = heads if heads and number == len(days) else {}
        record = AuditRecord(at=day(at), act="Redeem", by="till", heads=noted)
        before = rows[-1].mac if rows else b""
        rows.append(chained(record, chain=name, number=number, before=before, seal=SEAL))
    return rows


def head(row: AuditRow) -> Head:
    """Return a row as others note it."""
    return Head(number=row.number, mac=row.mac.hex())


async def written(journal: Journal) -> None:
    """Write a chain that ended, one that goes on, and one that noted where both were."""
    ended, going = chain("a", [1, 2, 3]), chain("b", [1, 2, 8, 9])
    noting = chain("c", [4, 5], {"a": head(ended[2]), "b": head(going[1])})
    await journal.add_audit([*ended, *going, *noting])


async def checked(journal: Journal, **more: list[dict[str, object]]) -> Checked:
    """Check what the journal has."""
    return await verify(lambda: rows_of(journal), SEAL, **more)


async def cut(journal: Journal, before: datetime, seal: Seal = SEAL) -> int:
    """Purge as the command does."""
    record = AuditRecord(at=before, act=AUDIT_PURGED, by="ann", sign_in="command")
    return await purge(journal, seal, SystemClock(), before=before, record=record)


async def places(journal: Journal) -> list[tuple[str, int]]:
    """Return what is left of the chains that were written."""
    return [(row.chain, row.number) for row in await everything(journal) if len(row.chain) == 1]


async def test_what_is_left_holds(journal: Journal) -> None:
    """A purge takes each chain's beginning, records who cut it where, and the rest checks out."""
    await written(journal)
    kept = [exported(row) for row in await everything(journal)]
    assert await cut(journal, day(4)) == 5
    assert await places(journal) == [("b", 3), ("b", 4), ("c", 1), ("c", 2)]
    found = await checked(journal, exported=kept)
    assert (found.records, found.faults) == (5, ())
    (told,) = [record_of(row) for row in await everything(journal) if record_of(row).act == AUDIT_PURGED]
    assert (told.by, {name: at.number for name, at in told.cuts.items()}) == ("ann", {"a": 3, "b": 2})


async def test_nothing_old_is_nothing_to_do(journal: Journal) -> None:
    """A purge that finds nothing deletes nothing and records nothing."""
    await written(journal)
    before = await everything(journal)
    assert await cut(journal, day(1)) == 0
    assert await everything(journal) == before


async def test_a_younger_record_keeps_those_after_it(journal: Journal) -> None:
    """A chain is cut before its first record that stays, whatever the clock said after that."""
    await journal.add_audit(chain("a", [1, 5, 2]))
    assert await cut(journal, day(4)) == 1
    assert await places(journal) == [("a", 2), ("a", 3)]
    assert (await checked(journal)).faults == ()


@pytest.mark.parametrize(
    ("gone", "fault"),
    [
        ("DELETE FROM audit WHERE chain = 'b' AND number = 3", ("b", 3)),
        ("DELETE FROM audit WHERE chain = 'b' AND number = 4", None),
        ("DELETE FROM audit WHERE chain = 'c' AND number = 1", ("c", 1)),
        ("DELETE FROM audit WHERE chain > 'c' OR chain < 'a'", ("b", 1)),
    ],
)
async def test_a_record_taken_out_after_a_purge_is_found(
    place: Place, journal: Journal, gone: str, fault: tuple[str, int] | None
) -> None:
    """The first that was left, one in the middle, or the purge's own record: each that goes is missed."""
    await written(journal)
    await cut(journal, day(4))
    kept = [exported(row) for row in await everything(journal)]
    await tamper(place, gone, is_guarded=False)
    # A chain's end is known to who noted it, here to an export.
    faults = (await checked(journal, exported=[] if fault else kept)).faults
    assert (faults[0].chain, faults[0].number) == (fault or ("b", 4))


async def test_a_cut_that_nobody_with_the_key_made_is_not_believed(place: Place, journal: Journal) -> None:
    """Who has the database and no key cannot take records and call it a purge."""
    await written(journal)
    rows = await everything(journal)
    forged = AuditRecord(at=day(9), act=AUDIT_PURGED, cuts={"a": head(rows[1])})
    await journal.add_audit([chained(forged, chain="0", number=1, before=b"", seal=OTHER)])
    await tamper(place, "DELETE FROM audit WHERE chain = 'a' AND number <= 2", is_guarded=False)
    faults = (await checked(journal)).faults
    assert {(one.chain, one.number) for one in faults} >= {("0", 1), ("a", 1)}


async def test_a_purge_that_stopped_is_finished_by_the_next(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a purge recorded and did not delete yet is no fault, and goes with the next one."""
    await written(journal)
    deleting = journal.purge_audit

    async def stops(chain: str, *, until: int, limit: int) -> int:
        if chain != "a" or limit == 1:
            raise JournalClosed
        await deleting(chain, until=until, limit=1)
        raise JournalClosed

    monkeypatch.setattr(journal, "purge_audit", stops)
    with pytest.raises(JournalClosed):
        await cut(journal, day(4))
    assert len(await places(journal)) == 8
    found = await checked(journal)
    assert (found.faults, found.leftovers) == ((), 4)
    monkeypatch.undo()
    assert await cut(journal, day(4)) == 4
    assert await places(journal) == [("b", 3), ("b", 4), ("c", 1), ("c", 2)]
    found = await checked(journal)
    assert (found.faults, found.leftovers) == ((), 0)


async def test_what_is_put_into_a_chain_that_is_gone_goes_too(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes back of a chain that was purged whole goes, also where no newer chain has noted that one."""
    monkeypatch.setattr(trail, "_HEADS", 0)
    (only,) = chain("z", [1])
    await journal.add_audit([only])
    assert await cut(journal, day(4)) == 1
    await journal.add_audit([only])
    assert (await checked(journal)).leftovers == 1
    assert await cut(journal, day(4)) == 1
    assert await places(journal) == []


@pytest.mark.parametrize(("name", "number"), [("a", 2), ("b", 1)])
@pytest.mark.parametrize("is_damaged", [False, True])
async def test_what_is_put_below_a_cut_is_told_and_goes(
    journal: Journal, name: str, number: int, *, is_damaged: bool
) -> None:
    """A record where a purge was proves nothing: it is counted, and the next purge deletes it unread."""
    await written(journal)
    await cut(journal, day(4))
    (forged,) = (row for row in chain(name, [1, 2, 3]) if row.number == number)
    await journal.add_audit([replace(forged, document=b"\xff") if is_damaged else forged])
    found = await checked(journal)
    assert (found.faults, found.leftovers) == ((), 1)
    assert await cut(journal, day(4)) == 1
    assert (await checked(journal)).leftovers == 0


async def test_the_guard_is_up_again_whatever_happens(
    place: Place, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A purge that fails in the database lets nobody delete afterwards, and does not stop the next."""
    await written(journal)
    name = "sqlite.audit._PURGE" if isinstance(place, File) else "postgres.audit.PURGE_AUDIT"
    monkeypatch.setattr(f"giftcard_gateway.journal.{name}", "DELETE FROM nowhere")
    with pytest.raises(Exception, match=r"nowhere|argument"):
        await journal.purge_audit("a", until=2, limit=9)
    monkeypatch.undo()
    with pytest.raises(Exception, match="never"):
        await place.execute("DELETE FROM audit WHERE chain = 'a' AND number = 1")
    assert await journal.purge_audit("a", until=2, limit=9) == 2
    with pytest.raises(Exception, match="never"):
        await place.execute("DELETE FROM audit WHERE chain = 'a'")
    assert await places(journal) == [("a", 3), ("b", 1), ("b", 2), ("b", 3), ("b", 4), ("c", 1), ("c", 2)]


async def test_cuts_outlive_the_records_that_told_them(journal: Journal) -> None:
    """A later purge that takes an earlier one's record tells again where what is left was cut."""
    await written(journal)
    await cut(journal, day(4))
    # The record of a purge is made when it is made; the next one comes when it is old.
    assert await cut(journal, day(9)) == 4
    assert await places(journal) == [("b", 4)]
    assert (await checked(journal)).faults == ()
    assert len([row for row in await everything(journal) if record_of(row).act == AUDIT_PURGED]) == 1


async def test_nothing_is_purged_of_an_audit_that_does_not_hold(place: Place, journal: Journal) -> None:
    """Where a record is missing a purge would hide it, so it is refused and deletes nothing."""
    await written(journal)
    await tamper(place, "DELETE FROM audit WHERE chain = 'a' AND number = 2", is_guarded=False)
    with pytest.raises(AuditBroken, match="nothing was purged"):
        await cut(journal, day(4))
    assert len(await everything(journal)) == 8


async def test_a_reader_goes_on_where_it_stopped(journal: Journal) -> None:
    """After what is known come the new records of old chains and whole new chains, each once."""
    await written(journal)
    known = {"a": 3, "b": 2}
    assert [(row.chain, row.number) async for row in rows_of(journal, known)] == [
        ("b", 3),
        ("b", 4),
        ("c", 1),
        ("c", 2),
    ]
    assert [row async for row in rows_of(journal, {"a": 9, "b": 9, "c": 9})] == []
