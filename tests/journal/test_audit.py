"""The audit in every journal: added once, never changed, read by chain, written beside who serves."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from giftcard_gateway.journal import group_commit
from giftcard_gateway.journal.contract import Journal
from giftcard_gateway.journal.notes import AuditRow
from giftcard_gateway.journal.postgres import batches
from tests.journal.places import File, Place
from tests.journal.samples import row
from tests.patience import PATIENCE_S

AT = datetime(2026, 11, 28, tzinfo=UTC)


def rows(chain: str, *numbers: int, document: bytes = b"{}") -> list[AuditRow]:
    """Return records of a chain."""
    return [
        AuditRow(
            chain=chain,
            number=number,
            at=AT + timedelta(microseconds=number),
            key_id="k",
            document=document,
            mac=b"m%d" % number,
        )
        for number in numbers
    ]


async def everything(journal: Journal, limit: int = 2) -> list[AuditRow]:
    """Return all records, page by page."""
    found: list[AuditRow] = []
    while page := await journal.audit(
        after=(found[-1].chain, found[-1].number) if found else ("", 0), limit=limit
    ):
        found += page
    return found


async def test_records_come_back_by_chain(journal: Journal) -> None:
    """Pages give every record once, chain by chain; the heads are the last of the last chains."""
    await journal.add_audit(rows("b", 1, 2, 3))
    await journal.add_audit(rows("a", 1, 2))
    assert await everything(journal) == [*rows("a", 1, 2), *rows("b", 1, 2, 3)]
    assert list(await journal.audit_heads(9)) == [*rows("b", 3), *rows("a", 2)]
    assert list(await journal.audit_heads(1)) == rows("b", 3)


async def test_an_empty_audit_has_no_heads(journal: Journal) -> None:
    """Nothing was done, and nothing is told."""
    assert list(await journal.audit_heads(9)) == []
    assert await everything(journal) == []


async def test_a_repeat_changes_nothing(journal: Journal) -> None:
    """Rows whose answer was lost are added again, and the first stay."""
    await journal.add_audit(rows("a", 1, 2))
    await journal.add_audit(rows("a", 1, 2, 3, document=b'{"other": 1}'))
    assert await everything(journal) == [*rows("a", 1, 2), *rows("a", 3, document=b'{"other": 1}')]


async def test_records_are_added_beside_a_serving_gateway(place: Place, journal: Journal) -> None:
    """A journal that was never started adds and reads records while another serves."""
    beside = place.journal()
    await asyncio.gather(beside.add_audit(rows("a", 1)), journal.add_audit(rows("b", 1)))
    assert await everything(beside) == await everything(journal) == [*rows("a", 1), *rows("b", 1)]


async def test_a_record_that_rides_is_there_when_the_next_write_is(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that waits for a write is durable with it; without one it leaves by itself."""
    await journal.add_audit(rows("a", 1), rides=True)
    for module in (group_commit, batches):
        monkeypatch.setattr(module, "RIDE_S", PATIENCE_S)
    riding = asyncio.ensure_future(journal.add_audit(rows("a", 2), rides=True))
    await asyncio.sleep(0)
    assert await journal.open(row()) is None
    assert await everything(journal) == rows("a", 1, 2)
    await riding


@pytest.mark.parametrize("conflict", ["OR REPLACE", "OR IGNORE", "OR FAIL", "OR ROLLBACK", ""])
async def test_sqlite_replaces_no_record(place: Place, journal: Journal, conflict: str) -> None:
    """REPLACE, which fires no trigger for what it takes out, is refused as every other change is."""
    if not isinstance(place, File):
        pytest.skip("PostgreSQL has no REPLACE; its ON CONFLICT DO UPDATE is an UPDATE")
    await journal.add_audit(rows("a", 1))
    columns = "chain, number, at_us, key_id, document, mac"
    other = "SELECT chain, number, at_us, key_id, mac, document FROM audit"
    with pytest.raises(Exception, match="never changed"):
        await place.execute(f"INSERT {conflict} INTO audit ({columns}) {other}")
    assert await everything(journal) == rows("a", 1)


@pytest.mark.parametrize("statement", ["UPDATE audit SET document = document", "DELETE FROM audit"])
async def test_no_statement_changes_a_record(place: Place, journal: Journal, statement: str) -> None:
    """The database itself refuses to change or delete what was recorded."""
    await journal.add_audit(rows("a", 1))
    with pytest.raises(Exception, match="never"):
        await place.execute(statement)
    assert await everything(journal) == rows("a", 1)
