"""A card's number, PIN or code has one place in a request; in any other field it is refused (rule 16).

Free text is stored with less care than a card, told in lists and passed on to providers. What a
provider echoes is masked instead: the caller cannot help it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from google.api.field_info_pb2 import FieldInfo, field_info
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from giftcard.v1 import Card, CardNumber, SwipedCard
from giftcard_adapters.scrub import folded, holds, without
from giftcard_adapters.values.cards import CardRef, ClearPin, EncryptedPin, HashedPin, Pin
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.ledger.card_secrets import LONG, secrets_of, text_of
from giftcard_gateway.wire.tracks import read_track

FOUND = "must not hold the number, PIN or code of the request's own card"

_CODES = frozenset({
    "barcode",
    "basket_id",
    "category_code",
    "country",
    "phone",
    "postal_code",
    "product_id",
    "system_trace_number",
})  # fmt: skip
"""Fields whose contents are short codes of their own: a PIN of four digits equals one by chance."""


def _may_hold(message: Message, cards: Iterable[CardRef], named: Sequence[Card] = ()) -> bool:
    """Tell whether a message may have a secret of the cards in it outside of those that it names itself.

    All of it is looked at as one text, protobuf's own, which leaves no field out. Nearly no message has a
    secret in it, and that is found out in a moment. Where one may, each text is looked at by itself.
    """
    whole = str(message)
    if "\\" in whole or "%" in whole or "&" in whole or "<" in whole:
        # Something is quoted, percent-encoded or HTML, and stands for another text.
        return True
    spelled = folded(whole)
    for one in named:
        # Only once: who has the same card in another place has it there still.
        spelled = spelled.replace(folded(str(one)), " ", 1)
    for card in cards:
        for secret in (card.number, card.redemption_key, text_of(card.pin) if card.pin else None):
            if secret is not None and (wanted := folded(secret.reveal())) and wanted in spelled:
                return True
    return False


def misplaced(request: Message) -> list[tuple[str, str]]:
    """Return a violation for every field of a request that has a secret of the request's own cards in it."""
    named = [card for field, card in request.ListFields() if field.message_type is Card.DESCRIPTOR]
    return [(path, FOUND) for path in places_of(request, [*map(_named, named)], named)]


def places_of(message: Message, cards: Sequence[CardRef], named: Sequence[Card] = ()) -> list[str]:
    """Return the paths of the fields that have a secret of the cards in them, each once.

    Fields for cards are left out; `named` are those that the message itself has.
    """
    if not _may_hold(message, cards, named):
        return []
    secrets = secrets_of(cards)
    long = [secret for secret in secrets if len(secret.reveal()) >= LONG]
    found = (
        path
        for path, name, text in _texts(message)
        if any(holds(text, secret) for secret in (long if name in _CODES else secrets))
    )
    return list(dict.fromkeys(found))


def _named(card: Card) -> CardRef:
    """Return the secrets of a card that was not validated yet."""
    number: CardNumber | SwipedCard = card.number
    pan = card.number.pan
    if card.HasField("swipe"):
        number = card.swipe
        pan = (read_track(card.swipe.track) or ("", ""))[0]
    return CardRef(
        number=Secret(pan),
        redemption_key=Secret(card.redemption_key) if card.redemption_key else None,
        pin=_pin_named(number),
    )


def _pin_named(number: CardNumber | SwipedCard) -> Pin | None:
    if pin := number.clear_pin:
        return ClearPin(pin=Secret(pin))
    if block := number.encrypted_pin.block:
        return EncryptedPin(block=Secret(block))
    digest = number.hashed_pin.digest
    return HashedPin(digest=Secret(digest)) if digest else None


def mask_echoes(message: Message, cards: Sequence[CardRef]) -> None:
    """Mask the secrets of cards wherever they stand in the texts of an answer, the keys of maps apart."""
    if cards and _may_hold(message, cards) and (secrets := secrets_of(cards)):
        _mask_all(message, secrets)


def _mask_all(message: Message, secrets: Sequence[Secret]) -> None:
    for field, value in message.ListFields():
        if field.message_type is None:
            if field.type == FieldDescriptor.TYPE_STRING and not _is_uuid(field):
                _mask(message, field, value, secrets)
        elif _is_map(field):
            if field.message_type.fields_by_name["value"].type == FieldDescriptor.TYPE_STRING:
                # A map that is written while it is walked may pass over a key.
                for key in tuple(value):
                    value[key] = _masked(value[key], secrets)
        elif field.is_repeated:
            for item in value:
                _mask_all(item, secrets)
        else:
            _mask_all(value, secrets)


def _mask(message: Message, field: FieldDescriptor, value: Any, secrets: Sequence[Secret]) -> None:  # noqa: ANN401 - one text or many
    if field.is_repeated:
        value[:] = [_masked(text, secrets) for text in value]
    else:
        setattr(message, field.name, _masked(value, secrets))


def _masked(text: str, secrets: Sequence[Secret]) -> str:
    return without(text, *(secret for secret in secrets if holds(text, secret)))


@cache
def names_cards(message: Descriptor) -> bool:
    """Tell whether a message has fields for cards."""
    return any(field.message_type is Card.DESCRIPTOR for field in message.fields)


def _texts(message: Message, path: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield path, field name and text of every text outside of cards; a map's keys are texts too."""
    for field, value in message.ListFields():
        here, name = f"{path}.{field.name}", field.name
        if field.message_type is Card.DESCRIPTOR:
            continue
        if field.message_type is None:
            if field.type == FieldDescriptor.TYPE_STRING and not _is_uuid(field):
                yield from ((here, name, text) for text in (value if field.is_repeated else (value,)))
        elif _is_map(field):
            texts = (text for pair in value.items() for text in pair if isinstance(text, str))
            yield from ((here, name, text) for text in texts)
        elif field.is_repeated:
            for place, item in enumerate(value):
                yield from _texts(item, f"{here}[{place}]")
        else:
            yield from _texts(value, here)


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


@cache
def _is_uuid(field: FieldDescriptor) -> bool:
    info: Any = field_info
    return bool(field.GetOptions().Extensions[info].format == FieldInfo.Format.UUID4)
