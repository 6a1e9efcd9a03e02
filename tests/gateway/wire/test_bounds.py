"""Every text, list and map of a request has a bound in the contract, and is counted before it is walked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError

from giftcard import v1
from giftcard_gateway.services import described
from giftcard_gateway.wire.bounds import TooMany, bound_of, is_map, read
from giftcard_gateway.wire.validation import MOST, validator

_TEXTS = {FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES}


def fields_of(message: Descriptor, seen: set[str]) -> Iterator[FieldDescriptor]:
    """Yield every field of ours that a request can hold."""
    if message.full_name in seen or not message.full_name.startswith("giftcard.v1."):
        return
    seen.add(message.full_name)
    for field in message.fields:
        yield field
        if field.message_type is not None and not is_map(field):
            yield from fields_of(field.message_type, seen)


REQUESTS = [method.input_type for service in described() for method in service.methods]
FIELDS = [field for seen in [set[str]()] for kind in REQUESTS for field in fields_of(kind, seen)]


def test_every_list_and_map_has_a_bound() -> None:
    """No list or map of a request may grow without end."""
    assert len(FIELDS) > 100
    assert [field.full_name for field in FIELDS if field.is_repeated and not bound_of(field).items] == []


def test_every_text_has_a_bound() -> None:
    """No text of a request may grow without end, nor a map's keys and values."""
    texts = [field for field in FIELDS if field.type in _TEXTS or is_map(field)]
    assert [field.full_name for field in texts if not bound_of(field).length] == []
    assert [field.full_name for field in texts if is_map(field) and not bound_of(field).key_length] == []


def test_bounds_stand_on_what_can_be_counted() -> None:
    """A number or a single message has no bound: it would say nothing."""
    plain = [field for field in FIELDS if field.type not in _TEXTS and not field.is_repeated]
    assert [field.full_name for field in plain if bound_of(field).ByteSize()] == []


def test_a_large_request_is_counted_in_its_bytes() -> None:
    """Half a million empty items are refused by their number, and no object is made of them."""
    with pytest.raises(TooMany) as raised:
        read(v1.BatchBalanceRequest, b"\x0a\x00" * 500_000)
    assert (raised.value.path, raised.value.fault) == ("requests", "must have at most 100 items")


def test_counting_goes_into_messages() -> None:
    """A list inside a message of a list is counted as well, and told by its place."""
    request = v1.RedeemRequest()
    for _ in range(501):
        request.basket.items.add(name="n" * 40)
    with pytest.raises(TooMany) as raised:
        read(v1.RedeemRequest, request.SerializeToString())
    assert raised.value.path == "basket.items"


def test_packed_numbers_are_counted() -> None:
    """Numbers that share one field on the wire are as many as they are."""
    wanted = v1.ListTransactionsRequest()
    wanted.filter.states.extend([v1.TransactionState.TRANSACTION_STATE_APPROVED] * 20_000)
    with pytest.raises(TooMany) as raised:
        read(v1.ListTransactionsRequest, wanted.SerializeToString())
    assert raised.value.path == "filter.states"


def test_fields_nobody_knows_are_counted() -> None:
    """A request of nothing but fields that the contract does not have ends at 20,000 of them."""
    with pytest.raises(TooMany) as raised:
        read(v1.RedeemRequest, b"\xf8\x3f\x01" * 100_000)
    assert raised.value.fault == "must have at most 20000 fields in all"


@pytest.mark.parametrize(
    "encoded",
    [b"\xff" * 20_000, b"\x0a\xff\xff\x7f" + bytes(20_000), b"\x0f" * 20_000, b"\x08" + b"\x80" * 20_000],
)
def test_what_cannot_be_counted_is_no_message(encoded: bytes) -> None:
    """Bytes that are no message are called so, however many they are."""
    with pytest.raises(DecodeError):
        read(v1.RedeemRequest, encoded)


def test_a_large_good_request_is_read() -> None:
    """A batch of a hundred full requests is counted and read as it is."""
    request = v1.BatchBalanceRequest()
    for _ in range(100):
        one = request.requests.add(provider="shop")
        one.card.number.pan = "6" * 16
        one.point_of_sale.merchant.merchant_id = "m" * 100
        one.point_of_sale.terminal_id = "t" * 100
    assert read(v1.BatchBalanceRequest, request.SerializeToString()) == request


def test_a_long_list_is_not_walked() -> None:
    """Of a list that is too long only its length is told, whatever its items are."""
    request = v1.BatchBalanceRequest()
    for _ in range(101):
        request.requests.add()
    assert validator(request.DESCRIPTOR)(request) == [("requests", "must have at most 100 items")]


def test_a_validator_stops() -> None:
    """After sixty faults nobody looks any further."""
    request = v1.BatchBalanceRequest()
    for _ in range(100):
        request.requests.add().card.number.expiry = "13"
    assert len(validator(request.DESCRIPTOR)(request)) == MOST
