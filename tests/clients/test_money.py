"""Exact money: what is taken, what is refused, and that nothing is lost."""

from __future__ import annotations

from decimal import Decimal
from typing import cast

import iso4217
import pytest
from google.type.money_pb2 import Money
from hypothesis import given
from hypothesis import strategies as st

from giftcard import minor_to_money, to_decimal, to_money
from giftcard.money import decimals_of


@pytest.mark.parametrize(
    ("amount", "units", "nanos"),
    [
        ("100.00", 100, 0),
        ("99.95", 99, 950_000_000),
        (Decimal("-0.01"), 0, -10_000_000),
        ("1e2", 100, 0),
        ("0.000000001", 0, 1),
    ],
)
def test_money_is_exact(amount: str | Decimal, units: int, nanos: int) -> None:
    """Text and Decimal become Money digit by digit."""
    assert to_money(amount, "ZAR") == Money(currency_code="ZAR", units=units, nanos=nanos)


@pytest.mark.parametrize("amount", [1.0, 1, True, None])
def test_no_float_and_no_bare_int_is_an_amount(amount: object) -> None:
    """A float is not exact and an int does not say its units: both are refused in a sentence."""
    with pytest.raises(TypeError, match=r"^An amount is a str or a Decimal, never a \w+: "):
        to_money(cast("str", amount), "ZAR")


@pytest.mark.parametrize("amount", ["", "ten", "NaN", "Infinity", "0.0000000001"])
def test_what_is_no_exact_amount_is_refused(amount: str) -> None:
    """What is not a finite number of at most nine decimals is a ValueError."""
    with pytest.raises(ValueError, match="An amount is"):
        to_money(amount, "ZAR")


@pytest.mark.parametrize("amount_minor", [1.0, "1", True])
def test_minor_units_are_ints(amount_minor: object) -> None:
    """Minor units are counted, so only an int will do."""
    with pytest.raises(TypeError, match="Minor units are an int"):
        minor_to_money(cast("int", amount_minor), "ZAR")


@given(st.integers(-(10**15), 10**15), st.sampled_from(["ZAR", "JPY", "KWD", "CLF"]))
def test_minor_units_come_back(amount_minor: int, currency: str) -> None:
    """Minor units to Money to Decimal loses nothing, in every number of decimals there is."""
    exact = to_decimal(minor_to_money(amount_minor, currency))
    assert exact.scaleb(decimals_of(currency)) == amount_minor
    assert to_money(exact, currency) == minor_to_money(amount_minor, currency)


def test_decimals_are_those_of_iso_4217() -> None:
    """Every currency with minor units has as many decimals here as in ISO 4217."""
    listed = {each.code: each.exponent for each in iso4217.Currency if each.exponent is not None}
    assert {code: decimals_of(code) for code in listed} == listed


def test_an_amount_reads_as_its_currency_does() -> None:
    """An amount comes back with its currency's decimals, or more where it has more."""
    assert str(to_decimal(to_money("5", "ZAR"))) == "5.00"
    assert str(to_decimal(to_money("5", "JPY"))) == "5"
    assert str(to_decimal(to_money("5.125", "ZAR"))) == "5.125"
