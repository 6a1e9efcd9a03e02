"""What a transaction that has ended need not keep: PINs, the bytes of its advice, in time its card numbers.

A PIN is of use only while the request, or an advice, may still have to be sent. Afterwards it would only wait
for a thief, so the last write of a transaction leaves it out, also where the provider's words echo it; what
the database has of earlier writes goes with them. A number or code finds the card's history and shows an
issue again to who issued, so it stays for a time that the operator sets; then how it is shown and a keyed
hash are left of it, and it stands in no text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from giftcard_adapters.scrub import holds, without
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.outcomes import IssuedCard
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.ledger.card_secrets import issued_in, pins_of, secrets_of
from giftcard_gateway.ledger.entry import FINAL, Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from giftcard_adapters.values.cards import ErasedCard
    from giftcard_adapters.values.operations import AnyOperation
    from giftcard_adapters.values.outcomes import Outcome
    from giftcard_adapters.values.reads import ProviderEvent

Remains: TypeAlias = "Callable[[CardRef], ErasedCard]"
"""Tells what is left of a card that is named by a number or a redemption key."""

_SECRETS = ("number", "pin", "redemption_key", "redemption_url", "barcode")
_TEXTS = ("outcome", "evidence", "refusal", "changes", "tried")
"""Where in an entry the provider's words are. In a caller's own words its cards' numbers are refused."""


def erased(entry: Entry) -> Entry:
    """Return what is kept of an entry from its last write on: all of it until it is final."""
    if entry.state not in FINAL or entry.ask is None:
        return entry
    ask = without_pins(entry.ask)
    if ask is entry.ask:
        return msgspec.structs.replace(entry, calls=())
    texts = _texts_without(entry, pins_of(entry.ask.cards))
    return msgspec.structs.replace(entry, **texts, ask=ask, are_pins_erased=True, calls=())


def _texts_without(entry: Entry, secrets: Sequence[Secret]) -> dict[str, Any]:
    """Return what the provider said, by the entry's fields, with the secrets masked."""
    return {name: _masked(getattr(entry, name), secrets) for name in _TEXTS}


def without_pins(ask: AnyOperation) -> AnyOperation:
    """Return a request as it was asked but for the PINs of its cards; the very same if it has none."""
    return _with_cards(
        ask, lambda card: card if card.pin is None else msgspec.structs.replace(card, pin=None)
    )


def without_numbers(ask: AnyOperation, remains: Remains) -> AnyOperation:
    """Return a request as it was asked but for the numbers and redemption keys of its cards."""

    def change(card: CardRef) -> CardRef:
        if not is_numbered(card):
            return card
        return msgspec.structs.replace(card, number=None, redemption_key=None, erased=remains(card))

    return _with_cards(ask, change)


def _with_cards(ask: AnyOperation, change: Callable[[CardRef], CardRef]) -> AnyOperation:
    """Return a request with each of its cards changed; the very same if none is."""
    values = {name: getattr(ask, name) for name in ask.__struct_fields__}
    cards = {
        name: changed
        for name, value in values.items()
        if isinstance(value, CardRef) and (changed := change(value)) is not value
    }
    return msgspec.structs.replace(ask, **cards) if cards else ask


def has_numbers(entry: Entry) -> bool:
    """Tell whether there is anything in an entry that `without_card_data` would erase."""
    asked = entry.ask.cards if entry.ask else ()
    return any(map(is_numbered, asked)) or has_issued(entry.outcome)


def has_issued(outcome: Outcome | None) -> bool:
    """Tell whether an outcome has secrets of cards that it made."""
    return outcome is not None and any(True for card in outcome.issued_cards for _ in _secrets_of(card))


def without_card_data(entry: Entry, remains: Remains, at: datetime) -> Entry:
    """Return a final entry without numbers, codes and secrets of its cards; raise ValueError for another."""
    if entry.state not in FINAL:
        raise ValueError("what is not final may still need its card's number")
    asked = entry.ask.cards if entry.ask else ()
    texts = _texts_without(entry, secrets_of([*asked, *issued_in(entry.outcome)]))
    texts["outcome"] = _without_issued(texts["outcome"], remains)
    ask = None if entry.ask is None else without_numbers(entry.ask, remains)
    return msgspec.structs.replace(erased(entry), **texts, ask=ask, numbers_erased_at=at)


def event_without_card_data(event: ProviderEvent, remains: Remains, transaction_id: str) -> ProviderEvent:
    """Return an event without its secrets and those of cards it tells of.

    Its transaction, where one is known, is named instead of the card it was found by.
    """
    secrets = secrets_of(
        [
            *(CardRef(redemption_key=one) for one in event.secrets.values()),
            *issued_in(event.outcome),
        ]
    )
    return msgspec.structs.replace(
        event,
        transaction_id=transaction_id or event.transaction_id,
        references=_masked(event.references, secrets),
        attributes=_masked(event.attributes, secrets),
        outcome=_without_issued(_masked(event.outcome, secrets), remains),
        secrets={},
    )


def is_numbered(card: CardRef) -> bool:
    """Tell whether a card is named by a number or a redemption key."""
    return card.number is not None or card.redemption_key is not None


def _secrets_of(card: IssuedCard) -> Iterator[Secret]:
    return (secret for name in _SECRETS if (secret := getattr(card, name)) is not None)


def _without_issued(outcome: Outcome | None, remains: Remains) -> Outcome | None:
    if outcome is None:
        return None
    return msgspec.structs.replace(
        outcome, issued_cards=tuple(_without_secrets(card, remains) for card in outcome.issued_cards)
    )


def _without_secrets(card: IssuedCard, remains: Remains) -> IssuedCard:
    named = CardRef(number=card.number, redemption_key=card.redemption_key)
    left = remains(named) if is_numbered(named) else card.erased
    return msgspec.structs.replace(card, **dict.fromkeys(_SECRETS), erased=left)


def _masked(value: Any, secrets: Sequence[Secret]) -> Any:  # noqa: ANN401 - values of every type, as they came
    """Return a value with the secrets masked in every text within it."""
    if type(value) is str:
        return without(value, *(secret for secret in secrets if holds(value, secret)))
    if isinstance(value, msgspec.Struct):
        changed = {name: _masked(getattr(value, name), secrets) for name in value.__struct_fields__}
        return msgspec.structs.replace(value, **changed)
    if isinstance(value, tuple):
        return tuple(_masked(one, secrets) for one in value)
    if isinstance(value, dict):
        return {key: _masked(one, secrets) for key, one in value.items()}
    return value
