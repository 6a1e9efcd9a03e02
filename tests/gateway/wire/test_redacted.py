"""The contract marks what is secret with `debug_redact`, so that printers of every language leave it out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from google.protobuf.descriptor import FieldDescriptor

from giftcard import v1
from giftcard_adapters.values.outcomes import IssuedCard
from giftcard_gateway.wire.cards import card_from, issued_to
from tests.gateway.wire.full import full

TEXT = "4045000000000061"
FORMED = {"track": f";{TEXT}=30121010000000000000?", "expiry": "3012", "account_number": TEXT[:12]}
"""What is set in fields whose form matters when they are read."""

OTHERS = {v1.EncryptedPin.DESCRIPTOR: "block", v1.HashedPin.DESCRIPTOR: "digest"}
"""What must be set besides."""


def is_marked(field: FieldDescriptor) -> bool:
    """Tell whether printers are asked to leave a field out."""
    return bool(field.GetOptions().debug_redact)


def named_by(*path: FieldDescriptor) -> v1.Card:
    """Return a card in which one text field is set."""
    card = v1.Card()
    inside = card
    for field in path[:-1]:
        inside = getattr(inside, field.name)
    if path[-1].containing_type in OTHERS:
        setattr(inside, OTHERS[path[-1].containing_type], "00")
    setattr(inside, path[-1].name, FORMED.get(path[-1].name, TEXT))
    return card


def ways(*path: FieldDescriptor) -> Iterator[tuple[FieldDescriptor, ...]]:
    """Yield the way to every text field of a card."""
    kind = path[-1].message_type if path else v1.Card.DESCRIPTOR
    assert kind is not None
    for field in kind.fields:
        if field.message_type is not None:
            yield from ways(*path, field)
        elif field.type == FieldDescriptor.TYPE_STRING:
            yield (*path, field)


@pytest.mark.parametrize("way", list(ways()), ids=lambda way: ".".join(field.name for field in way))
def test_what_names_a_card_is_marked(way: tuple[FieldDescriptor, ...]) -> None:
    """A field of Card is marked if, and only if, the gateway itself keeps it from its own logs."""
    told = repr(card_from(named_by(*way)))
    assert is_marked(way[-1]) == (FORMED.get(way[-1].name, TEXT) not in told)


def test_what_an_issued_card_keeps_is_marked() -> None:
    """A field of IssuedCard is marked if, and only if, it is left empty for those who may not see secrets."""
    card = full(IssuedCard)
    shown, kept = (
        {field.name for field, _ in issued_to(card, reveal=see).ListFields()} for see in (True, False)
    )
    marked = {field.name for field in v1.IssuedCard.DESCRIPTOR.fields if is_marked(field)}
    assert marked == shown - kept
    assert len(marked) == 5
