"""The money operations: what to ask, confirm and reverse, each as a plan. The operation is data.

How the plans become methods of the clients is in `giftcard.calls`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, Self, Unpack, cast

import grpc
from google.protobuf.message import Message

from giftcard import v1
from giftcard.abouts import CallPhase
from giftcard.errors import (
    CallError,
    CallNotSent,
    Closed,
    ConfirmationFailed,
    NoAnswer,
    Throttled,
    Unavailable,
)
from giftcard.fields import (
    ActivateFields,
    ConfirmFields,
    IssueFields,
    LoadFields,
    RedeemFields,
    ReplaceFields,
    ReverseFields,
    TransferFields,
    VoidFields,
)
from giftcard.reads import get_transaction_request
from giftcard.requests import make_request
from giftcard.scripts import Method, RepeatPolicy, Script, repeat, send
from giftcard.stubs import Stubs

# The last part of a call's time is kept for finding out how a lost call ended.
_FINDING_SHARE = 0.25
# Of that, what the answer itself may take; the rest the gateway may wait, and by the contract 60 s at most.
_ANSWERING_S = 1.0
_LONGEST_WAIT_S = 60.0


def is_repeatable_ask(error: CallError) -> bool:
    """Tell whether a request may be repeated: nothing was sent, or the connection ended.

    What is left open otherwise is not asked again but looked up, so that a till hears of it in time.
    """
    return isinstance(error, Unavailable) and (not isinstance(error, Throttled) or bool(error.reason))


def is_repeatable_advice(error: CallError) -> bool:
    """Tell whether a confirmation or reversal may be repeated: after all that is not a refusal."""
    if isinstance(error, CallNotSent):
        # What gives the token may be better in a moment; a client that is closed stays closed.
        return not isinstance(error, Closed)
    return isinstance(error, Unavailable | NoAnswer)


class _TransactionAnswer(Protocol):
    """What all money calls answer."""

    @property
    def transaction(self) -> v1.Transaction: ...


def _method_of(name: str) -> Method[Message, Message]:
    """Find a call of GiftCardService by its name."""

    def method(stubs: Stubs) -> grpc.UnaryUnaryMultiCallable[Message, Message]:
        return cast("grpc.UnaryUnaryMultiCallable[Message, Message]", getattr(stubs.gift_cards, name))

    return method


@dataclass(frozen=True)
class MoneyCall:
    """A money call that is ready to be made."""

    name: str
    transaction_id: str
    request: Message
    deadline_s: float | None

    @classmethod
    def of(cls, name: str, fields: Mapping[str, object]) -> Self:
        """Make the request of a call from its keyword arguments."""
        rest = dict(fields)
        deadline_s = cast("float | None", rest.pop("deadline_s", None))
        kind = cast("type[Message]", getattr(v1, f"{name}Request"))
        return cls(name, str(rest.get("transaction_id", "")), make_request(kind, rest), deadline_s)

    def __repr__(self) -> str:
        """Leave the request out: it names a card."""
        return f"{self.name}({self.transaction_id})"

    def budget_s(self, policy: RepeatPolicy) -> float:
        """Say how long the whole call may take."""
        return policy.deadline_s if self.deadline_s is None else self.deadline_s

    def repeated(
        self, policy: RepeatPolicy, until_s: float, is_repeatable: Callable[[CallError], bool]
    ) -> Script[v1.Transaction]:
        """Make the call as often as it may be made."""
        response = yield from repeat(
            _method_of(self.name), self.request, until_s=until_s, policy=policy, is_repeatable=is_repeatable
        )
        return cast("_TransactionAnswer", response).transaction


class Ask(MoneyCall):
    """The first call of an operation: repeated after a refusal that passes, looked up when it got lost."""

    def __call__(self, policy: RepeatPolicy) -> Script[v1.Transaction]:
        """Ask; when no answer tells the outcome, read it from the gateway."""
        end_s = policy.clock_s() + self.budget_s(policy)
        asking_until_s = end_s - _FINDING_SHARE * self.budget_s(policy)
        try:
            return (yield from self.repeated(policy, asking_until_s, is_repeatable_ask))
        except CallError as error:
            if not error.is_outcome_open:
                raise
            lost = error
        return (yield from self._find(policy, end_s, lost))

    def _find(self, policy: RepeatPolicy, end_s: float, lost: CallError) -> Script[v1.Transaction]:
        """Read how a lost call ended; raise what lost it if the gateway does not know or does not answer."""
        left_s = end_s - policy.clock_s()
        wait_s = min(_LONGEST_WAIT_S, max(0.0, left_s - _ANSWERING_S))
        request = get_transaction_request(self.transaction_id, wait_s)
        try:
            response = yield from send(lambda stubs: stubs.transactions.GetTransaction, request, left_s)
        except CallError:
            raise lost from None
        if not response.transaction.issued_cards:
            return response.transaction
        # What was issued is masked when it is looked up; only the same request again shows it.
        try:
            return (yield from self.repeated(policy, end_s, is_repeatable_ask))
        except CallError as error:
            # It was issued, whatever is said to the second request.
            error.is_outcome_open = True
            raise


class Decision(MoneyCall):
    """A confirmation or a reversal: repeated until it is promised."""

    def __call__(self, policy: RepeatPolicy) -> Script[v1.Transaction]:
        """Confirm or reverse; a confirmation that fails raises ConfirmationFailed."""
        until_s = policy.clock_s() + self.budget_s(policy)
        try:
            return (yield from self.repeated(policy, until_s, is_repeatable_advice))
        except CallError as error:
            if error.phase is not CallPhase.CONFIRMING:
                raise
            raise ConfirmationFailed(error) from error


def issue(**fields: Unpack[IssueFields]) -> Ask:
    """Make one or more new cards, until `confirm_issue` or `reverse_issue`."""
    return Ask.of("Issue", fields)


def activate(**fields: Unpack[ActivateFields]) -> Ask:
    """Make a card live, until `confirm_activate` or `reverse_activate`."""
    return Ask.of("Activate", fields)


def load(**fields: Unpack[LoadFields]) -> Ask:
    """Add funds to a card, until `confirm_load` or `reverse_load`."""
    return Ask.of("Load", fields)


def redeem(**fields: Unpack[RedeemFields]) -> Ask:
    """Take money from a card, until `confirm_redeem` or `reverse_redeem`."""
    return Ask.of("Redeem", fields)


def transfer(**fields: Unpack[TransferFields]) -> Ask:
    """Move funds from one card to another, until `confirm_transfer` or `reverse_transfer`."""
    return Ask.of("Transfer", fields)


def replace(**fields: Unpack[ReplaceFields]) -> Ask:
    """Move everything to a new card and void the old, until `confirm_replace` or `reverse_replace`."""
    return Ask.of("Replace", fields)


def void(**fields: Unpack[VoidFields]) -> Ask:
    """End an active card, until `confirm_void` or `reverse_void`."""
    return Ask.of("Void", fields)


class Confirm(Protocol):
    """What confirms the transactions of one operation."""

    def __call__(self, **fields: Unpack[ConfirmFields]) -> Decision:
        """Plan to make a transaction final. Once it answers, the gateway delivers it, whatever happens."""


class Reverse(Protocol):
    """What reverses the transactions of one operation."""

    def __call__(self, **fields: Unpack[ReverseFields]) -> Decision:
        """Plan to take a transaction back. May come before the request, which is then refused."""


def confirmation(operation: str) -> Confirm:
    """Return what confirms an operation, such as `Redeem`."""

    def confirm(**fields: Unpack[ConfirmFields]) -> Decision:
        return Decision.of(f"Confirm{operation}", fields)

    confirm.__doc__ = Confirm.__call__.__doc__
    return confirm


def reversal(operation: str) -> Reverse:
    """Return what reverses an operation, such as `Redeem`."""

    def reverse(**fields: Unpack[ReverseFields]) -> Decision:
        return Decision.of(f"Reverse{operation}", fields)

    reverse.__doc__ = Reverse.__call__.__doc__
    return reverse
