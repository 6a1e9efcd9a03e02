"""Exact money: what providers may write, and what is refused rather than rounded or choked on."""

from __future__ import annotations

from decimal import Decimal

import pytest

from giftcard_adapters.values.money import Money, MoneyError, from_decimal


@pytest.mark.parametrize("written", ["10.5", "10.500000", "1.05E+1", "10." + "5" + "0" * 90])
def test_zeros_beyond_the_currency_are_no_digits(written: str) -> None:
    """A provider may write more decimals than the currency has, as long as they are zero."""
    assert from_decimal(Decimal(written), "USD") == Money("USD", 1050)


@pytest.mark.parametrize(
    "written",
    [
        "10.505",
        "10." + "0" * 90 + "1",
        "1" * 40 + ".005",
        "1E+999990",
        "1E+9999999",
        "92233720368547758.08",
        "Infinity",
        "NaN",
        "sNaN",
    ],
)
def test_what_cannot_be_counted_is_refused(written: str) -> None:
    """Whatever a provider writes, an amount is exact or a MoneyError: never rounded, never another fault."""
    with pytest.raises(MoneyError):
        from_decimal(Decimal(written), "USD")


def test_money_fits_the_wire_and_the_journal() -> None:
    """An amount that 64 bits cannot hold is no money: it could be neither written down nor answered."""
    assert Money("JPY", -(2**63) + 1).amount_minor == 1 - 2**63
    for minor in (2**63, -(2**63)):
        with pytest.raises(MoneyError):
            Money("JPY", minor)
