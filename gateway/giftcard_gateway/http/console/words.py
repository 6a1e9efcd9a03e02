"""What pages say of values of the contract: names, amounts and times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from giftcard import to_decimal, v1
from giftcard_adapters.values.names import names_of

if TYPE_CHECKING:
    from google.protobuf.duration_pb2 import Duration
    from google.protobuf.timestamp_pb2 import Timestamp
    from google.type.money_pb2 import Money

_SECOND_MS = 1000


def state_of(state: v1.TransactionState.ValueType) -> str:
    """Return a state's name, such as UNRESOLVED."""
    return v1.TransactionState.Name(state).removeprefix("TRANSACTION_STATE_")


def operation_of(operation: v1.Operation.ValueType) -> str:
    """Return an operation as people write it, such as Cash out."""
    return names_of(v1.Operation.Name(operation).removeprefix("OPERATION_")).words


def money(amount: Money) -> str:
    """Return an amount with its currency, nothing where there is none."""
    return f"{to_decimal(amount)} {amount.currency_code}" if amount.currency_code else ""


def time_of(at: Timestamp) -> datetime | None:
    """Return a time; None for one that was left out."""
    return at.ToDatetime(tzinfo=UTC) if at.seconds or at.nanos else None


def amount_of(one: v1.Transaction) -> str:
    """Return what was approved, or else asked for."""
    return money(one.approved_amount if one.HasField("approved_amount") else one.requested_amount)


def latency_of(one: v1.Provider) -> str:
    """Return within what time half of a provider's last answers came, and 99 of 100; nothing without any."""
    recent = one.recent_exchanges
    if not recent.HasField("p50_latency"):
        return ""
    return f"{_span(recent.p50_latency)} / {_span(recent.p99_latency)}"


def exchanges_of(one: v1.Provider) -> str:
    """Return how many exchanges a minute there were with a provider of late, and how many of them failed."""
    if not one.HasField("recent_exchanges"):
        return ""
    recent = one.recent_exchanges
    # Less than a minute is told as one: two in the first second after a start are no hundred a minute.
    minutes = max(recent.window.ToTimedelta().total_seconds(), 60.0) / 60
    return f"{recent.exchange_count / minutes:.3g} / {recent.failure_count / minutes:.3g}"


def _span(duration: Duration) -> str:
    """Return a duration to two digits or so, as fine as it is known."""
    milliseconds = duration.ToMilliseconds()
    return f"{milliseconds} ms" if milliseconds < _SECOND_MS else f"{milliseconds / _SECOND_MS:.1f} s"
