"""What one process writes to its audit, when it stops and when the journal is away."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from giftcard_gateway.audit.records import AuditRecord, record_of
from giftcard_gateway.audit.trail import Trail
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.journal.contract import Journal
from giftcard_gateway.journal.notes import AuditRow
from tests.gateway.audit.test_verify import seal
from tests.gateway.services.served import serve
from tests.world.journal import InlineSqlite

AT = datetime(2026, 11, 28, tzinfo=UTC)


async def started() -> tuple[Journal, Trail]:
    """Return a chain in memory that has begun, and its journal."""
    journal = InlineSqlite(":memory:")
    await journal.start()
    trail = Trail(journal, seal(), SystemClock(), name="till")
    await trail.start()
    return journal, trail


async def test_stopping_writes_what_waits() -> None:
    """A process that stops at once after an act, and with refusals still counted, leaves both behind."""
    journal, trail = await started()
    trail.tell(AuditRecord(at=AT, act="Redeem"))
    for _ in range(3):
        trail.refused(AuditRecord(at=AT, act="refused", by="till", about="Void", reason="SCOPE_MISSING"))
    await trail.close()
    kept = [record_of(row) for row in await journal.audit(after=("", 0), limit=10)]
    assert [(one.act, one.count) for one in kept] == [("began", 1), ("Redeem", 1), ("refused", 3)]
    await journal.close()


async def test_a_flood_of_refusals_is_bounded() -> None:
    """Refusals of any number of kinds in one window make a bounded number of records, all counted."""
    journal, trail = await started()
    for number in range(5000):
        trail.refused(
            AuditRecord(at=AT, act="refused", by=f"stranger-{number}", reason="CREDENTIALS_INVALID")
        )
    await trail.close()
    kept = [record_of(row) for row in await journal.audit(after=("", 0), limit=9999)][1:]
    assert len(kept) == 1001
    assert sum(one.count for one in kept) == 5000
    await journal.close()


async def test_what_finds_no_room_is_counted_in_the_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the journal is away records wait up to a bound; the next one says how many were lost."""
    journal, trail = await started()
    await trail.close()
    monkeypatch.setattr("giftcard_gateway.audit.trail._MOST", 2)
    for _ in range(5):
        trail.tell(AuditRecord(at=AT, act="Redeem"))
    await trail.close()
    await trail.told(trail.tell(AuditRecord(at=AT, act="Void")))
    kept = [record_of(row) for row in await journal.audit(after=("", 0), limit=10)]
    assert [(one.act, one.count) for one in kept] == [
        ("began", 1),
        ("Redeem", 1),
        ("Redeem", 1),
        ("lost", 3),
        ("Void", 1),
    ]
    await journal.close()


async def test_a_record_that_cannot_be_written_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that no database takes is lost and counted; those after it are written."""
    journal, trail = await started()
    await trail.close()
    add = journal.add_audit

    async def choosy(rows: Sequence[AuditRow], *, rides: bool) -> None:
        if any(record_of(row).act == "Poison" for row in rows):
            raise ValueError("not this one")
        await add(rows, rides=rides)

    monkeypatch.setattr(journal, "add_audit", choosy)
    await trail.told(trail.tell(AuditRecord(at=AT, act="Poison")))
    await trail.told(trail.tell(AuditRecord(at=AT, act="Void")))
    kept = [record_of(row) for row in await journal.audit(after=("", 0), limit=10)]
    assert [(one.act, one.count) for one in kept] == [("began", 1), ("lost", 1), ("Void", 1)]
    assert trail.lost == 1
    await journal.close()


async def test_only_what_nobody_waits_for_rides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records may wait for a write to go with where all of them may; the next ones are judged anew."""
    journal, trail = await started()
    await trail.close()
    rode = heard_riding(journal, monkeypatch)
    for told in ([True], [True, False], [True, True], [False]):
        done = [trail.tell(AuditRecord(at=AT, act="Redeem"), rides=rides) for rides in told]
        for one in done:
            await trail.told(one)
    assert rode == [True, False, True, False]
    await journal.close()


async def test_the_record_of_a_call_rides_with_its_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a money call tells the audit waits for the row that the call writes."""
    async with serve() as served:
        rode = heard_riding(served.app.journal, monkeypatch)
        await served.redeem()
        assert rode == [True]


def heard_riding(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Return a list that gets, for each batch of records to come, whether it may wait for a write."""
    rode, add = list[bool](), journal.add_audit

    async def adding(rows: Sequence[AuditRow], *, rides: bool = False) -> None:
        rode.append(rides)
        await add(rows, rides=rides)

    monkeypatch.setattr(journal, "add_audit", adding)
    return rode
