"""Every field of every request reaches the value it becomes, or the service that reads it (rule 21)."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, get_args

import msgspec
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from giftcard import v1
from giftcard_adapters.codec import to_plain
from giftcard_adapters.values.cards import ClearPin, EncryptedPin, HashedPin, PinBlockFormat
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.names import names_of
from giftcard_adapters.values.operations import AnyOperation, Issue, Operation
from giftcard_adapters.values.secret import Secret
from giftcard_adapters.values.slips import SlipLine
from giftcard_gateway.wire import cards, reports
from giftcard_gateway.wire.cards import card_from
from giftcard_gateway.wire.mapping import reading
from giftcard_gateway.wire.requests import ask_from, confirmation_from, field_path, reversal_from
from tests.conftest import ROOT
from tests.gateway.wire.filled import (
    PAN,
    REQUESTS,
    UUID,
    Place,
    alter,
    fill,
    is_leaf,
    is_set,
    places,
    variants,
)

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def reader(operation: Operation) -> Callable[[Message], object]:
    """Return what reads the request of a money operation."""
    return lambda request: ask_from(operation, request, requested_at=NOW)


def timed(read: Callable[..., object]) -> Callable[[Message], object]:
    """Return what reads the request of a look-up."""
    return lambda request: read(request, lookup_id=UUID, asked_at=NOW)


READERS: dict[str, Callable[[Any], object]] = {
    **{f"{names_of(operation).rpc}Request": reader(operation) for operation in Operation},
    **{f"{names_of(operation).confirm_rpc}Request": confirmation_from for operation in Operation},
    **{f"{names_of(operation).reverse_rpc}Request": reversal_from for operation in Operation},
    "LookupRequest": timed(cards.lookup_from),
    "BalanceRequest": timed(cards.balance_from),
    "StoreCardRequest": cards.store_from,
    "ListStoredCardsRequest": cards.stored_query_from,
    "ExtractAccountsRequest": reports.account_query_from,
    "GetTicketStatisticsRequest": reports.ticket_query_from,
}
BY_THE_SERVICE = {
    "LookupRequest": ("provider",),
    "BalanceRequest": ("provider", "card"),
    "StoreCardRequest": ("provider",),
    "ListStoredCardsRequest": ("provider",),
    "ExtractAccountsRequest": ("provider",),
    "GetTicketStatisticsRequest": ("provider",),
    **{f"{names_of(operation).confirm_rpc}Request": ("transaction_id",) for operation in Operation},
    **{f"{names_of(operation).reverse_rpc}Request": ("transaction_id",) for operation in Operation},
}
"""What routes a call or names its transaction; the services read it off the request."""


@pytest.mark.parametrize("name", READERS)
def test_every_field_arrives(name: str) -> None:
    """A request with one field changed, at any depth, becomes another value: no field is dropped."""

    def is_meant(place: Place) -> bool:
        top = place.path.partition(".")[0]
        return is_leaf(place.field) and is_set(place) and top not in BY_THE_SERVICE.get(name, ())

    seen: set[str] = set()
    for variant in range(variants(REQUESTS[name])):
        whole = to_plain(READERS[name](fill(REQUESTS[name], variant)))
        paths = {place.path for place in places(fill(REQUESTS[name], variant)) if is_meant(place)}
        for path in paths - seen:
            request = fill(REQUESTS[name], variant)
            (target,) = (place for place in places(request) if place.path == path)
            alter(target)
            assert to_plain(READERS[name](request)) != whole, path
        seen |= paths
    assert seen


NOT_READ = {"settle_time": "its comment in the contract says that it is not compared"}
NUMBERS = itertools.count(1)
"""Makes the names of made-up files: the pool of descriptors takes each once."""


def with_new_field(descriptor: Descriptor, name: str = "made_up_field") -> Descriptor:
    """Return a request's descriptor as it would be if the contract had got another text field."""
    file = descriptor_pb2.FileDescriptorProto()
    descriptor.file.CopyToProto(file)
    file.package = f"made_up_{next(NUMBERS)}"
    file.name = f"{file.package}.proto"
    file.ClearField("service")
    del file.message_type[:], file.enum_type[:]
    message = file.message_type.add()
    descriptor.CopyToProto(message)
    number = max(field.number for field in descriptor.fields) + 1
    text = descriptor_pb2.FieldDescriptorProto.TYPE_STRING
    optional = descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL
    message.field.add(name=name, number=number, type=text, label=optional)
    file.dependency.append(descriptor.file.name)
    pool = descriptor_pool.Default()
    pool.Add(file)
    return pool.FindMessageTypeByName(f"{file.package}.{descriptor.name}")


@pytest.mark.parametrize("operation", list(Operation))
def test_a_new_field_needs_a_place_in_the_values(operation: Operation) -> None:
    """A field that the contract gets and the operation's struct does not keeps the gateway from starting."""
    request = with_new_field(REQUESTS[f"{names_of(operation).rpc}Request"])
    (struct,) = (one for one in get_args(AnyOperation) if one.operation is operation)
    by_hand = {field.name: card_from for field in request.fields if field.message_type is v1.Card.DESCRIPTOR}
    with pytest.raises(TypeError, match=rf"{struct.__name__} has no place for .*\.made_up_field"):
        reading(request, struct, by_hand=by_hand)


def test_what_may_be_absent_needs_a_default() -> None:
    """A struct that needs what callers may leave out keeps the gateway from starting."""

    class Line(msgspec.Struct):
        text: str

    others = {field.name for field in v1.SlipLine.DESCRIPTOR.fields} - {"text"}
    with pytest.raises(TypeError, match="text needs a default"):
        reading(v1.SlipLine.DESCRIPTOR, Line, apart=others)


def test_a_slip_line_may_be_a_rule_alone() -> None:
    """A line of a slip without text is read: it may only draw, cut or hold a barcode."""
    request: Any = fill(REQUESTS["RedeemRequest"])
    request.slip.CopyFrom(v1.Slip(lines=[v1.SlipLine(line=True)]))
    ask = ask_from(Operation.REDEEM, request, requested_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert ask.slip is not None
    assert ask.slip.lines == (SlipLine(line=True),)


def test_a_new_field_of_a_confirmation_is_told() -> None:
    """A field that the contract gets and nobody reads makes no other value, which the test above forbids."""
    request = with_new_field(REQUESTS["ConfirmRedeemRequest"])
    plain, promoted = (fill(request) for _ in range(2))
    (place,) = (place for place in places(promoted) if place.path == "made_up_field")
    alter(place)
    assert plain != promoted
    assert confirmation_from(plain) == confirmation_from(promoted)


def words_of_services() -> set[str]:
    """Return every attribute and every text in the source of the services and of what they decode with."""
    folders = (ROOT / "gateway" / "giftcard_gateway" / name for name in ("services", "wire", "rpc"))
    nodes = [
        node
        for folder in folders
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    ]
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return attributes | {str(node.value) for node in nodes if isinstance(node, ast.Constant)}


def in_every_form(descriptor: Descriptor) -> list[Place]:
    """Return every field of a request, whichever member of each oneof is chosen."""
    return [place for variant in range(variants(descriptor)) for place in places(fill(descriptor, variant))]


def unread(descriptor: Descriptor, words: set[str]) -> set[str]:
    """Return the fields of a request, at any depth, that no service mentions and no reader maps."""
    mapped = {place.holder.DESCRIPTOR.name for name in READERS for place in in_every_form(REQUESTS[name])}
    by_hand = (place for place in in_every_form(descriptor) if place.holder.DESCRIPTOR.name not in mapped)
    return {place.field.name for place in by_hand} - words - NOT_READ.keys()


@pytest.mark.parametrize("name", sorted(REQUESTS.keys() - READERS.keys()))
def test_services_read_what_no_value_holds(name: str) -> None:
    """Of a request that becomes no value of an adapter, the services mention every field."""
    words = words_of_services()
    assert unread(REQUESTS[name], words) == set()
    assert unread(with_new_field(REQUESTS[name], "made_up_text"), words) == {"made_up_text"}


def test_cards_in_all_their_forms() -> None:
    """A card is named by number with any PIN, by key, or by either id, and keeps its rank."""
    number = v1.Card(number=v1.CardNumber(pan=PAN, expiry="3012", clear_pin="1234"), rank="primary")
    card = card_from(number)
    assert card.number == Secret(PAN)
    assert (card.expiry, card.pin, card.rank) == ("3012", ClearPin(pin=Secret("1234")), "primary")
    block = v1.EncryptedPin(
        block="0" * 16, block_format=v1.PinBlockFormat.PIN_BLOCK_FORMAT_ISO_1, key_index=0
    )
    encrypted = card_from(v1.Card(number=v1.CardNumber(pan=PAN, encrypted_pin=block))).pin
    assert encrypted == EncryptedPin(block=Secret("0" * 16), block_format=PinBlockFormat.ISO_1, key_index=0)
    hashed = card_from(v1.Card(number=v1.CardNumber(pan=PAN, hashed_pin=v1.HashedPin(digest="AB"))))
    assert hashed.pin == HashedPin(digest=Secret("AB"))
    assert card_from(v1.Card(redemption_key="k", rank="r")).redemption_key == Secret("k")
    assert card_from(v1.Card(stored_card_id="s")).stored_card_id == "s"
    assert card_from(v1.Card(provider_card_id="p")).provider_card_id == "p"


def test_a_redemption_key_has_no_outer_white_space() -> None:
    """White space around a key is nobody's guess at a card: it is taken off, and what is inside stays."""
    told = card_from(v1.Card(redemption_key=" \tAB CD\n")).redemption_key
    assert told is not None
    assert told.reveal() == "AB CD"


def test_issue_makes_one_card_by_default() -> None:
    """A quantity left out is one; an id in upper case is the same id."""
    request = v1.IssueRequest(transaction_id=UUID.upper())
    ask = ask_from(Operation.ISSUE, request, requested_at=NOW)
    assert isinstance(ask, Issue)
    assert (ask.quantity, ask.transaction_id, ask.requested_at) == (1, UUID, NOW)


def test_amounts_are_exact() -> None:
    """Units and nanos become minor units by the currency's own exponent."""
    request = v1.ConfirmRedeemRequest()
    for code, units, nanos, minor in (
        ("ZAR", 799, 950_000_000, 79_995),
        ("JPY", 500, 0, 500),
        ("KWD", 1, 5_000_000, 1_005),
        ("ZAR", 0, 10_000_000, 1),
    ):
        request.final_amount.currency_code = code
        request.final_amount.units, request.final_amount.nanos = units, nanos
        assert confirmation_from(request)[0] == Money(code, minor)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("amount.amount_minor", "amount"),
        ("amount.currency", "amount.currency_code"),
        ("source_card.number", "source_card.number.pan"),
        ("card.pin.pin", "card.number.pin.pin"),
        ("point_of_sale.terminal_id", "point_of_sale.terminal_id"),
        ("card", "card"),
    ],
)
def test_paths_in_the_callers_words(ours: str, theirs: str) -> None:
    """What is told of our fields is told by the contract's paths."""
    assert field_path(ours) == theirs
