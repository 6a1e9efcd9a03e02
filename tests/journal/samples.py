"""Rows and events for the journal's tests: plain, plausible, and different each time."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterable

import msgspec

from giftcard_gateway.journal.contract import Change, EventRow, Journal, Row

NOW_US = 1_790_000_000_000_000
LEASE_US = 30_000_000

_numbers = itertools.count()


def row(**differing: object) -> Row:
    """Make a row as a pipeline writes it first: PENDING, driven, due when its lease ends."""
    number = next(_numbers)
    created_us = differing.pop("created_us", NOW_US + number)
    assert isinstance(created_us, int)
    plain = Row(
        transaction_id=str(uuid.uuid4()),
        operation="redeem",
        provider="spar-za",
        state="PENDING",
        created_us=created_us,
        updated_us=created_us,
        due_us=created_us + LEASE_US,
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
        "updated_us": before.updated_us + 1,
        "due_us": None,
        "driver": "",
        "document": uuid.uuid4().bytes,
        "blind_indexes": (),
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
        received_us=NOW_US + number,
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
