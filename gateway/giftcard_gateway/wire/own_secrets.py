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
from google.type.money_pb2 import Money

from giftcard.v1 import Card, CardNumber, SwipedCard
from giftcard_adapters.scrub import folded, holds, without
from giftcard_adapters.values.cards import CardRef, ClearPin, EncryptedPin, HashedPin
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.wire.tracks import read_track

FOUND = "must not hold the number, PIN or code of the request's own card"

_LONG = 8
"""Characters of the shortest number or code that is looked for; fewer are found in other ids by chance."""
_PIN = 4
"""Digits of the shortest PIN that is looked for."""
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


def own_secrets(cards: Iterable[CardRef]) -> tuple[Secret, ...]:
    """Return what must be found nowhere but in the cards themselves."""
    return tuple(secret for card in cards for secret in _secrets(card))


def _secrets(card: CardRef) -> Iterator[Secret]:
    yield from _long_enough(_LONG, card.number, card.redemption_key)
    match card.pin:
        case ClearPin(pin=pin):
            yield from _long_enough(_PIN if folded(pin.reveal()).isdecimal() else _LONG, pin)
        case EncryptedPin(block=secret) | HashedPin(digest=secret):
            yield from _long_enough(_LONG, secret)


def _long_enough(least: int, *secrets: Secret | None) -> Iterator[Secret]:
    return (secret for secret in secrets if secret is not None and len(folded(secret.reveal())) >= least)


class _Kinds(dict[FieldDescriptor, str]):
    """What there is to look at in a field, found out once: a text, texts, a map, a message, or messages."""

    def __init__(self, without: str) -> None:
        """Look into everything but messages of one name."""
        super().__init__()
        self._without = without

    def __missing__(self, field: FieldDescriptor) -> str:
        self[field] = kind = self._kind(field)
        return kind

    def _kind(self, field: FieldDescriptor) -> str:
        if field.message_type is None:
            is_text = field.type == FieldDescriptor.TYPE_STRING and not _is_uuid(field)
            return ("texts" if field.is_repeated else "text") if is_text else ""
        if _is_map(field):
            return "map"
        if field.message_type.full_name == self._without or not self._has_texts(field.message_type, set()):
            return ""
        return "messages" if field.is_repeated else "message"

    def _has_texts(self, message: Descriptor, seen: set[Descriptor]) -> bool:
        seen.add(message)
        return any(
            field.message_type not in seen and self._has_texts(field.message_type, seen)
            if field.message_type is not None
            else field.type == FieldDescriptor.TYPE_STRING
            for field in message.fields
        )


_ASKED = _Kinds(without=Card.DESCRIPTOR.full_name)
_TOLD = _Kinds(without=Money.DESCRIPTOR.full_name)
"""Amounts of an answer are written by us, and their only text is a currency's code."""


def _may_hold(message: Message, secrets: Sequence[Secret], kinds: _Kinds) -> bool:
    """Tell whether a message may have one of the secrets in it, all its texts taken as one.

    Nearly none has, and that is found out in a moment. Where it may, each text is looked at by itself.
    """
    texts: list[str] = []
    _gather(message, kinds, texts)
    whole = "\n".join(texts)
    if "%" in whole or "&" in whole or "<" in whole:
        return True
    spelled = folded(whole)
    return any(folded(secret.reveal()) in spelled for secret in secrets)


def _gather(message: Message, kinds: _Kinds, into: list[str]) -> None:
    for field, value in message.ListFields():
        match kinds[field]:
            case "":
                pass
            case "text":
                into.append(value)
            case "texts":
                into += value
            case "message":
                _gather(value, kinds, into)
            case "messages":
                for item in value:
                    _gather(item, kinds, into)
            case "map":
                into += [text for pair in value.items() for text in pair if isinstance(text, str)]


def misplaced(request: Message) -> list[tuple[str, str]]:
    """Return a violation for every field of a request that has a secret of the request's own cards in it."""
    cards = [_named(card) for field, card in request.ListFields() if field.message_type is Card.DESCRIPTOR]
    secrets = own_secrets(cards)
    return [(path, FOUND) for path in places_of(request, secrets)]


def places_of(message: Message, secrets: Sequence[Secret]) -> list[str]:
    """Return the paths of the fields, cards apart, that have one of the secrets in them, each once."""
    if not secrets or not _may_hold(message, secrets, _ASKED):
        return []
    long = [secret for secret in secrets if len(secret.reveal()) >= _LONG]
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
    block, digest = number.encrypted_pin.block, number.hashed_pin.digest
    return CardRef(
        number=Secret(pan),
        redemption_key=Secret(card.redemption_key),
        pin=(EncryptedPin(block=Secret(block)) if block else None)
        or (HashedPin(digest=Secret(digest)) if digest else None)
        or ClearPin(pin=Secret(number.clear_pin)),
    )


def mask_echoes(message: Message, secrets: Sequence[Secret]) -> None:
    """Mask the secrets wherever they stand in the texts of an answer, the keys of maps apart."""
    if secrets and _may_hold(message, secrets, _TOLD):
        _mask_all(message, secrets)


def _mask_all(message: Message, secrets: Sequence[Secret]) -> None:
    for field, value in message.ListFields():
        if field.message_type is None:
            if field.type == FieldDescriptor.TYPE_STRING and not _is_uuid(field):
                _mask(message, field, value, secrets)
        elif _is_map(field):
            if field.message_type.fields_by_name["value"].type == FieldDescriptor.TYPE_STRING:
                for key in value:
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
