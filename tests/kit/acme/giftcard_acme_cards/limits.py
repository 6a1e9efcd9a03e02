"""What AcmeCards cannot take, refused before anything is written or sent."""

from __future__ import annotations

from giftcard_adapters.errors import Invalid, Unsupported
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import MoneyOperation, Redeem
from giftcard_adapters.values.reads import Lookup
from giftcard_adapters.values.secret import Secret


def check_operation(ask: MoneyOperation) -> None:
    """Raise Invalid with each field a redemption misses, or Unsupported for what has no field."""
    if not isinstance(ask, Redeem):
        return
    if ask.card.pin is not None or ask.points is not None:
        raise Unsupported("AcmeCards has neither PINs nor points")
    number_and_amount(ask)


def number_and_amount(ask: Redeem) -> tuple[Secret, Money]:
    """Return the card's number and the amount; raise Invalid with each that is missing."""
    number, amount = ask.card.number, ask.amount
    has_amount = amount is not None and amount.amount_minor > 0
    if number is not None and amount is not None and has_amount:
        return number, amount
    faults = [] if number is not None else [("card", "AcmeCards knows a card by its number only")]
    if not has_amount:
        faults.append(("amount", "AcmeCards needs an amount of more than zero"))
    raise Invalid(faults)


def check_lookup(ask: Lookup) -> Secret:
    """Return the card's number; raise Invalid without one."""
    if ask.card is None or ask.card.number is None:
        raise Invalid([("card", "AcmeCards knows a card by its number only")])
    return ask.card.number
