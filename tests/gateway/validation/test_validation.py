"""Every rule of the contract about requests is kept: proven by breaking every field of every request."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.type.money_pb2 import Money

from giftcard.v1 import Card, ListTransactionsRequest, ReconcileRequest, RedeemRequest, TransactionFilter
from giftcard_gateway.wire.limits import LIMITS, RULES
from giftcard_gateway.wire.validation import validator
from tests.gateway.wire.filled import (
    PAN,
    REQUESTS,
    Place,
    fill,
    is_alone,
    is_money,
    is_required,
    is_set,
    is_uuid,
    places,
    variants,
)
from tests.gateway.wire.hostile import tried


def faults(message: Message) -> list[str]:
    """Return the paths a request is refused for, or a row of a settlement told as invalid."""
    found = [path for path, _ in validator(message.DESCRIPTOR)(message)]
    if isinstance(message, ReconcileRequest) and message.HasField("row"):
        found += [f"row.{path}" for path in faults(message.row)]
    return found


def broken(
    name: str, is_meant: Callable[[Place], bool], damage: Callable[[Place], None]
) -> Iterator[tuple[str, Message]]:
    """Yield the request once for every place that is meant, in every variant, with that place damaged."""
    done = set()
    for variant in range(variants(REQUESTS[name])):
        paths = [place.path for place in places(fill(REQUESTS[name], variant)) if is_meant(place)]
        for path in paths:
            if path in done:
                continue
            done.add(path)
            request = fill(REQUESTS[name], variant)
            (target,) = (place for place in places(request) if place.path == path)
            damage(target)
            yield path, request


WORDED = re.compile(r"(must|is|keys|values|exactly one must) \b.*[^ .]")
DOUBLED = re.compile(r"\b(\w+)\W+\1\b", re.IGNORECASE)


@pytest.mark.parametrize("name", REQUESTS)
def test_what_is_wrong_is_said_once(name: str) -> None:
    """Every text is the rest of a sentence about its field, without a word twice; a field has one text."""
    request = fill(REQUESTS[name])
    empty = GetMessageClass(REQUESTS[name])()
    for told in (
        validator(request.DESCRIPTOR)(one) for one in itertools.chain([empty], _each_tried(request))
    ):
        for path, fault in told:
            assert WORDED.fullmatch(fault), (path, fault)
            assert not DOUBLED.search(fault.replace("and not `.` or `..`", "")), (path, fault)
        by_path = Counter(path for path, fault in told if not fault.startswith(("keys", "values")))
        assert max(by_path.values(), default=1) == 1, told


def _each_tried(request: Message) -> Iterator[Message]:
    return (request for _ in tried(request))


def clear(place: Place) -> None:
    """Leave a field out."""
    place.holder.ClearField(place.field.name)


def put(value: object) -> Callable[[Place], None]:
    """Return what puts a value into a field."""

    def write(place: Place) -> None:
        if place.field.is_repeated:
            getattr(place.holder, place.field.name)[0] = value
        else:
            setattr(place.holder, place.field.name, value)

    return write


def item(place: Place) -> str:
    """Return the path of what `put` wrote."""
    return f"{place.path}[0]" if place.field.is_repeated else place.path


@pytest.mark.parametrize("name", REQUESTS)
def test_filled_request_passes(name: str) -> None:
    """A request with every field filled as the contract asks is refused for nothing."""
    for variant in range(variants(REQUESTS[name])):
        assert faults(fill(REQUESTS[name], variant)) == []


@pytest.mark.parametrize("name", REQUESTS)
def test_every_required_field(name: str) -> None:
    """Every REQUIRED field that is left out, at any depth, is named."""

    def is_meant(place: Place) -> bool:
        return is_required(place.field) and is_alone(place.field)

    for path, request in broken(name, is_meant, clear):
        assert path in faults(request)


@pytest.mark.parametrize("name", REQUESTS)
def test_every_required_oneof(name: str) -> None:
    """Every oneof of which one member must be set is named when none is."""

    def is_meant(place: Place) -> bool:
        return is_required(place.field) and not is_alone(place.field) and is_set(place)

    oneofs: dict[str, str] = {}

    def damage(place: Place) -> None:
        assert place.field.containing_oneof is not None
        oneofs[place.path] = place.field.containing_oneof.name
        clear(place)

    for path, request in broken(name, is_meant, damage):
        assert f"{path.rpartition('.')[0]}.{oneofs[path]}".lstrip(".") in faults(request)


@pytest.mark.parametrize("name", REQUESTS)
def test_empty_choice(name: str) -> None:
    """A text chosen in a oneof and left empty is named: it chooses nothing."""

    def is_meant(place: Place) -> bool:
        is_text = place.field.type == FieldDescriptor.TYPE_STRING
        return is_text and not is_alone(place.field) and is_set(place)

    for path, request in broken(name, is_meant, put("")):
        assert path in faults(request)


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize(
    "text",
    [
        "x",
        "0f8fad5b-d9cb-169f-a165-70867728950e",
        "0f8fad5bd9cb469fa16570867728950e",
        "0f8fad5b-d9cb-469f-a165-70867728950e\n",
    ],
)
def test_every_uuid(name: str, text: str) -> None:
    """Every id that is no version-4 UUID in the usual form is named."""
    for path, request in broken(name, lambda place: is_uuid(place.field), put(text)):
        assert path in faults(request)


@pytest.mark.parametrize("name", REQUESTS)
def test_every_enum(name: str) -> None:
    """Every enum with a number the contract does not have is named."""

    def is_meant(place: Place) -> bool:
        return place.field.enum_type is not None and is_set(place)

    for path, request in broken(name, is_meant, put(99)):
        assert {path, f"{path}[0]"} & set(faults(request))


@pytest.mark.parametrize("name", REQUESTS)
def test_unspecified_in_lists_and_duties(name: str) -> None:
    """Every enum that must be said, alone or in a list, is named when it says nothing."""

    def is_meant(place: Place) -> bool:
        is_duty = place.field.is_repeated or is_required(place.field)
        return place.field.enum_type is not None and is_duty

    for path, request in broken(name, is_meant, put(0)):
        assert {path, f"{path}[0]"} & set(faults(request))


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize(
    ("amount", "part"),
    [
        (Money(currency_code="ZAR", units=-1), "units"),
        (Money(currency_code="ZAR", nanos=-10_000_000), "nanos"),
        (Money(currency_code="ZAR", units=1, nanos=5_000_000), "nanos"),
        (Money(currency_code="JPY", units=1, nanos=500_000_000), "nanos"),
        (Money(currency_code="ZAR", units=1, nanos=1_000_000_000), "nanos"),
        (Money(currency_code="ZAR", units=2**63 - 1), "units"),
        (Money(currency_code="ZZZ", units=1), "currency_code"),
        (Money(currency_code="zar", units=1), "currency_code"),
        (Money(currency_code="XAU", units=1), "currency_code"),
        (Money(units=1), "currency_code"),
    ],
)
def test_every_amount(name: str, amount: Money, part: str) -> None:
    """Every amount that is negative, too fine, too large or of no currency is named by its wrong part."""

    def damage(place: Place) -> None:
        getattr(place.holder, place.field.name).CopyFrom(amount)

    def is_meant(place: Place) -> bool:
        is_negative = amount.units < 0 or amount.nanos < 0
        is_signed = place.field.full_name == "giftcard.v1.SettlementRow.amount"
        return is_money(place.field) and not (is_negative and is_signed)

    for path, request in broken(name, is_meant, damage):
        assert f"{path}.{part}" in faults(request)


MOVES_MONEY = [
    name
    for name, request in REQUESTS.items()
    if "amount" in request.fields_by_name and is_required(request.fields_by_name["amount"])
]


@pytest.mark.parametrize("name", MOVES_MONEY)
def test_nothing_cannot_be_moved(name: str) -> None:
    """An operation whose point is its amount is refused with an amount of zero."""
    request = fill(REQUESTS[name])
    request.amount.CopyFrom(Money(currency_code="ZAR"))  # type: ignore[attr-defined]  # each has one
    assert faults(request) == ["amount"]


@pytest.mark.parametrize("name", REQUESTS)
def test_all_faults_at_once(name: str) -> None:
    """A request in which every duty is broken is refused for each of them, not only the first."""
    request = fill(REQUESTS[name])
    expected = set()
    for place in list(places(request)):
        if is_uuid(place.field):
            put("x")(place)
            expected.add(place.path)
        elif place.field.enum_type is not None:
            put(99)(place)
            expected.add(item(place))
        elif is_money(place.field):
            getattr(place.holder, place.field.name).currency_code = "ZZZ"
            expected.add(f"{place.path}.currency_code")
        elif is_required(place.field) and is_alone(place.field) and place.field.message_type is None:
            clear(place)
            expected.add(place.path)
    assert expected <= set(faults(request))


LIMITED = [
    ("card.number.pan", "6" * 33, "60 45"),
    ("card.number.expiry", "3013", "30-1", "3000", "٣٠١٢"),
    ("card.number.encrypted_pin.block", "0123", "Z123456789ABCDEF"),
    ("point_of_sale.operator_id", "x" * 31),
    ("point_of_sale.channel_id", "x" * 51),
    ("point_of_sale.institution.name", "x" * 41),
    ("point_of_sale.merchant.category_code", "541"),
    ("point_of_sale.merchant.name", "x" * 24),
    ("point_of_sale.merchant.country", "ZAF", "za"),
    ("product.product_id", "a b", "x" * 101),
    ("product.barcode", "x" * 14),
    ("basket.basket_id", "x" * 21),
    ("card_holder.first_name", "x" * 41),
    ("card_holder.phone", "0821234567"),
    ("external_reference", "x" * 201),
]


@pytest.mark.parametrize(("path", "text"), [(path, text) for path, *texts in LIMITED for text in texts])
def test_limits_the_comments_promise(path: str, text: str) -> None:
    """A text longer or otherwise shaped than its comment says is named, and nothing else is."""
    request = fill(RedeemRequest.DESCRIPTOR, 5 if "encrypted_pin" in path else 0)
    (place,) = (place for place in places(request) if place.path == path)
    put(text)(place)
    assert faults(request) == [path]


def test_no_fault_repeats_the_value() -> None:
    """What is told of a bad card number does not hold it (rule 16)."""
    request = fill(RedeemRequest.DESCRIPTOR)
    request.card.number.pan = f"{PAN} x"  # type: ignore[attr-defined]  # a RedeemRequest
    assert faults(request) == ["card.number.pan"]
    assert PAN not in str(validator(RedeemRequest.DESCRIPTOR)(request))


@pytest.mark.parametrize("masked", ["6045120000000007", "60451200*0000007", "****", "604512" + "*" * 20])
def test_tenders_are_masked(masked: str) -> None:
    """A tender's card number passes only if it is masked."""
    request = fill(REQUESTS["ConfirmRedeemRequest"])
    request.tenders[0].masked_card_number = masked  # type: ignore[attr-defined]  # it has tenders
    expected = [] if masked == "****" else ["tenders[0].masked_card_number"]
    assert faults(request) == expected


def test_fields_that_need_one_another() -> None:
    """Fields that need or exclude each other are refused together as the comments say."""
    activate = fill(REQUESTS["ActivateRequest"])
    activate.store = False  # type: ignore[attr-defined]  # an ActivateRequest
    assert faults(activate) == ["buyer"]
    listed = fill(REQUESTS["ListStoredCardsRequest"])
    listed.ClearField("buyer")
    assert faults(listed) == ["buyer"]
    part = fill(REQUESTS["ReconcileRequest"], 0)
    part.scope.note = ""  # type: ignore[attr-defined]  # variant 0 is the scope
    part.scope.end_time.seconds = 1  # type: ignore[attr-defined]  # variant 0 is the scope
    assert faults(part) == ["scope.end_time", "scope.note"]
    row = fill(REQUESTS["ReconcileRequest"], 1)
    row.row.transaction_id = row.row.provider_reference = ""  # type: ignore[attr-defined]  # variant 1 is a row
    assert faults(row) == ["row.transaction_id"]
    extract = fill(REQUESTS["ExtractAccountsRequest"])
    extract.to_day.year = 1980  # type: ignore[attr-defined]  # it has days
    assert faults(extract) == ["to_day"]


def test_labels_are_bounded() -> None:
    """More than 32 labels, and keys or values that are too long, are refused."""
    request = fill(RedeemRequest.DESCRIPTOR)
    request.labels["k" * 64] = "v" * 257  # type: ignore[attr-defined]  # a RedeemRequest
    request.labels[""] = ""  # type: ignore[attr-defined]  # a RedeemRequest
    assert faults(request) == ["labels", "labels", "labels"]
    request.labels.update({f"key{n}": "" for n in range(40)})  # type: ignore[attr-defined]  # a RedeemRequest
    assert faults(request) == ["labels"]


def test_no_text_has_a_nul() -> None:
    """The character that PostgreSQL keeps in no text is refused by field, also in lists and labels."""
    wanted = TransactionFilter(
        card=Card(redemption_key="\0"),
        merchant_id="a\0b",
        providers=["fine", "a\0b"],
        labels={"shop": "\0"},
    )
    assert faults(ListTransactionsRequest(filter=wanted)) == [
        "filter.providers[1]",
        "filter.card.redemption_key",
        "filter.merchant_id",
        "filter.labels",
    ]


def test_every_row_of_the_tables_is_a_field() -> None:
    """No limit stands for a field or a message that the contract does not have."""
    known, messages = set(), set()
    for request in REQUESTS.values():
        for variant in range(variants(request)):
            for place in places(fill(request, variant)):
                known.add(f"{place.holder.DESCRIPTOR.name}.{place.field.name}")
                messages.add(place.holder.DESCRIPTOR.name)
    assert LIMITS.keys() <= known
    assert RULES.keys() <= messages
