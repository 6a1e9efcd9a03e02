"""Why what is asked of a transaction is refused, in words for whoever asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from giftcard_adapters.errors import Invalid, Unsupported
from giftcard_gateway.errors import (
    GatewayError,
    InvalidRequest,
    StateConflict,
    TransactionNotFound,
    TransactionReversed,
)
from giftcard_gateway.ledger.entry import FINAL, Entry, State

if TYPE_CHECKING:
    from giftcard_adapters.values.operations import Operation
    from giftcard_gateway.access.identities import Identity
    from giftcard_gateway.providers.connections import Connection


def told(
    fault: Invalid | Unsupported,
    unsupported: type[GatewayError],
    connection: Connection,
    operation: Operation,
) -> GatewayError:
    """Return an adapter's refusal as an error for the caller."""
    if isinstance(fault, Invalid):
        return InvalidRequest(fault.violations)
    return unsupported(str(fault), provider=connection.provider_id, operation=operation.value)


def must_touch(by: Identity, entry: Entry) -> None:
    """Raise TransactionNotFound, as if it were not there, for a transaction that the caller may not touch."""
    if not by.may_touch(entry):
        raise TransactionNotFound(transaction_id=entry.callers_id)


def must_be(entry: Entry, operation: Operation) -> None:
    """Raise StateConflict for a transaction of another operation."""
    if entry.operation is not operation:
        raise StateConflict(
            f"This transaction is a {entry.operation.value}, not a {operation.value}.",
            state=entry.state.value,
            operation=entry.operation.value,
        )


_INSTEAD = {
    State.PENDING: "wait for its outcome, or RedeliverAdvice tries at once",
    State.APPROVED: "confirm or reverse it",
    State.CONFIRMING: "wait for its provider, or RedeliverAdvice tries at once",
    State.REVERSING: "wait for its provider, or RedeliverAdvice tries at once",
    State.UNRESOLVED: "ResolveTransaction ends it, once you found out what the provider did",
}
"""What may be done with a transaction in a state, where something else was tried."""


def said_of(entry: Entry) -> str:
    """Say in which state an entry is, and what to do instead."""
    if entry.state in FINAL:
        return f"has ended as {entry.state.value}: nothing is left to do."
    return f"is {entry.state.value}: {_INSTEAD[entry.state]}."


def conflict(entry: Entry, sentence: str = "") -> GatewayError:
    """Return the refusal of what the state of an entry does not allow."""
    metadata = {"state": entry.state.value, "transaction_id": entry.callers_id}
    if entry.state in {State.REVERSING, State.REVERSED}:
        return TransactionReversed(sentence, **metadata)
    ended = "has ended as" if entry.state in FINAL else "is"
    return StateConflict(sentence or f"The transaction {ended} {entry.state.value}.", **metadata)
