"""ISO 4217 codes and exponents, read independently of the adapters so that each checks the other."""

from __future__ import annotations

from decimal import Decimal

import iso4217

_CURRENCIES = {one.code: one for one in iso4217.Currency if one.exponent is not None}


def numeric_code(currency: str) -> str:
    """Return the three-digit code of an alphabetic one, such as `710` for `ZAR`."""
    return f"{_CURRENCIES[currency].number:03d}"


def shown(currency: str, amount_minor: int) -> str:
    """Return an amount of minor units as a receipt prints it, such as `ZAR 799.95`."""
    return f"{currency} {Decimal(amount_minor).scaleb(-(_CURRENCIES[currency].exponent or 0))}"
