"""The small values of the wire and ours: money, times, days, decimals, durations.

Requests are validated before they come here, so nothing here refuses a request. What a provider
told is not: `money_to` and its kin raise on what the wire cannot say.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date
from google.type.decimal_pb2 import Decimal as WireDecimal
from google.type.money_pb2 import Money as WireMoney

from giftcard_adapters.values.money import CURRENCIES, Money, exponent_of

NANOS = 1_000_000_000
"""Nanos in one unit, of money and of seconds."""

_SCALES = {code: (10 ** exponent_of(code), NANOS // 10 ** exponent_of(code)) for code in CURRENCIES}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def money_from(wire: WireMoney) -> Money:
    """Return exact money; the amount was validated to be no finer than its currency."""
    per_unit, per_minor = _SCALES[wire.currency_code]
    return Money(wire.currency_code, wire.units * per_unit + wire.nanos // per_minor)


def money_to(money: Money) -> WireMoney:
    """Return `google.type.Money`; units and nanos have one sign, as it asks."""
    wire = WireMoney()
    put_money(wire, money)
    return wire


def put_money(wire: WireMoney, money: Money) -> None:
    """Write money into a field of a message, which costs a third of making it and copying it there."""
    per_unit, per_minor = _SCALES[money.currency]
    amount, sign = money.amount_minor, 1
    if amount < 0:
        amount, sign = -amount, -1
    units, nanos = amount // per_unit, amount % per_unit * per_minor
    wire.currency_code = money.currency
    wire.units = sign * units
    wire.nanos = sign * nanos


def time_from(wire: Timestamp) -> datetime:
    """Return an aware time in UTC, to the microsecond."""
    return _EPOCH + timedelta(seconds=wire.seconds, microseconds=wire.nanos // 1000)


def time_to(at: datetime) -> Timestamp:
    """Return a timestamp; a time that a provider told without its zone is taken for UTC (assumption)."""
    wire = Timestamp()
    put_time(wire, at)
    return wire


def put_time(wire: Timestamp, at: datetime) -> None:
    """Write a time into a field of a message, as `time_to` returns it."""
    since = (at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH
    wire.seconds = since.days * 86400 + since.seconds
    wire.nanos = since.microseconds * 1000


def day_from(wire: Date) -> date:
    """Return a complete day."""
    return date(wire.year, wire.month, wire.day)


def day_to(day: date) -> Date:
    """Return a complete day."""
    return Date(year=day.year, month=day.month, day=day.day)


def decimal_from(wire: WireDecimal) -> Decimal:
    """Return an exact decimal."""
    return Decimal(wire.value)


def decimal_to(value: Decimal) -> WireDecimal:
    """Return an exact decimal, never in exponent form."""
    return WireDecimal(value=f"{value:f}")


def seconds_from(wire: Duration) -> float:
    """Return seconds."""
    return wire.seconds + wire.nanos / NANOS


def seconds_to(duration_s: float) -> Duration:
    """Return a duration of so many seconds, to the microsecond."""
    seconds, micros = divmod(round(duration_s * 1_000_000), 1_000_000)
    return Duration(seconds=seconds, nanos=micros * 1000)
