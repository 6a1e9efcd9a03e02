"""Exact money for requests and answers: `google.type.Money` from text, `Decimal` or minor units, and back.

Nothing here rounds, and nothing takes a float. Which currencies there are is the gateway's to say;
only how many decimals they have is known here.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import cast

from google.type.money_pb2 import Money

Amount = Money | Decimal | str
"""How an amount of major units can be written: `"100.00"`, `Decimal("100.00")`, or a finished Money."""

_NANO_DIGITS = 9
_USUAL_DECIMALS = 2
# ISO 4217, the currencies that do not have two decimals.
_NO_DECIMALS = (
    *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"),
    *("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"),
)
_DECIMALS = {
    **dict.fromkeys(_NO_DECIMALS, 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}


def decimals_of(currency: str) -> int:
    """Tell how many decimals a currency of ISO 4217 has; 2 for any other, which the gateway refuses."""
    return _DECIMALS.get(currency, _USUAL_DECIMALS)


def to_money(amount: Amount, currency: str) -> Money:
    """Make money from major units: `to_money("99.95", "ZAR")`.

    Raises TypeError for a float or an int, and ValueError for what is not an exact amount.
    """
    given = cast("object", amount)  # callers without a type checker send anything
    if isinstance(given, Money):
        raise TypeError("This amount is a Money already; its currency is said in it.")
    if not isinstance(given, Decimal | str):
        raise TypeError(
            f"An amount is a str or a Decimal, never a {type(given).__name__}: a float is not exact, "
            "and an int does not say whether it counts major or minor units."
        )
    try:
        nanos = Decimal(given).scaleb(_NANO_DIGITS)
    except InvalidOperation:
        raise ValueError("An amount is a decimal number, such as '99.95'.") from None
    if not nanos.is_finite() or nanos != nanos.to_integral_value():
        raise ValueError("An amount is finite and has at most nine decimals.")
    return _split(int(nanos), currency)


def minor_to_money(amount_minor: int, currency: str) -> Money:
    """Make money from minor units: `minor_to_money(9995, "ZAR")` is ZAR 99.95. Takes ints only."""
    given = cast("object", amount_minor)
    if not isinstance(given, int) or isinstance(given, bool):
        raise TypeError(f"Minor units are an int, never a {type(given).__name__}.")
    return _split(given * 10 ** (_NANO_DIGITS - decimals_of(currency)), currency)


def to_decimal(money: Money) -> Decimal:
    """Return the exact amount in major units, with at least the decimals its currency has."""
    exact = money.units + Decimal(money.nanos).scaleb(-_NANO_DIGITS)
    cents = exact.quantize(Decimal(1).scaleb(-decimals_of(money.currency_code)))
    return cents if cents == exact else exact.normalize()


def _split(nanos: int, currency: str) -> Money:
    """Split nano-units as google.type.Money wants it: units and nanos of one sign."""
    sign = -1 if nanos < 0 else 1
    units, rest = divmod(abs(nanos), 10**_NANO_DIGITS)
    return Money(currency_code=currency, units=sign * units, nanos=sign * rest)
