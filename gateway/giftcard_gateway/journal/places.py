"""What the sealed documents of the journal's tables are bound to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from giftcard_gateway.journal.microseconds import to_us
from giftcard_gateway.seal import Place

if TYPE_CHECKING:
    from giftcard_gateway.journal.contract import EventRow, Row


def place_of(row: Row) -> Place:
    """Return a transaction's place: what its columns say that a claim leaves alone, and the counts of both.

    The provider is not in it: an issue that goes to the provider that stands in keeps its first one's column.
    """
    return Place(
        table="transactions",
        row=row.transaction_id,
        tenant=row.tenant,
        columns=(row.operation, row.state, to_us(row.created_at), to_us(row.updated_at)),
        version=row.version,
        fence=row.fence,
    )


def place_of_event(row: EventRow) -> Place:
    """Return an event's place; its document is written once."""
    return Place(
        table="events",
        row=f"event/{row.provider}/{row.event_id}",
        columns=(row.name, to_us(row.received_at)),
    )
