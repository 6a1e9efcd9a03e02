"""What pages say of values of the contract: names, amounts and times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from giftcard import to_decimal, v1
from giftcard_adapters.values.names import names_of

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp
    from google.type.money_pb2 import Money


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
