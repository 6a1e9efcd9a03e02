"""Rows and events for the journal's tests: plain, plausible, and different each time."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from giftcard_gateway.journal.contract import Change, EventRow, Journal, Row
from giftcard_gateway.journal.rows import OPEN_STATES

NOW = datetime(2026, 9, 21, 13, 46, 40, tzinfo=UTC)
LEASE = timedelta(seconds=30)
MICROSECOND = timedelta(microseconds=1)

_numbers = itertools.count()


def at(microseconds: int) -> datetime:
    """Return the time so many microseconds after NOW."""
    return NOW + microseconds * MICROSECOND


def row(**differing: object) -> Row:
    """Make a row as a pipeline writes it first: PENDING, driven, due when its lease ends."""
    number = next(_numbers)
    created_at = differing.pop("created_at", at(number))
    assert isinstance(created_at, datetime)
    plain = Row(
        transaction_id=str(uuid.uuid4()),
        operation="REDEEM",
        provider="spar-za",
        state="PENDING",
        created_at=created_at,
        updated_at=created_at,
        due_at=created_at + LEASE,
        driver="here",
        version=1,
        fence=1,
        document=f"sealed {number}".encode() * 40,
    )
    return msgspec.structs.replace(plain, **differing)


def after(before: Row, state: str, **differing: object) -> Row:
    """Make what follows a row: one version on, in another state, in nobody's hand."""
    following = {
        "state": state,
        "version": before.version + 1,
        "updated_at": before.updated_at + MICROSECOND,
        "due_at": None,
        "driver": "",
        "document": uuid.uuid4().bytes,
        "blind_indexes": (),
        "are_all_indexes": False,
    }
    return msgspec.structs.replace(before, **(following | differing))


def bare(found: Row) -> Row:
    """Return a row as it is read back: without blind indexes."""
    return msgspec.structs.replace(found, blind_indexes=())


def event(**differing: object) -> EventRow:
    """Make a webhook event."""
    number = next(_numbers)
    plain = EventRow(
        provider="spar-za",
        event_id=f"event-{number}",
        name="card.redeemed",
        received_at=at(number),
        document=f"sealed event {number}".encode(),
    )
    return msgspec.structs.replace(plain, **differing)


def ids(rows: Iterable[Row | Change]) -> list[str]:
    """Return the transaction ids, in order."""
    return [each.transaction_id for each in rows]


async def opened(journal: Journal, *rows: Row) -> tuple[Row, ...]:
    """Open rows and return them."""
    for each in rows:
        assert await journal.open(each) is None
    return rows


async def claim(
    journal: Journal, *, now: datetime, lease_until: datetime, driver: str, limit: int
) -> Sequence[Row]:
    """Claim for the provider of these samples, whatever the state."""
    return await journal.claim(
        now=now,
        lease_until=lease_until,
        driver=driver,
        limit=limit,
        provider="spar-za",
        states=OPEN_STATES,
    )
