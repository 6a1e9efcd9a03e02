"""Exact money: ISO 4217 codes, exponents, conversion to and from providers' forms.

Amounts are integers of minor units; decimals exist only in providers' messages. Nothing here rounds,
and nothing here is a float (rule 12). The ISO table comes from the `iso4217` package.
"""

from __future__ import annotations

from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from enum import StrEnum

import iso4217
import msgspec

from giftcard_adapters.errors import AdapterError

_MOST_MINOR = 2**63 - 1
_MOST_DIGITS = 19
_EXACTLY = Context(prec=60, traps=[InvalidOperation, Overflow, Inexact])
"""Arithmetic that refuses where the usual context would round."""


class LedgerIndicator(StrEnum):
    """Which side of the ledger an amount is on, seen from the account it is of."""

    DEBIT = "DEBIT"
    CREDIT = "CREDIT"


class MoneyError(AdapterError):
    """An amount or currency cannot be represented exactly."""


class Money(msgspec.Struct, frozen=True):
    """An exact amount: `amount_minor` minor units of the ISO 4217 alphabetic `currency`."""

    currency: str
    amount_minor: int

    def __post_init__(self) -> None:
        """Raise MoneyError for an amount that neither the wire nor a journal can hold."""
        if not -_MOST_MINOR <= self.amount_minor <= _MOST_MINOR:
            raise MoneyError("more than can be counted")

    def __str__(self) -> str:
        """Show the amount with the currency's own number of decimals, such as `ZAR 799.95`."""
        return f"{self.currency} {to_decimal(self)}"


class AdditionalAmount(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A further amount of a request, under a name agreed with the provider."""

    name: str
    amount: Money
    ledger_indicator: LedgerIndicator | None = None


_EXPONENTS = {c.code: c.exponent for c in iso4217.Currency if c.exponent is not None}
_NUMERIC = {c.code: f"{c.number:03d}" for c in iso4217.Currency if c.code in _EXPONENTS}
_ALPHABETIC = {numeric: code for code, numeric in _NUMERIC.items()}

CURRENCIES = frozenset(_EXPONENTS)
"""Every currency a gift card can hold: ISO 4217 codes with minor units, so no metals or test codes."""


def exponent_of(currency: str) -> int:
    """Return how many decimals `currency` has; raise MoneyError for a code ISO 4217 does not list."""
    try:
        return _EXPONENTS[currency]
    except KeyError:
        raise MoneyError(f"{currency!r:.12} is not an ISO 4217 currency with minor units") from None


def numeric_code(currency: str) -> str:
    """Return the three-digit ISO 4217 code, such as `710` for `ZAR`."""
    exponent_of(currency)
    return _NUMERIC[currency]


def from_numeric_code(numeric: str) -> str:
    """Return the alphabetic ISO 4217 code for three digits; raise MoneyError when there is none."""
    try:
        return _ALPHABETIC[numeric]
    except KeyError:
        raise MoneyError(f"{numeric!r:.12} is not an ISO 4217 numeric currency") from None


def to_decimal(money: Money) -> Decimal:
    """Return the amount in major units, exact, with the currency's own number of decimals."""
    return Decimal(money.amount_minor).scaleb(-exponent_of(money.currency))


def from_decimal(amount: Decimal | str, currency: str) -> Money:
    """Return money from an exact decimal of major units; raise MoneyError rather than round.

    A provider may write more decimals than the currency has (`10.500000`); that is fine as long as
    the digits beyond are zero.
    """
    try:
        minor = _EXACTLY.scaleb(Decimal(amount), exponent_of(currency))
    except (InvalidOperation, Overflow):
        raise MoneyError("not a decimal amount") from None
    except Inexact:
        raise MoneyError("more digits than an amount can have") from None
    if not minor.is_finite() or minor != minor.to_integral_value():
        raise MoneyError(f"more decimals than {currency} has")
    if minor.adjusted() >= _MOST_DIGITS:
        raise MoneyError("more than can be counted")
    return Money(currency, int(minor))
