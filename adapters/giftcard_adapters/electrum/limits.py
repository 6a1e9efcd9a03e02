"""What Electrum cannot take, refused before anything is written or sent.

Pure checks with the caller's field names. A value is never shortened, padded or corrected, because a
terminal id with a blank appended could be another terminal. Lengths and patterns are Electrum's own.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from datetime import date
from operator import attrgetter

import msgspec

from giftcard_adapters.electrum import wire
from giftcard_adapters.electrum.codes import SHAPES, TRANSACTION_TYPES, Shape
from giftcard_adapters.electrum.pins import is_block_alone
from giftcard_adapters.electrum.settings import PinFields
from giftcard_adapters.errors import Invalid, Unsupported, Violation
from giftcard_adapters.values.cards import CardRef, ClearPin, EncryptedPin, HashedPin, Pin, PinBlockFormat
from giftcard_adapters.values.operations import Activate, MoneyOperation
from giftcard_adapters.values.point_of_sale import AccountType, CardHolder, Tender
from giftcard_adapters.values.reads import Lookup
from giftcard_adapters.values.slips import Slip


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """A pattern the whole value must fit, and the same in words."""

    pattern: re.Pattern[str]
    words: str

    def refuses(self, value: str) -> bool:
        """Tell whether the value does not fit."""
        return self.pattern.fullmatch(value) is None


def _limit(pattern: str, words: str) -> Limit:
    return Limit(pattern=re.compile(pattern, re.DOTALL), words=words)


def _at_most(length: int) -> Limit:
    return _limit(f".{{1,{length}}}", f"must have at most {length} characters")


def _letters_and_digits(length: int) -> Limit:
    return _limit(f"[0-9A-Za-z]{{1,{length}}}", f"must be 1 to {length} letters and digits")


_NEEDED: dict[str, tuple[attrgetter[str], Limit]] = {
    "point_of_sale.institution.name": (attrgetter("institution.name"), _at_most(40)),
    "point_of_sale.terminal_id": (
        attrgetter("terminal_id"),
        _limit(".{8}", "must have exactly 8 characters"),
    ),
    "point_of_sale.merchant.merchant_id": (
        attrgetter("merchant.merchant_id"),
        _limit(".{15}", "must have exactly 15 characters"),
    ),
    "point_of_sale.merchant.category_code": (
        attrgetter("merchant.merchant_type"),
        _limit("[0-9]{4}", "must be the 4 digits of a merchant category code"),
    ),
    "point_of_sale.merchant.name": (attrgetter("merchant.merchant_name.name"), _at_most(23)),
    "point_of_sale.merchant.city": (attrgetter("merchant.merchant_name.city"), _at_most(13)),
    "point_of_sale.merchant.region": (attrgetter("merchant.merchant_name.region"), _at_most(2)),
    "point_of_sale.merchant.country": (attrgetter("merchant.merchant_name.country"), _at_most(2)),
}
"""By the caller's field: where the originator has it once the settings filled the blanks, and its limit."""

_OPTIONAL: dict[str, dict[str, Limit]] = {
    "point_of_sale": {"operator_id": _at_most(30), "channel_id": _at_most(50)},
    "product": {
        "product_id": _letters_and_digits(100),
        "barcode": _letters_and_digits(13),
        "product_type": _at_most(50),
    },
    "card_holder": {
        "first_name": _at_most(40),
        "last_name": _at_most(40),
        "phone": _limit(
            r"\+?[1-9][0-9]{0,14}", "must be a telephone number of at most 15 digits, not beginning with 0"
        ),
        "email": _limit(r"[^@\s]+@[^@\s]+", "must be an e-mail address"),
    },
    "card_holder.address": {
        "city": _at_most(30),
        "region": _limit("[A-Z]{2}", "must be 2 capital letters"),
        "country": _limit("[A-Z]{2}", "must be 2 capital letters"),
        "postal_code": _limit("[A-Za-z0-9 -]{1,20}", "must be at most 20 letters, digits, spaces and dashes"),
    },
}
"""By the caller's message and its field, which has the same name here; blank is fine."""

_ITEM = {"product_id": _letters_and_digits(20), "product_type": _letters_and_digits(30)}
_BASKET_ID = _letters_and_digits(20)
_ADDRESS_LINE = _at_most(100)
_ADDRESS_LINES = 2
_PAN = _limit("[0-9]{1,19}", "must be 1 to 19 digits")
_EXPIRY = _limit("[0-9]{4}", "must be the 4 digits YYMM")
_CLEAR_PIN = _limit(".{0,20}", "must have at most 20 characters")
_PIN_BLOCK = _limit("[0-9A-Fa-f]{16}", "must be 16 hexadecimal digits")
_DEPRECATED_PIN_BLOCK = _limit("[0-9A-Fa-f]{8,16}", "must be 8 to 16 hexadecimal digits")
_ACCOUNT_NUMBER = _limit("[0-9]{12}", "must be 12 digits")
_HASH = _limit("[0-9A-F]{1,512}", "must be at most 512 upper-case hexadecimal digits")
_HASH_NAME = _at_most(20)
_MASKED_CARD = _limit(r"[0-9]{6}[0-9*]{0,13}", "must be 6 digits, the rest masked with *, 19 in all at most")
_ISSUER_REFERENCE = _limit("[A-Z0-9]{1,40}", "must be 1 to 40 capital letters and digits")
_TENDER_REFERENCE = _at_most(40)
_SIDE_OF_NONE = "says which side of the ledger an amount is on, and there is none"


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What one connection's settings say of cards and of originators."""

    is_expiry_needed: bool
    pin_fields: PinFields
    originator: wire.Originator
    """Who asks where the caller does not say."""
    originator_ids: frozenset[str]
    """The institutions the connection may ask for."""
    faults: tuple[Violation, ...]
    """What Electrum could not take of `originator`, which the caller must then say itself."""


def check_operation(ask: MoneyOperation, originator: wire.Originator, rules: Rules) -> None:
    """Refuse an operation Electrum could not take: Invalid with every bad field, or Unsupported."""
    shape = SHAPES.get(ask.operation)
    if shape is None:
        raise Unsupported("this provider makes no new cards: activate a printed one")
    cards = zip(shape.cards, ask.cards, strict=True)
    _refuse(
        [
            *_shared(ask, originator, rules),
            *(fault for name, card in cards for fault in _card(name, card, rules)),
            *_amount(ask, shape),
            *_extras(ask, shape),
        ]
    )


def check_lookup(ask: Lookup, originator: wire.Originator, rules: Rules) -> None:
    """Refuse a lookup Electrum could not take: Invalid with every bad field."""
    violations = list(_shared(ask, originator, rules))
    if ask.card is not None:
        violations += _card("card", ask.card, rules)
    elif ask.card_holder is None:
        violations.append(("card", "a lookup needs a card or a card holder"))
    _refuse(violations)


def check_tenders(tenders: Sequence[Tender]) -> None:
    """Refuse tenders Electrum could not take: Invalid with every bad field."""
    _refuse([fault for n, tender in enumerate(tenders) for fault in _tender(f"tenders[{n}]", tender)])


def _refuse(violations: Sequence[Violation]) -> None:
    if violations:
        raise Invalid(violations)


def _fault(field: str, value: str, limit: Limit) -> Iterator[Violation]:
    if value and limit.refuses(value):
        yield field, limit.words


def _needed(field: str, value: str, limit: Limit) -> Iterator[Violation]:
    if not value:
        yield field, f"is needed: it {limit.words}"
    elif limit.refuses(value):
        yield field, limit.words


def _shared(ask: MoneyOperation | Lookup, originator: wire.Originator, rules: Rules) -> Iterator[Violation]:
    if originator is rules.originator:
        # The caller named nothing of it, so what there is to say was said of the settings.
        yield from rules.faults
    else:
        yield from faults_of(originator, rules.originator_ids)
    if ask.transaction_type and ask.transaction_type not in TRANSACTION_TYPES:
        yield "transaction_type", f"must be one of {', '.join(sorted(TRANSACTION_TYPES))}"
    if ask.point_of_sale is not None:
        yield from _optional("point_of_sale", ask.point_of_sale)
    if ask.card_holder is not None:
        yield from _card_holder(ask.card_holder)


def faults_of(originator: wire.Originator, originator_ids: Container[str]) -> Iterator[Violation]:
    """Give what Electrum could not take of who asks, once the settings filled the blanks."""
    for field, (place, limit) in _NEEDED.items():
        yield from _needed(field, place(originator), limit)
    if originator.institution.id not in originator_ids:
        yield "point_of_sale.institution.institution_id", "is nobody this connection may ask for"


def _optional(name: str, told: object) -> Iterator[Violation]:
    for field, limit in _OPTIONAL[name].items():
        yield from _fault(f"{name}.{field}", getattr(told, field), limit)


def _card_holder(holder: CardHolder) -> Iterator[Violation]:
    yield from _optional("card_holder", holder)
    if holder.address is None:
        return
    yield from _optional("card_holder.address", holder.address)
    lines = holder.address.lines
    if len(lines) > _ADDRESS_LINES:
        yield "card_holder.address.lines", f"must be at most {_ADDRESS_LINES} lines"
    for n, line in enumerate(lines):
        yield from _fault(f"card_holder.address.lines[{n}]", line, _ADDRESS_LINE)


def _card(name: str, card: CardRef, rules: Rules) -> Iterator[Violation]:
    if card.number is None:
        yield f"{name}.number", "is needed: this provider knows cards by their number alone"
        return
    yield from _needed(f"{name}.number.pan", card.number.reveal(), _PAN)
    if rules.is_expiry_needed or card.expiry:
        yield from _needed(f"{name}.number.expiry", card.expiry, _EXPIRY)
    if card.pin is not None:
        yield from _pin(name, card.pin, rules)


def _pin(name: str, pin: Pin, rules: Rules) -> Iterator[Violation]:
    match pin:
        case ClearPin(pin=clear):
            yield from _fault(f"{name}.number.clear_pin", clear.reveal(), _CLEAR_PIN)
        case EncryptedPin() as block:
            yield from _encrypted_pin(f"{name}.number.encrypted_pin", block, rules.pin_fields)
        case HashedPin() if rules.pin_fields == "deprecated":
            yield f"{name}.number.hashed_pin", "this provider's interface has no hashed PIN"
        case HashedPin(digest=digest, algorithm=algorithm):
            yield from _needed(f"{name}.number.hashed_pin.digest", digest.reveal(), _HASH)
            yield from _fault(f"{name}.number.hashed_pin.algorithm", algorithm, _HASH_NAME)


def _encrypted_pin(name: str, pin: EncryptedPin, fields: PinFields) -> Iterator[Violation]:
    yield from _needed(
        f"{name}.block", pin.block.reveal(), _PIN_BLOCK if fields == "pin" else _DEPRECATED_PIN_BLOCK
    )
    if is_block_alone(pin, fields):
        told = {
            "block_format": pin.block_format is not None,
            "account_number": pin.account_number is not None,
            "key_index": pin.key_index is not None,
        }
        for field in (field for field, is_told in told.items() if is_told):
            yield f"{name}.{field}", "has no place beside this PIN block: it is as agreed with the provider"
        return
    account = pin.account_number.reveal() if pin.account_number else ""
    is_bound = pin.block_format is not PinBlockFormat.ISO_1
    has_parameters = pin.account_number or pin.block_format or pin.key_index is not None
    check = _needed if has_parameters and is_bound else _fault
    yield from check(f"{name}.account_number", account, _ACCOUNT_NUMBER)


def _amount(ask: MoneyOperation, shape: Shape) -> Iterator[Violation]:
    if shape.needs_amount and ask.amount is None:
        yield "amount", "is needed"
    if ask.amount is not None and not shape.has_amount:
        yield "amount", "this provider takes no amount here: the whole card is meant"
    if not shape.has_amount:
        for field in ("ledger_indicator", "fee_amount", "fee_ledger_indicator", "additional_amounts"):
            if getattr(ask, field):
                yield field, "this provider takes no amounts here: the whole card is meant"
    if ask.ledger_indicator and ask.amount is None:
        yield "ledger_indicator", _SIDE_OF_NONE
    if ask.fee_ledger_indicator and ask.fee_amount is None:
        yield "fee_ledger_indicator", _SIDE_OF_NONE
    if ask.slip is not None:
        yield from _slip(ask.slip)


def _extras(ask: MoneyOperation, shape: Shape) -> Iterator[Violation]:
    if isinstance(ask, Activate) and ask.store:
        yield "store", "Electrum has no vault to store a card in"
    if ask.product is not None:
        yield from _optional("product", ask.product)
    elif shape.needs_product:
        yield "product", "is needed: this provider activates a card as a product"
    if ask.points is not None:
        yield from _points(ask, shape)
    if ask.basket is not None and shape.has_basket:
        yield from _needed("basket.basket_id", ask.basket.basket_id, _BASKET_ID)
        for n, item in enumerate(ask.basket.items):
            for field, limit in _ITEM.items():
                yield from _fault(f"basket.items[{n}].{field}", getattr(item, field), limit)


def _slip(slip: Slip) -> Iterator[Violation]:
    yield from _fault("slip.issuer_reference", slip.issuer_reference, _ISSUER_REFERENCE)
    for n, line in enumerate(slip.lines):
        if bool(line.barcode) != bool(line.barcode_encoding):
            yield f"slip.lines[{n}].barcode", "comes with its barcode_encoding, and neither alone"


def _points(ask: MoneyOperation, shape: Shape) -> Iterator[Violation]:
    if not shape.has_points:
        yield "points", "this provider takes points in a redemption alone"
    elif ask.points and ask.points.expires_on:
        try:
            date.fromisoformat(ask.points.expires_on)
        except ValueError:
            yield "points.expire_date", "must be a date"


def _tender(name: str, tender: Tender) -> Iterator[Violation]:
    if tender.account_type is AccountType.GIFT_CARD:
        yield f"{name}.account_type", "this provider has no tender paid from a gift card account"
    yield from _fault(f"{name}.masked_card_number", tender.masked_card_number, _MASKED_CARD)
    yield from _fault(f"{name}.reference", tender.reference, _TENDER_REFERENCE)
