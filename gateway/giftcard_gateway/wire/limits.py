"""The checks that only the contract's comments state: digits, ranges, fields that need each other.

One row per field, named `Message.field`. What the descriptors can say (REQUIRED, UUIDs, enums,
oneofs, bounds) is read from them in `validation` and does not stand here. A check returns the faults it
finds as (path below the field, what is wrong); no text holds the value, which may be a card number.
"""

# ruff: noqa: ANN401 - protobuf hands out strings, numbers, maps and messages alike
from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from google.type.money_pb2 import Money

from giftcard.v1 import (
    ActivateRequest,
    EncryptedPin,
    ListStoredCardsRequest,
    PinBlockFormat,
    ReconcileScope,
    SettlementRow,
    SlipLine,
    TransactionFilter,
)
from giftcard_adapters.values.money import CURRENCIES
from giftcard_adapters.values.names import names_of
from giftcard_adapters.values.operations import Operation
from giftcard_gateway.wire.tracks import read_track

Violations = Iterable[tuple[str, str]]
Check = Callable[[Any], Violations]
"""Looks at one value; Any because protobuf hands out strings, numbers, maps and messages alike."""

NONE: Violations = ()


def is_track(text: str) -> Violations:
    """Check that a text is a magnetic stripe's track."""
    return NONE if read_track(text) else (("", "must be track 1 or 2 of a magnetic stripe"),)


def shaped(pattern: str, fault: str) -> Check:
    """Check a text against a regular expression, from end to end."""
    fits = re.compile(pattern).fullmatch
    found = (("", fault),)
    return lambda text: NONE if fits(text) else found


def within(lowest: int, highest: int) -> Check:
    """Check a whole number."""
    found = (("", f"must be from {lowest} to {highest}"),)
    return lambda number: NONE if lowest <= number <= highest else found


def not_negative(number: int) -> Violations:
    """Check that a number is not negative."""
    return NONE if number >= 0 else (("", "must not be negative"),)


def above_zero(number: int) -> Violations:
    """Check that a number is more than zero."""
    return NONE if number > 0 else (("", "must be more than 0"),)


def moves_money(money: Money) -> Violations:
    """Check that an amount is above zero; no amount may be negative anyway."""
    return NONE if money.units or money.nanos else (("", "must be more than 0"),)


def labels(given: Mapping[str, str]) -> Violations:
    """Check that no label's key is empty."""
    return NONE if all(given) else (("", "keys must not be empty"),)


def wait_time(duration: Any) -> Violations:
    """Check that a time to wait is not negative; more than the most is cut, as the contract says."""
    if duration.seconds < 0 or duration.nanos < 0:
        yield "", "must not be negative"


def additional_amounts(given: Collection[Any]) -> Violations:
    """Check that no name comes twice: providers have them as a map."""
    if len({one.name for one in given}) < len(given):
        yield "", "must have each name once"


def is_scale(factor: float) -> Violations:
    """Check that a font's factor is a number a printer could have."""
    return NONE if 0 < factor <= _MOST_SCALE else (("", f"must be more than 0 and at most {_MOST_SCALE}"),)


_MOST_SCALE = 100

_country = shaped("[A-Z]{2}", "must be the two letters of ISO 3166-1")
_page_size = not_negative
_code_20 = shaped("[A-Za-z0-9]{1,20}", "must be 1 to 20 letters and digits")

_provider_id = shaped(
    r"(?!\.{1,2}$)(?!\s)[^\x00-\x1f\x7f/\\?#%]{1,256}(?<!\s)",
    "must be an id as the provider gave it, without `/`, `\\`, `?`, `#` and `%`, and not `.` or `..`",
)
"""Ids become parts of a provider's paths, and must not lead to another path."""

LIMITS: Mapping[str, Check] = {
    "Card.stored_card_id": _provider_id,
    "Card.provider_card_id": _provider_id,
    "GetStoredCardRequest.stored_card_id": _provider_id,
    "DeleteStoredCardRequest.stored_card_id": _provider_id,
    "DownloadExportRequest.export_id": _provider_id,
    "IssueRequest.template_id": _provider_id,
    "IssueRequest.theme_id": _provider_id,
    "IssueRequest.offer_id": _provider_id,
    "GetTicketStatisticsRequest.offer_id": _provider_id,
    "Buyer.buyer_id": _provider_id,
    "CardNumber.pan": shaped("[0-9A-Za-z]{1,32}", "must be 1 to 32 letters and digits"),
    "SwipedCard.track": is_track,
    "CardNumber.expiry": shaped("[0-9]{2}(0[1-9]|1[0-2])", "must be YYMM, with a month from 01 to 12"),
    "EncryptedPin.block": shaped("[0-9A-Fa-f]{8,16}", "must be 8 to 16 hexadecimal digits"),
    "EncryptedPin.account_number": shaped("[0-9]{12}", "must be 12 digits"),
    "EncryptedPin.key_index": not_negative,
    "HashedPin.digest": shaped("[0-9A-F]{1,512}", "must be 1 to 512 upper-case hexadecimal digits"),
    "Merchant.category_code": shaped("[0-9]{4}", "must be 4 digits"),
    "Merchant.country": _country,
    "Product.product_id": shaped("[A-Za-z0-9]{1,100}", "must be 1 to 100 letters and digits"),
    "Product.barcode": shaped("[A-Za-z0-9]{1,13}", "must be at most 13 letters and digits"),
    "Basket.basket_id": _code_20,
    "BasketItem.product_id": _code_20,
    "BasketItem.product_type": shaped("[A-Za-z0-9]{1,30}", "must be 1 to 30 letters and digits"),
    "CardHolder.phone": shaped(r"\+[1-9][0-9]{1,14}", "must be in E.164 form, such as +27821234567"),
    "Address.country": _country,
    "Tender.masked_card_number": shaped(
        r"(?=.{1,19}$)[0-9]{0,6}\*+[0-9]{0,4}", "must be masked: six digits, then `*`"
    ),
    "AdditionalAmount.name": shaped(".+", "must not be empty or have a line break"),
    "Slip.width": within(1, 10_000),
    "Slip.issuer_reference": shaped("[A-Z0-9]{1,40}", "must be 1 to 40 capital letters and digits"),
    "SlipLine.width_factor": is_scale,
    "SlipLine.height_factor": is_scale,
    "Points.amount": above_zero,
    "Points.due_to_expire": not_negative,
    "IssueRequest.amount": moves_money,
    "LoadRequest.amount": moves_money,
    "RedeemRequest.amount": moves_money,
    "TransferRequest.amount": moves_money,
    "IssueRequest.quantity": within(0, 100),
    "GetTransactionRequest.wait": wait_time,
    "ListTransactionsRequest.page_size": _page_size,
    "ListProvidersRequest.page_size": _page_size,
    "ListTemplatesRequest.page_size": _page_size,
    "ListOffersRequest.page_size": _page_size,
    "ListStoredCardsRequest.page_size": _page_size,
    "ListStoredCardsRequest.order_by": shaped(
        "(customer_)?(last_use_time|usage_count)( desc)?",
        "must be last_use_time, usage_count or either with `customer_` before it; ` desc` may follow",
    ),
    "ExtractAccountsRequest.currency_code": lambda code: (
        NONE if code in CURRENCIES else (("", "is not an ISO 4217 currency"),)
    ),
    "TransactionFilter.labels": labels,
    **{
        f"{names_of(operation).rpc}Request.{field}": check
        for operation in Operation
        for field, check in (("labels", labels), ("additional_amounts", additional_amounts))
    },
    **{f"{names_of(operation).reverse_rpc}Request.amount": moves_money for operation in Operation},
}
"""By `Message.field`; a check sees only a field that is set."""


_BOUND_FORMATS = {PinBlockFormat.PIN_BLOCK_FORMAT_ISO_0, PinBlockFormat.PIN_BLOCK_FORMAT_ISO_3}


def _vault_buyer(request: ActivateRequest) -> Violations:
    if request.HasField("buyer") and not request.store:
        yield ".buyer", "is only for a card that is stored: set `store` too"


def _account_number(pin: EncryptedPin) -> Violations:
    if pin.block_format in _BOUND_FORMATS and not pin.account_number:
        yield ".account_number", "must be set: this block format is bound to it"
    if pin.block_format == PinBlockFormat.PIN_BLOCK_FORMAT_ISO_1 and pin.account_number:
        yield ".account_number", "must be empty: this block format is not bound to an account"


def _sides(request: Any) -> Violations:
    """Check that what is said of the side of an amount comes with the amount."""
    for side, amount in (("ledger_indicator", "amount"), ("fee_ledger_indicator", "fee_amount")):
        is_told = side in request.DESCRIPTOR.fields_by_name and getattr(request, side)
        if is_told and not request.HasField(amount):
            yield f".{side}", f"is only for an amount: set `{amount}` too"


def _activation(request: ActivateRequest) -> Violations:
    yield from _vault_buyer(request)
    yield from _sides(request)


def _barcode(line: SlipLine) -> Violations:
    if line.barcode_encoding and not line.barcode:
        yield ".barcode", "must be set: an encoding needs what to encode"


def _buyer_with_balances(request: ListStoredCardsRequest) -> Violations:
    if request.with_balances and not request.HasField("buyer"):
        yield ".buyer", "must be set when balances are asked for"


def _created_span(wanted: TransactionFilter) -> Violations:
    if wanted.HasField("created_from") and wanted.HasField("created_before"):
        yield from _span(wanted.created_from, wanted.created_before, ".created_before")


def _scope(scope: ReconcileScope) -> Violations:
    if scope.HasField("start_time") and scope.HasField("end_time"):
        yield from _span(scope.start_time, scope.end_time, ".end_time")
    if scope.close_unresolved and not scope.note:
        yield ".note", "must be set when unresolved transactions are to be ended"


def _names_transaction(row: SettlementRow) -> Violations:
    if not row.transaction_id and not row.provider_reference:
        yield ".transaction_id", "must be set, or `provider_reference`"


def _day_span(request: Any) -> Violations:
    first, last = request.from_day, request.to_day
    if request.HasField("from_day") and request.HasField("to_day"):
        days = [(day.year, day.month, day.day) for day in (first, last)]
        if days[0] > days[1]:
            yield ".to_day", "must not be before `from_day`"


def _span(start: Any, end: Any, path: str) -> Violations:
    if (start.seconds, start.nanos) >= (end.seconds, end.nanos):
        yield path, "must be after the start"


SIGNED = frozenset({"SettlementRow.amount"})
"""Amounts that may be negative: money that went back."""

JUDGED_APART = frozenset({"ReconcileRequest.row"})
"""Fields whose content the call itself validates, because one that is wrong must not cost the others."""

RULES: Mapping[str, Check] = {
    **{f"{names_of(operation).rpc}Request": _sides for operation in Operation},
    "ActivateRequest": _activation,
    "SlipLine": _barcode,
    "EncryptedPin": _account_number,
    "ListStoredCardsRequest": _buyer_with_balances,
    "TransactionFilter": _created_span,
    "ReconcileScope": _scope,
    "SettlementRow": _names_transaction,
    "ExtractAccountsRequest": _day_span,
    "GetTicketStatisticsRequest": _day_span,
}
"""Fields that need or exclude each other, by message."""
