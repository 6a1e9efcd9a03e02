"""What can go wrong in a call, as exceptions read from `google.rpc.Status` and its details.

A decline is not among the failures of a call: it is an answer, and becomes an exception only where the
caller asks for one. When to repeat a call is not decided here, see `giftcard.scripts`.

    GiftcardError                  says transaction_id, call, phase, next_step
    ├── CallError                  the call brought no result; says code, reason, metadata, violations
    │   ├── InvalidRequest         INVALID_ARGUMENT, OUT_OF_RANGE
    │   ├── Unauthenticated        UNAUTHENTICATED
    │   ├── PermissionDenied       PERMISSION_DENIED
    │   ├── NotFound               NOT_FOUND
    │   ├── Conflict               ALREADY_EXISTS, FAILED_PRECONDITION, ABORTED
    │   ├── Unsupported            UNIMPLEMENTED
    │   ├── Unavailable            UNAVAILABLE
    │   │   └── Throttled          RESOURCE_EXHAUSTED
    │   ├── CallNotSent                this side could not make the call: its token or metadata failed
    │   │   └── Closed             the client is closed
    │   └── NoAnswer               every other code: a deadline, a cut connection, a fault of the gateway
    ├── ConfirmationFailed         a confirmation was lost or refused, which is no failed payment: failure
    └── NotApproved                the transaction is not APPROVED: transaction
        └── Declined               the provider said no
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self, TypeVar, cast

import grpc
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2 as details_pb2
from google.rpc.status_pb2 import Status

from giftcard import next_steps, v1
from giftcard.abouts import NOBODY_SAID, About, CallPhase
from giftcard.handshakes import explain

DOMAIN = "giftcard.v1"
"""The domain of the ErrorInfo whose reasons the contract defines (`error_reason.proto`)."""

_Detail = TypeVar("_Detail", bound=Message)
_STATUS_KEY = "grpc-status-details-bin"
# The gateway keeps card numbers out of its texts; a proxy between might not.
_CARD_NUMBER = re.compile(r"\d{13,19}")


class Violation(NamedTuple):
    """One field that the gateway refused, by its path in the request, and why."""

    field: str
    description: str


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What a failed call told: the facts of a CallError."""

    code: grpc.StatusCode
    message: str = ""
    reason: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    violations: tuple[Violation, ...] = ()
    retry_after_s: float | None = None
    request_id: str = ""
    about: About = NOBODY_SAID


class GiftcardError(Exception):
    """The root of everything this client raises by itself.

    `call` is the name of the call in the contract, such as `Redeem`; `transaction_id` the transaction it was
    about, or empty; `phase` which part of a transaction's life it belongs to; `next_step` what to do now, in
    a sentence.
    """

    def __init__(self, told: object, text: str, about: About) -> None:
        super().__init__(text)
        self._told = told
        self.call = about.call
        self.transaction_id = about.transaction_id
        self.phase = about.phase

    @property
    def next_step(self) -> str:
        """What to do now, in a sentence."""
        raise NotImplementedError

    def __reduce__(self) -> tuple[type[Self], tuple[object], dict[str, object]]:
        """Be made again, in another process, of what this was made of."""
        return type(self), (self._told,), self.__dict__


class CallError(GiftcardError):
    """A call brought no result.

    `reason` is a name of `giftcard.v1.ErrorReason` without its prefix, or empty where the error is not the
    gateway's. `is_outcome_open` tells whether a money call may have had its effect all the same.
    `request_id` is what to quote to the gateway's operator, where the fault is the gateway's.
    """

    _next_step = ""

    def __init__(self, failure: Failure) -> None:
        self.code = failure.code
        self.reason = failure.reason
        self.metadata = failure.metadata
        self.violations = failure.violations
        self.retry_after_s = failure.retry_after_s
        self.request_id = failure.request_id
        self.is_outcome_open = self._leaves_outcome_open()
        fields = (f"{each.field}: {each.description}" for each in failure.violations)
        unsaid = "; ".join(each for each in fields if each not in failure.message)
        parts = (self.code.name, self.reason, failure.message, unsaid)
        about = f"{failure.about}: " if failure.about.call else ""
        text = _CARD_NUMBER.sub("****", about + " - ".join(part for part in parts if part))
        # A request id may hold as many digits as a card number, and is the gateway's own.
        super().__init__(failure, f"{text} - {self.request_id}" if self.request_id else text, failure.about)

    @property
    def next_step(self) -> str:
        """What to do now, in a sentence."""
        return next_steps.after_open(self.phase) if self.is_outcome_open else self._next_step

    def _leaves_outcome_open(self) -> bool:
        """Tell whether the request may have arrived and worked."""
        return False


class InvalidRequest(CallError):
    """The request is missing something or malformed: `violations` lists every field to correct."""

    _next_step = next_steps.INVALID


class Unauthenticated(CallError):
    """No or bad credentials: sign in again."""

    _next_step = next_steps.UNAUTHENTICATED


class PermissionDenied(CallError):
    """The caller may not do this: metadata `scope` names what is missing."""

    _next_step = next_steps.PERMISSION


class NotFound(CallError):
    """No such transaction, card, provider or export: `reason` says which."""

    _next_step = next_steps.NOT_FOUND


class Conflict(CallError):
    """The state of things forbids it, such as a transaction id used before or a transaction reversed."""

    _next_step = next_steps.CONFLICT


class Unsupported(CallError):
    """The provider, or this release of the gateway, does not do this."""

    _next_step = next_steps.UNSUPPORTED


class Unavailable(CallError):
    """The gateway or the provider cannot serve now: repeat later, with the same transaction id."""

    def _leaves_outcome_open(self) -> bool:
        """The gateway's own reasons prove that nothing was sent; a connection that ended proves nothing.

        Nor does one that could not be made: gRPC says so in words alone, of the last of its own attempts.
        """
        return not self.reason

    @property
    def next_step(self) -> str:
        """What to do now, in a sentence."""
        return super().next_step if self.is_outcome_open else next_steps.after_unavailable(self.phase)


class Throttled(Unavailable):
    """Too much was asked: repeat after `retry_after_s`, with the same transaction id.

    Without the gateway's reason it proves nothing: gRPC uses the same code for an answer that was too large.
    """


class NoAnswer(CallError):
    """No answer to go by: repeat a money call with the same id, read the transaction, or reverse it."""

    def _leaves_outcome_open(self) -> bool:
        """The request may have arrived."""
        return True


class CallNotSent(CallError):
    """Nothing was sent: what gives its token or metadata failed, which is the cause."""

    _next_step = next_steps.NOT_SENT


class Closed(CallNotSent):
    """The client, or the channel under it, is closed."""

    _next_step = next_steps.CLOSED


class ConfirmationFailed(GiftcardError):
    """A confirmation was lost or refused. This is no failed payment: the goods may be gone.

    `failure` is the CallError that ended it; `code`, `reason` and `is_outcome_open` are its own.
    """

    def __init__(self, failure: CallError) -> None:
        self.failure = failure
        about = About(failure.call, failure.transaction_id, failure.phase)
        super().__init__(failure, f"{str(failure).rstrip('.')}. {self._next_step_after(failure)}", about)

    @property
    def code(self) -> grpc.StatusCode:
        """The status code of the failure."""
        return self.failure.code

    @property
    def reason(self) -> str:
        """The reason of the failure, a name of ErrorReason, or empty."""
        return self.failure.reason

    @property
    def is_outcome_open(self) -> bool:
        """Whether the confirmation may have arrived all the same."""
        return self.failure.is_outcome_open

    @property
    def next_step(self) -> str:
        """What to do now, in a sentence."""
        return self._next_step_after(self.failure)

    @staticmethod
    def _next_step_after(failure: CallError) -> str:
        """Have the confirmation repeated, unless the gateway refused it for good."""
        is_refused = isinstance(failure, InvalidRequest | NotFound | Conflict | Unsupported)
        return next_steps.READ_AFTER_CONFIRMATION if is_refused else next_steps.REPEAT_CONFIRMATION


class NotApproved(GiftcardError):
    """The transaction is not APPROVED; `transaction` tells how it stands."""

    def __init__(self, transaction: v1.Transaction) -> None:
        self.transaction = transaction
        call = (
            _name_of(v1.Operation.DESCRIPTOR, transaction.operation).title() if transaction.operation else ""
        )
        about = About(call, transaction.transaction_id, CallPhase.ASKED)
        super().__init__(transaction, self._tell(), about)

    @property
    def next_step(self) -> str:
        """What to do now, in a sentence."""
        return _AFTER_STATE.get(self.transaction.state, next_steps.PENDING)

    def _tell(self) -> str:
        """Say how the transaction stands, by its id and without card data."""
        state = _name_of(v1.TransactionState.DESCRIPTOR, self.transaction.state)
        return f"Transaction {self.transaction.transaction_id} is {state}."


class Declined(NotApproved):
    """The provider said no; no money moved, and a new attempt needs a new transaction id."""

    @property
    def reason(self) -> v1.DeclineReason.ValueType:
        """Why, in the contract's own list; decide by this one."""
        return self.transaction.decline.reason

    def _tell(self) -> str:
        """Say why, leaving out the provider's own text: it is for support."""
        reason = _name_of(v1.DeclineReason.DESCRIPTOR, self.reason)
        return f"Transaction {self.transaction.transaction_id} was declined: {reason}."


_AFTER_STATE: dict[v1.TransactionState.ValueType, str] = {
    v1.TransactionState.TRANSACTION_STATE_APPROVED: next_steps.APPROVED,
    v1.TransactionState.TRANSACTION_STATE_DECLINED: next_steps.DECLINED,
    v1.TransactionState.TRANSACTION_STATE_FAILED: next_steps.REVERSED,
    v1.TransactionState.TRANSACTION_STATE_CONFIRMING: next_steps.CONFIRMED,
    v1.TransactionState.TRANSACTION_STATE_CONFIRMED: next_steps.CONFIRMED,
    v1.TransactionState.TRANSACTION_STATE_REVERSING: next_steps.REVERSED,
    v1.TransactionState.TRANSACTION_STATE_REVERSED: next_steps.REVERSED,
    v1.TransactionState.TRANSACTION_STATE_UNRESOLVED: next_steps.PERSON,
}
_KINDS: dict[grpc.StatusCode, type[CallError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
    grpc.StatusCode.OUT_OF_RANGE: InvalidRequest,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: Conflict,
    grpc.StatusCode.FAILED_PRECONDITION: Conflict,
    grpc.StatusCode.ABORTED: Conflict,
    grpc.StatusCode.UNIMPLEMENTED: Unsupported,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Throttled,
}


def read_error(error: grpc.RpcError, about: About | Message = NOBODY_SAID) -> CallError:
    """Read what gRPC raised; use it, with the request, for calls made with `client.stubs` too."""
    details = _read_details(error)
    info = _find(details, details_pb2.ErrorInfo)
    ours = info if info.domain == DOMAIN else details_pb2.ErrorInfo()
    retry = _find(details, details_pb2.RetryInfo)
    told = _find(details, details_pb2.RequestInfo)
    refused = _find(details, details_pb2.BadRequest).field_violations
    failure = Failure(
        code=error.code(),
        message=explain(error.details() or ""),
        reason=ours.reason,
        metadata=dict(ours.metadata),
        violations=tuple(Violation(each.field, each.description) for each in refused),
        retry_after_s=retry.retry_delay.ToNanoseconds() / 1e9 if retry.HasField("retry_delay") else None,
        request_id=told.request_id,
        about=about if isinstance(about, About) else About.of(about),
    )
    return _KINDS.get(failure.code, NoAnswer)(failure)


def _read_details(error: grpc.RpcError) -> Sequence[Packed]:
    """Return the details of google.rpc.Status, or nothing where there is none that can be read."""
    # grpc-stubs types these as attribute pairs; at run time they are tuples, or None before any came.
    trailing = cast("Iterable[tuple[str, bytes]] | None", error.trailing_metadata())
    for key, value in trailing or ():
        if key == _STATUS_KEY:
            try:
                return Status.FromString(value).details
            except DecodeError:
                return ()
    return ()


def _find(details: Sequence[Packed], kind: type[_Detail]) -> _Detail:
    """Return the first detail of a kind, or an empty one."""
    found = kind()
    for packed in details:
        if packed.Unpack(found):
            break
    return found


def _name_of(enum: EnumDescriptor, number: int) -> str:
    """Name an enum's value without the enum's prefix; one this release does not know by its number."""
    value = enum.values_by_number.get(number)
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return value.name.removeprefix(prefix) if value else str(number)
