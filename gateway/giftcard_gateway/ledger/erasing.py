"""What a transaction that has ended need not keep: PINs in every form, and the bytes of its advice.

A PIN is of use only while the request, or an advice, may still have to be sent. Afterwards it would only wait
for a thief, so the last write of a transaction leaves it out; what the database has of earlier writes goes
with them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from giftcard_adapters.values.cards import CardRef
from giftcard_gateway.ledger.entry import FINAL, Entry

if TYPE_CHECKING:
    from giftcard_adapters.values.operations import AnyOperation


def erased(entry: Entry) -> Entry:
    """Return what is kept of an entry: all of it until it is final."""
    if entry.state not in FINAL or entry.ask is None:
        return entry
    ask = without_pins(entry.ask)
    are_erased = entry.are_pins_erased or ask is not entry.ask
    return msgspec.structs.replace(entry, ask=ask, are_pins_erased=are_erased, calls=())


def without_pins(ask: AnyOperation) -> AnyOperation:
    """Return a request as it was asked but for the PINs of its cards; the very same if it has none."""
    values = {name: getattr(ask, name) for name in ask.__struct_fields__}
    cards = {
        name: msgspec.structs.replace(value, pin=None)
        for name, value in values.items()
        if isinstance(value, CardRef) and value.pin is not None
    }
    return msgspec.structs.replace(ask, **cards) if cards else ask
