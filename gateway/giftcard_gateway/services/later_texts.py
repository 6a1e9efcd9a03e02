"""Texts of later calls about a transaction must not hold its cards' secrets either (rule 16)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol, cast

from giftcard_adapters.values.cards import CardRef
from giftcard_gateway.errors import InvalidRequest
from giftcard_gateway.wire.own_secrets import FOUND, places_of

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from giftcard_gateway.access.identities import Identity
    from giftcard_gateway.journal.records import Records
    from giftcard_gateway.ledger.entry import Entry


class _Later(Protocol):
    """A later call about a transaction."""

    transaction_id: str


async def refuse_card_data(records: Records, identity: Identity, request: _Later) -> bool:
    """Raise InvalidRequest for a text with the number, PIN or code of the transaction's cards in it.

    Returns whether there is such a transaction; of one that is not there, or that the caller may not touch,
    nothing is compared.
    """
    entry = await records.get(identity.key_of(request.transaction_id.lower()))
    if entry is not None and not identity.may_touch(entry):
        entry = None
    if entry is not None and (places := places_of(cast("Message", request), [*_cards(entry)])):
        raise InvalidRequest([(place.removeprefix("."), FOUND) for place in places])
    return entry is not None and entry.ask is not None


def _cards(entry: Entry) -> Iterator[CardRef]:
    if entry.ask is not None:
        yield from entry.ask.cards
    for card in entry.outcome.issued_cards if entry.outcome else ():
        yield CardRef(number=card.number, redemption_key=card.redemption_key)
