"""The parts of Electrum's answers as our values: amounts, slips, points, people. No verdict is given here.

Amounts that decide are read by `money`, which raises MoneyError; the rest by `gift`, which leaves out
what cannot be said (rule 19).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from giftcard_adapters.electrum import wire
from giftcard_adapters.electrum.codes import CONDITIONS, ENTRY_MODES, PIN_ENTRY
from giftcard_adapters.values.money import LedgerIndicator, Money, MoneyError, from_numeric_code
from giftcard_adapters.values.outcomes import Balances
from giftcard_adapters.values.point_of_sale import (
    Address,
    CardHolder,
    Institution,
    PointOfSale,
    Product,
    ThirdPartyIdentifier,
)
from giftcard_adapters.values.points import PointBalances, Points
from giftcard_adapters.values.reads import Club
from giftcard_adapters.values.slips import Slip, SlipLine

_ENTRY_MODES = {theirs: ours for ours, theirs in ENTRY_MODES.items()}
_PIN_ENTRY = {theirs: ours for ours, theirs in PIN_ENTRY.items()}
_CONDITIONS = {theirs: ours for ours, theirs in CONDITIONS.items()}
_SIDES = frozenset(LedgerIndicator)
_WIDEST_SLIP = 10_000
"""Characters; no printer is wider, and the contract has no room for more."""


def money(amount: wire.LedgerAmount | None) -> Money | None:
    """Return an amount; raise MoneyError when it cannot be said exactly."""
    return Money(from_numeric_code(amount.currency), amount.amount) if amount else None


def gift(amount: wire.LedgerAmount | None) -> Money | None:
    """Return an amount that decides nothing, None when it cannot be said exactly."""
    try:
        return money(amount)
    except MoneyError:
        return None


def balances(amounts: wire.Amounts) -> Balances:
    """Return both balances; raise MoneyError when one cannot be said exactly."""
    return Balances(book=_balance(amounts.balance_amount), available=_balance(amounts.available_balance))


def gift_balances(amounts: wire.Amounts) -> Balances:
    """Return both balances where a money operation tells them besides; none when one cannot be said."""
    try:
        return balances(amounts)
    except MoneyError:
        return Balances()


def additional(amounts: wire.Amounts) -> dict[str, Money]:
    """Return the additional amounts that can be said exactly."""
    if not amounts.additional_amounts:
        return {}
    told = {name: gift(amount) for name, amount in amounts.additional_amounts.items()}
    return {name: amount for name, amount in told.items() if amount}


def sides(amounts: wire.Amounts) -> dict[str, LedgerIndicator]:
    """Return which side of the ledger amounts are on, where that is told in a word we know.

    Of a balance the sign tells it, and what was asked is the request's.
    """
    named = {"approved_amount": amounts.approved_amount, "fee_amount": amounts.fee_amount}
    told = {**named, **amounts.additional_amounts}
    return {
        name: LedgerIndicator(amount.ledger_indicator)
        for name, amount in told.items()
        if amount and amount.ledger_indicator in _SIDES
    }


def point_of_sale(told: wire.PosInfo | None) -> PointOfSale | None:
    """Return how the card was read, and the circumstances; a word nobody documents is left out."""
    if told is None:
        return None
    modes = told.entry_mode or wire.EntryModes()
    read = PointOfSale(
        entry_mode=_ENTRY_MODES.get(modes.pan_entry_mode),
        pin_entry_capability=_PIN_ENTRY.get(modes.pin_entry_capability),
        condition=_CONDITIONS.get(told.pos_condition_code),
    )
    return None if read == PointOfSale() else read


def _balance(amount: wire.LedgerAmount | None) -> Money | None:
    """Read a balance; one marked DEBIT is owed by the holder, so below zero."""
    told = money(amount)
    if told is None or amount is None or amount.ledger_indicator != "DEBIT":
        return told
    return Money(told.currency, -abs(told.amount_minor))


def identifiers(told: Sequence[wire.Identifier]) -> tuple[ThirdPartyIdentifier, ...]:
    """Return every party's identifier."""
    return tuple(
        ThirdPartyIdentifier(
            institution_id=one.institution_id, transaction_identifier=one.transaction_identifier
        )
        for one in told
    )


def institution(party: wire.Party | None) -> Institution | None:
    """Return a party, if told."""
    return Institution(institution_id=party.id, name=party.name) if party else None


def product(told: wire.WireProduct | None) -> Product | None:
    """Return a product, if told."""
    if told is None:
        return None
    return Product(product_id=told.id, barcode=told.barcode, product_type=told.type)


def club(told: wire.WireClub) -> Club:
    """Return a club or a marketing attribute."""
    return Club(
        name=told.name,
        description=told.description,
        is_member=told.member,
        may_be_marketed_to=told.market_to_customer,
        products=tuple(one for one in map(product, told.products) if one),
    )


def slip(data: wire.SlipData | None) -> Slip | None:
    """Return what is to be printed; a width that no printer has is left out."""
    if data is None:
        return None
    return Slip(
        lines=tuple(_slip_line(line) for line in data.message_lines),
        width=data.slip_width if 0 <= (data.slip_width or 0) <= _WIDEST_SLIP else None,
        issuer_reference=data.issuer_reference,
    )


def _slip_line(line: wire.WireSlipLine) -> SlipLine:
    return SlipLine(
        text=line.text,
        width_factor=_scale(line.font_width_scale_factor),
        height_factor=_scale(line.font_height_scale_factor),
        line=line.line,
        cut=line.cut,
        barcode=line.barcode.data if line.barcode else "",
        barcode_encoding=line.barcode.encoding if line.barcode else "",
    )


def _scale(factor: float | None) -> float:
    """Return a font's factor; one that is not told is the printer's own."""
    return 1.0 if factor is None else factor


def point_balances(told: wire.PointAmounts | None, zone: ZoneInfo) -> PointBalances | None:
    """Return all points told; an expiry is a day in `zone`."""
    if told is None:
        return None
    return PointBalances(
        requested=_points(told.request_amount, zone),
        approved=_points(told.approved_amount, zone),
        book=_points(told.balance_amount, zone),
        available=_points(told.available_amount, zone),
    )


def _points(told: wire.PointsAmount | None, zone: ZoneInfo) -> Points | None:
    if told is None:
        return None
    return Points(
        amount=told.amount,
        worth=gift(told.currency_equivalent),
        due_to_expire=told.points_due_to_expire,
        expires_on=str(day(told.expiry_date, zone) or ""),
    )


def card_holder(told: wire.Customer | None, zone: ZoneInfo) -> CardHolder | None:
    """Return the card holder, if told; a birthday is a day in `zone`."""
    if told is None:
        return None
    return CardHolder(
        first_name=told.first_name,
        last_name=told.last_name,
        address=_address(told),
        date_of_birth=day(told.date_of_birth, zone),
        status=told.status,
        phone=told.msisdn,
        email=told.email_address,
        profile_id=told.profile_id,
    )


def _address(told: wire.Customer) -> Address | None:
    details = told.address_details
    if details is None:
        return Address(lines=(told.address,)) if told.address else None
    return Address(
        lines=tuple(line for line in (details.address_line1, details.address_line2) if line),
        city=details.city,
        region=details.region,
        postal_code=details.postal_code,
        country=details.country,
    )


def day(told: str, zone: ZoneInfo) -> date | None:
    """Return the day that a date or a time names, None for what is neither.

    Electrum writes a day as local midnight in UTC, so a time with an offset is read in `zone`.
    """
    try:
        at = datetime.fromisoformat(told)
        return at.astimezone(zone).date() if at.tzinfo else at.date()
    except (ValueError, OverflowError):
        return None
