"""What the Electrum adapter refuses before anything is sent, and the originator it names."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from giftcard_adapters.calls import Moment
from giftcard_adapters.contract import traits_of
from giftcard_adapters.electrum import Electrum
from giftcard_adapters.errors import Invalid, SettingsError, Unsupported
from giftcard_adapters.stanza import open_provider, read_settings
from giftcard_adapters.values.advices import Advice, AdviceKind
from giftcard_adapters.values.cards import (
    CardRef,
    ClearPin,
    EncryptedPin,
    HashedPin,
    Pin,
    PinBlockFormat,
)
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.names import names_of
from giftcard_adapters.values.operations import (
    Activate,
    AnyOperation,
    Issue,
    Load,
    Operation,
    Redeem,
    Transfer,
    Void,
)
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_adapters.values.point_of_sale import (
    Address,
    Basket,
    BasketItem,
    CardHolder,
    Institution,
    Merchant,
    PointOfSale,
    Product,
)
from giftcard_adapters.values.points import Points
from giftcard_adapters.values.secret import Secret

STANZA: dict[str, Any] = json.loads(
    (Path(__file__).parent / "golden" / "electrum" / "provider.json").read_text(encoding="utf-8")
)["settings"]
AT = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
ID = "6f1c7a52-3f5e-4c39-9d0b-0d2b6f4a1e11"
CARD = CardRef(number=Secret("6045830000000000017"), expiry="3012")
AMOUNT = Money("ZAR", 100)
REDEEM = Redeem(transaction_id=ID, requested_at=AT, card=CARD, amount=AMOUNT)


class Silent(httpx.AsyncBaseTransport):
    """Fails the test that sends anything."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Fail."""
        raise AssertionError(f"{request.method} was sent")


SILENT = Silent()


def open_electrum(transport: httpx.AsyncBaseTransport = SILENT, **changes: object) -> Electrum:
    """Open the adapter with settings changed; None takes one away."""
    stanza = {key: value for key, value in {**STANZA, **changes}.items() if value is not None}
    provider = open_provider(
        Electrum,
        read_settings(Electrum, stanza),
        transport=transport,
        moment=lambda: Moment(now_s=0.0, nonce=""),
    )
    assert isinstance(provider, Electrum)
    return provider


def with_(ask: AnyOperation, **changes: object) -> AnyOperation:
    """Return an operation with fields changed."""
    return msgspec.structs.replace(ask, **changes)


def card(**changes: object) -> CardRef:
    """Return the card with fields changed."""
    return msgspec.structs.replace(CARD, **changes)


def violated(ask: AnyOperation, settings: Mapping[str, object] | None = None) -> list[str]:
    """Return the fields refused."""
    with pytest.raises(Invalid) as caught:
        open_electrum(SILENT, **(settings or {})).check(ask)
    return [field for field, _ in caught.value.violations]


MISFITS: list[tuple[AnyOperation, list[str]]] = [
    (with_(REDEEM, amount=None), ["amount"]),
    (with_(REDEEM, card=CardRef(stored_card_id="vault-1")), ["card.number"]),
    (with_(REDEEM, card=card(number=Secret("6045 8300"))), ["card.number.pan"]),
    (with_(REDEEM, card=card(number=Secret("1" * 20))), ["card.number.pan"]),
    (with_(REDEEM, card=card(expiry="")), ["card.number.expiry"]),
    (with_(REDEEM, card=card(expiry="2030-12")), ["card.number.expiry"]),
    (with_(REDEEM, card=card(pin=ClearPin(pin=Secret("1" * 21)))), ["card.number.clear_pin"]),
    (
        with_(REDEEM, card=card(pin=EncryptedPin(block=Secret("12"), key_index=1))),
        ["card.number.encrypted_pin.block", "card.number.encrypted_pin.key_index"],
    ),
    (
        with_(REDEEM, card=card(pin=EncryptedPin(block=Secret("0" * 16), key_index=1))),
        ["card.number.encrypted_pin.account_number"],
    ),
    (
        with_(
            REDEEM,
            card=card(pin=EncryptedPin(block=Secret("30DED59C"), block_format=PinBlockFormat.ISO_1)),
        ),
        ["card.number.encrypted_pin.block_format"],
    ),
    (
        with_(REDEEM, card=card(pin=EncryptedPin(block=Secret("0" * 17)))),
        ["card.number.encrypted_pin.block"],
    ),
    (
        with_(
            REDEEM,
            card=card(
                pin=EncryptedPin(
                    block=Secret("0" * 16), block_format=PinBlockFormat.ISO_0, account_number=Secret("12")
                )
            ),
        ),
        ["card.number.encrypted_pin.account_number"],
    ),
    (
        with_(REDEEM, card=card(pin=HashedPin(digest=Secret("xyz"), algorithm="x" * 21))),
        ["card.number.hashed_pin.digest", "card.number.hashed_pin.algorithm"],
    ),
    (with_(REDEEM, point_of_sale=PointOfSale(terminal_id="T1")), ["point_of_sale.terminal_id"]),
    (with_(REDEEM, point_of_sale=PointOfSale(terminal_id="T" * 9)), ["point_of_sale.terminal_id"]),
    (
        with_(REDEEM, point_of_sale=PointOfSale(merchant=Merchant(merchant_id="M1", category_code="54"))),
        ["point_of_sale.merchant.merchant_id", "point_of_sale.merchant.category_code"],
    ),
    (
        with_(
            REDEEM,
            point_of_sale=PointOfSale(
                merchant=Merchant(name="n" * 24, city="c" * 14, region="WCX", country="ZAF")
            ),
        ),
        [f"point_of_sale.merchant.{field}" for field in ("name", "city", "region", "country")],
    ),
    (
        with_(REDEEM, point_of_sale=PointOfSale(operator_id="o" * 31, channel_id="c" * 51)),
        ["point_of_sale.operator_id", "point_of_sale.channel_id"],
    ),
    (
        with_(REDEEM, point_of_sale=PointOfSale(institution=Institution(institution_id="other"))),
        ["point_of_sale.institution.institution_id"],
    ),
    (
        with_(
            REDEEM, point_of_sale=PointOfSale(institution=Institution(institution_id="60451", name="n" * 41))
        ),
        ["point_of_sale.institution.name"],
    ),
    (
        with_(REDEEM, product=Product(product_id="a-b", barcode="1" * 14, product_type="t" * 51)),
        ["product.product_id", "product.barcode", "product.product_type"],
    ),
    (
        with_(
            REDEEM,
            basket=Basket(basket_id="", items=(BasketItem(product_id="milk 2l", product_type="dairy!"),)),
        ),
        ["basket.basket_id", "basket.items[0].product_id", "basket.items[0].product_type"],
    ),
    (
        with_(
            REDEEM,
            card_holder=CardHolder(
                first_name="f" * 41,
                last_name="l" * 41,
                phone="082 123",
                email="nobody",
                date_of_birth=date(1990, 2, 28),
                address=Address(
                    lines=("a", "b" * 101, "c"), city="c" * 31, region="wc", country="South Africa"
                ),
            ),
        ),
        [
            "card_holder.first_name",
            "card_holder.last_name",
            "card_holder.phone",
            "card_holder.email",
            "card_holder.address.city",
            "card_holder.address.region",
            "card_holder.address.country",
            "card_holder.address.lines",
            "card_holder.address.lines[1]",
        ],
    ),
    (with_(REDEEM, transaction_type="PURCHASE"), ["transaction_type"]),
    (with_(REDEEM, points=Points(amount=1, expires_on="soon")), ["points.expire_date"]),
    (
        Load(transaction_id=ID, requested_at=AT, card=CARD, amount=AMOUNT, points=Points(amount=1)),
        ["points"],
    ),
    (Activate(transaction_id=ID, requested_at=AT, card=CARD), ["product"]),
    (Void(transaction_id=ID, requested_at=AT, card=CARD, amount=AMOUNT), ["amount"]),
    (
        Transfer(
            transaction_id=ID,
            requested_at=AT,
            source_card=CardRef(provider_card_id="x"),
            target_card=card(expiry=""),
        ),
        ["source_card.number", "target_card.number.expiry", "amount"],
    ),
]


@pytest.mark.parametrize(
    ("ask", "fields"), MISFITS, ids=lambda value: "+".join(value) if isinstance(value, list) else ""
)
async def test_misfit_is_refused_by_name(ask: AnyOperation, fields: list[str]) -> None:
    """What Electrum could not take is refused with every field named, by check and by the call."""
    assert violated(ask) == fields
    with pytest.raises(Invalid):
        await getattr(open_electrum(), names_of(ask.operation).method)(ask)


def test_blank_originator_is_missed_field_by_field() -> None:
    """What neither the caller nor the settings say is missed by name, every field at once."""
    unset = dict.fromkeys(key for key in STANZA if key.startswith(("merchant_", "terminal_")))
    assert violated(REDEEM, unset) == [
        "point_of_sale.terminal_id",
        *(
            f"point_of_sale.merchant.{field}"
            for field in ("merchant_id", "category_code", "name", "city", "region", "country")
        ),
    ]


@pytest.mark.parametrize("left_out", ["terminal_id", "merchant_id", "merchant_city"])
def test_settings_are_judged_once_as_every_call_would(left_out: str) -> None:
    """A caller without a point of sale is refused as one whose point of sale is blank."""
    unset = {left_out: None}
    assert violated(with_(REDEEM, point_of_sale=None), unset) == violated(
        with_(REDEEM, point_of_sale=PointOfSale()), unset
    )


@pytest.mark.parametrize(
    ("pin_fields", "pin", "field"),
    [
        ("pin", EncryptedPin(block=Secret("30DED59C")), "encrypted_pin.block"),
        ("deprecated", HashedPin(digest=Secret("00FF")), "hashed_pin"),
        ("deprecated", EncryptedPin(block=Secret("0" * 16), key_index=0), "encrypted_pin.key_index"),
    ],
)
def test_pin_that_the_interface_has_no_field_for(pin_fields: str, pin: Pin, field: str) -> None:
    """A PIN in a form that the connection's interface cannot carry is refused by name."""
    ask = with_(REDEEM, card=card(pin=pin))
    assert violated(ask, {"pin_fields": pin_fields}) == [f"card.number.{field}"]


@pytest.mark.parametrize("has_parts", [False, True])
@pytest.mark.parametrize("operation", [Operation.LOAD, Operation.REDEEM, Operation.TRANSFER])
def test_parts_are_not_assumed(operation: Operation, has_parts: bool) -> None:
    """A part can be confirmed or reversed only where the operator says that Electrum's side takes it."""
    told = traits_of(open_electrum(SILENT, partial_advices=has_parts), operation)
    assert told is not None
    assert (told.is_reversal_partial, told.is_confirmation_partial) == (has_parts, has_parts)


def test_no_value_is_shown_in_a_refusal() -> None:
    """A refusal names fields and limits, never the value: it may be a card number or a PIN."""
    ask = with_(REDEEM, card=card(number=Secret("6045-SECRET"), pin=ClearPin(pin=Secret("9" * 21))))
    with pytest.raises(Invalid) as caught:
        open_electrum().check(ask)
    assert "SECRET" not in str(caught.value)
    assert "999" not in str(caught.value)


def test_fitting_operation_passes() -> None:
    """Complete settings and a complete card need nothing more from the caller."""
    open_electrum().check(REDEEM)


def test_expiry_can_be_waived() -> None:
    """Electrum documents the expiry as required and does not enforce it, so a setting waives it."""
    open_electrum(is_expiry_needed=False).check(with_(REDEEM, card=card(expiry="")))


def test_storing_is_refused() -> None:
    """There is no vault: an activation that asks for storing is refused by that field, not half done."""
    ask = Activate(
        transaction_id=ID, requested_at=AT, card=CARD, product=Product(product_id="product001"), store=True
    )
    with pytest.raises(Invalid) as caught:
        open_electrum().check(ask)
    assert caught.value.violations == (("store", "Electrum has no vault to store a card in"),)


def test_issue_is_unsupported() -> None:
    """Electrum makes no cards: it activates printed ones."""
    with pytest.raises(Unsupported):
        open_electrum().check(Issue(transaction_id=ID, requested_at=AT, amount=AMOUNT))


def test_part_of_nothing_is_unsupported() -> None:
    """A part of what has no amount cannot be reversed."""
    void = Void(transaction_id=ID, requested_at=AT, card=CARD)
    part = Advice(advice_id=ID, kind=AdviceKind.REVERSAL, written_at=AT, amount=AMOUNT)
    with pytest.raises(Unsupported):
        open_electrum().reversal(void, Outcome(verdict=Verdict.APPROVED), part)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("terminal_id", "T" * 7),
        ("merchant_id", "M" * 16),
        ("merchant_category_code", "54111"),
        ("merchant_name", "n" * 24),
        ("merchant_city", "c" * 14),
        ("merchant_region", "WCX"),
        ("merchant_country", "ZAF"),
        ("institution_name", "n" * 41),
        ("institution_id", ""),
        ("password", ""),
        ("receiver", {"institution_id": "1"}),
        ("originators", [{"institution_id": "1"}]),
        ("pin_fields", "none"),
        ("time_zone", "Africa"),
        ("time_zone", "../etc/passwd"),
        ("time_zone", "Mars/Olympus_Mons"),
        ("time_zone", ""),
        ("partial_advices", "yes"),
    ],
)
def test_misfitting_setting_is_refused_by_name(key: str, value: object) -> None:
    """A setting Electrum could not take is refused when the gateway starts, by its key."""
    with pytest.raises(SettingsError) as caught:
        open_electrum(SILENT, **{key: value})
    assert any(repr(key) in fault for fault in caught.value.faults)


async def test_user_name_is_the_originator() -> None:
    """HTTP Basic's user name is the originator's institution id, with the password agreed for it."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(201, json={"id": ID})

    provider = open_electrum(httpx.MockTransport(answer), password="pass:word ü")
    await provider.redeem(REDEEM)
    scheme, _, pair = seen[0].headers["authorization"].partition(" ")
    assert scheme == "Basic"
    originator = json.loads(seen[0].content)["originator"]["institution"]["id"]
    assert base64.b64decode(pair).decode() == f"{originator}:pass:word ü"


async def test_originators_are_those_of_the_settings() -> None:
    """A connection asks for its first originator unless another of its own is named, and for nobody else."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(201, json={"id": ID})

    north, south = (
        {"institution_id": "11111111", "name": "North"},
        {"institution_id": "11111112", "name": "South"},
    )
    provider = open_electrum(httpx.MockTransport(answer), originators=[north, south])
    for named in (None, "11111111", "11111112"):
        till = PointOfSale(institution=Institution(institution_id=named)) if named else None
        await provider.redeem(msgspec.structs.replace(REDEEM, point_of_sale=till))
    bodies = [json.loads(request.content) for request in seen]
    assert [body["originator"]["institution"]["name"] for body in bodies] == ["North", "North", "South"]
    assert {body["client"]["id"] for body in bodies} == {"60451"}
    stranger = PointOfSale(institution=Institution(institution_id="60451"))
    with pytest.raises(Invalid) as refusal:
        await provider.redeem(msgspec.structs.replace(REDEEM, point_of_sale=stranger))
    assert [field for field, _ in refusal.value.violations] == ["point_of_sale.institution.institution_id"]
    assert len(seen) == 3
