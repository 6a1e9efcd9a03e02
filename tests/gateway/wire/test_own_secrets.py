"""A card's own number, PIN or code is refused in all other fields of its request (rule 16)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast
from unittest import mock

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from giftcard import v1
from giftcard_adapters.values.cards import CardRef, ClearPin
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.wire import own_secrets as own_secrets_module
from giftcard_gateway.wire.cards import card_from
from giftcard_gateway.wire.own_secrets import mask_echoes, names_cards, places_of
from giftcard_gateway.wire.validation import validator
from tests.gateway.wire.filled import PAN, REQUESTS, Place, fill, is_uuid, places

SPELLINGS = (
    PAN,
    "6045-1200-0000-0007",
    "6045  1200  0000  0007",
    "6045.1200.0000.0007",
    "6045_1200_0000_0007",
    "6045/1200/0000/0007",
    "6045\u00a01200\u00a00000\u00a00007",
    "6045\u20131200\u20130000\u20130007",
    "604,512,000,000,0007",
    "\u0666\u0660\u0664\u0665\u0661\u0662\u0660\u0660\u0660\u0660\u0660\u0660\u0660\u0660\u0660\u0667",
    f"ref{PAN}x",
    "6045%201200%200000%200007",
    "6045%2E1200%252E0000%2E0007",
)


def redemption() -> v1.RedeemRequest:
    """Return a good redemption of a card by number."""
    request = fill(REQUESTS["RedeemRequest"])
    assert isinstance(request, v1.RedeemRequest)
    request.card.number.pan = PAN
    return request


def faults(request: Any) -> list[str]:  # noqa: ANN401 - any request
    """Return the paths a request is refused for."""
    return [path for path, _ in validator(request.DESCRIPTOR)(request)]


def free_texts() -> Iterator[str]:
    """Yield the path of every text of a redemption outside of its card."""
    for place in places(redemption()):
        is_text = place.field.type == FieldDescriptor.TYPE_STRING and not is_uuid(place.field)
        if is_text and not place.path.startswith("card."):
            yield place.path


def put(request: v1.RedeemRequest, path: str, text: str) -> None:
    """Write a text into a field."""
    (place,) = (one for one in places(request) if one.path == path)
    _write(place, text)


def _write(place: Place, text: str) -> None:
    if place.field.is_repeated:
        getattr(place.holder, place.field.name)[:] = [text]
    else:
        setattr(place.holder, place.field.name, text)


@pytest.mark.parametrize("path", sorted(free_texts()))
def test_number_in_any_text(path: str) -> None:
    """Every text of a redemption is looked through, and the field is named."""
    request = redemption()
    put(request, path, PAN)
    assert path in faults(request)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_number_in_any_spelling(spelling: str) -> None:
    """Separators, other scripts' digits and words around it do not hide a number."""
    for write in (_label, _label_key, _external_reference, _identifier):
        request = redemption()
        path = write(request, spelling)
        assert faults(request) == [path]


def _label(request: v1.RedeemRequest, text: str) -> str:
    request.labels["note"] = text
    return "labels"


def _label_key(request: v1.RedeemRequest, text: str) -> str:
    request.labels[text] = ""
    return "labels"


def _external_reference(request: v1.RedeemRequest, text: str) -> str:
    request.external_reference = text
    return "external_reference"


def _identifier(request: v1.RedeemRequest, text: str) -> str:
    request.third_party_identifiers[0].transaction_identifier = text
    return "third_party_identifiers[0].transaction_identifier"


def _clear_pin(number: v1.CardNumber) -> str:
    number.clear_pin = "8317"
    return "pin: 83-17"


def _block(number: v1.CardNumber) -> str:
    number.encrypted_pin.block = "0123456789ABCDEF"
    return "0123 4567 89ab cdef"


def _digest(number: v1.CardNumber) -> str:
    number.hashed_pin.digest = "AB12CD34EF567890"
    return "x-ab12cd34ef567890"


@pytest.mark.parametrize("give", [_clear_pin, _block, _digest])
def test_pin_in_text(give: Callable[[v1.CardNumber], str]) -> None:
    """PINs, PIN blocks and hashes are looked for too."""
    request = redemption()
    text = give(request.card.number)
    request.labels["note"] = text
    assert faults(request) == ["labels"]


@pytest.mark.parametrize(
    "spelling", ["8.3.1.7", "8%2E3%2E1%2E7", "8/3/1/7", "\uff18\uff13\uff11\uff17", "(8317)"]
)
def test_pin_in_any_spelling(spelling: str) -> None:
    """A PIN is found however its digits are parted, in dots too, which look like an address then."""
    request = redemption()
    request.card.number.clear_pin = "8317"
    request.labels["note"] = spelling
    assert faults(request) == ["labels"]


def test_code_in_text() -> None:
    """A gift code that is the card is looked for like a number, whatever its case."""
    request = redemption()
    request.card.redemption_key = " JDM-ABCD-EFGH "
    request.external_reference = "voucher jdmabcdefgh"
    assert faults(request) == ["external_reference"]


def test_pin_by_chance() -> None:
    """Order numbers, dates and category codes that hold a PIN's digits by chance pass."""
    request = redemption()
    request.card.number.clear_pin = "5411"
    request.external_reference = "order-20265411"
    request.labels["amount"] = "5411.00"
    assert request.point_of_sale.merchant.category_code == "5411"
    assert faults(request) == []


def test_batch() -> None:
    """Each request of a batch is held against its own card, and the field is named with its place."""
    one = v1.BalanceRequest(card=v1.Card(number=v1.CardNumber(pan=PAN)))
    other = v1.BalanceRequest(
        card=v1.Card(number=v1.CardNumber(pan=PAN)), point_of_sale=v1.PointOfSale(terminal_id=PAN)
    )
    batch = v1.BatchBalanceRequest(requests=[one, other])
    assert faults(batch) == ["requests[1].point_of_sale.terminal_id"]


def test_echoes_are_masked() -> None:
    """A number that a provider echoes is masked in every text of an answer; the rest stays."""
    told = v1.Transaction(
        transaction_id="0f8fad5b-d9cb-469f-a165-70867728950e",
        provider_references={"order": "A-6045 1200 0000 0007", "rrn": "12345"},
        slip=v1.Slip(lines=[v1.SlipLine(text=f"card {PAN}"), v1.SlipLine(text="thank you")]),
        third_party_identifiers=[v1.ThirdPartyIdentifier(institution_id="1", transaction_identifier=PAN)],
    )
    mask_echoes(told, [CardRef(number=Secret(PAN))])
    assert dict(told.provider_references) == {"order": "A-***", "rrn": "12345"}
    assert [line.text for line in told.slip.lines] == ["card ***", "thank you"]
    assert told.third_party_identifiers[0].transaction_identifier == "***"


def test_every_value_of_a_map_is_masked() -> None:
    """However many entries a map has, each that echoes the number is masked: none is passed over."""
    for size in range(1, 65):
        told = v1.Transaction(provider_references={f"key-{place}": PAN for place in range(size)})
        mask_echoes(told, [CardRef(number=Secret(PAN))])
        assert set(told.provider_references.values()) == {"***"}


@pytest.mark.parametrize("kind", [v1.Transaction, v1.CardView])
def test_echo_in_any_text(kind: type[Message]) -> None:
    """Every text of an answer is looked through, at any depth, whatever protobuf itself would redact."""
    told = fill(cast("Descriptor", kind.DESCRIPTOR))
    cards = [CardRef(number=Secret(PAN))]
    looked_at = 0
    for place in places(told):
        if place.field.type != FieldDescriptor.TYPE_STRING or is_uuid(place.field):
            continue
        if place.field.is_repeated:
            getattr(place.holder, place.field.name)[0] = PAN
        else:
            setattr(place.holder, place.field.name, PAN)
        mask_echoes(told, cards)
        held = getattr(place.holder, place.field.name)
        assert held in ("***", ["***"]), place.path
        looked_at += 1
    assert looked_at


_PIECES = st.sampled_from(
    [*SPELLINGS, "8317", "8.3.1.7", "order", "-", "<b>", "&#54;", "%36", "\u0661", "\u0301"]
)


@given(st.lists(st.one_of(_PIECES, st.text(max_size=6)), min_size=1, max_size=5).map("".join), st.booleans())
def test_a_quick_look_finds_what_a_thorough_one_finds(text: str, is_key: bool) -> None:
    """All texts taken as one are found to hold a secret wherever one of them does."""
    cards = [CardRef(number=Secret(PAN), pin=ClearPin(pin=Secret("8317")))]
    request, told = redemption(), v1.Transaction(evidence=v1.Evidence(summary=text))
    request.card.rank = text
    request.labels[text if is_key else "note"] = "" if is_key else text
    places = places_of(request, cards, [request.card])
    quick = v1.Transaction.FromString(told.SerializeToString())
    mask_echoes(quick, cards)
    with mock.patch.object(own_secrets_module, "_may_hold", return_value=True):
        assert places_of(request, cards, [request.card]) == places
        mask_echoes(told, cards)
    assert quick == told


def test_messages_with_cards_are_known() -> None:
    """All requests with a card in them are held against it."""
    with_cards = {name for name, descriptor in REQUESTS.items() if names_cards(descriptor)}
    assert with_cards >= {
        "RedeemRequest",
        "TransferRequest",
        "BalanceRequest",
        "LookupRequest",
        "StoreCardRequest",
    }


@pytest.mark.parametrize("wild", [".", "..", "a/b", "..\\x", "a?b", "a#b", "%2e%2e", " x", "x\n", "x" * 257])
def test_ids_walk_nowhere(wild: str) -> None:
    """Ids of providers that would lead to another path of theirs are refused by name."""
    request = redemption()
    request.card.provider_card_id = wild
    assert faults(request) == ["card.provider_card_id"]
    assert faults(v1.GetStoredCardRequest(provider="x", stored_card_id=wild)) == ["stored_card_id"]
    assert faults(v1.DownloadExportRequest(provider="x", export_id=wild)) == ["export_id"]


def test_white_space_around_a_code() -> None:
    """White space around a gift code is not part of it; a code of white space alone is none."""
    request = redemption()
    request.card.redemption_key = " \tJDM-ABCD-EFGH\n"
    assert faults(request) == []
    assert card_from(request.card).redemption_key == Secret("JDM-ABCD-EFGH")
    request.card.redemption_key = "\u00a0 "
    assert faults(request) == ["card.redemption_key"]
