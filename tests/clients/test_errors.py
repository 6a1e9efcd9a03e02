"""What a failed call becomes, what that says of the outcome, and how a transaction's state is asked."""

from __future__ import annotations

import grpc
import pytest
from grpc import aio

from giftcard import (
    CallError,
    Conflict,
    Declined,
    InvalidRequest,
    NoAnswer,
    NotFound,
    PermissionDenied,
    Throttled,
    Unauthenticated,
    Unavailable,
    Unsupported,
    Violation,
    is_approved,
    is_confirmed,
    is_declined,
    is_final,
    is_pending,
    is_reversed,
    needs_person,
    raise_for_decline,
    read_error,
    v1,
)
from giftcard.operations import is_repeatable_advice, is_repeatable_ask
from tests.clients.scripted import PAN, Refusal, State

Code = grpc.StatusCode
KINDS: dict[grpc.StatusCode, type[CallError]] = {
    Code.INVALID_ARGUMENT: InvalidRequest,
    Code.OUT_OF_RANGE: InvalidRequest,
    Code.UNAUTHENTICATED: Unauthenticated,
    Code.PERMISSION_DENIED: PermissionDenied,
    Code.NOT_FOUND: NotFound,
    Code.ALREADY_EXISTS: Conflict,
    Code.FAILED_PRECONDITION: Conflict,
    Code.ABORTED: Conflict,
    Code.UNIMPLEMENTED: Unsupported,
    Code.UNAVAILABLE: Unavailable,
    Code.RESOURCE_EXHAUSTED: Throttled,
    Code.DEADLINE_EXCEEDED: NoAnswer,
    Code.CANCELLED: NoAnswer,
    Code.UNKNOWN: NoAnswer,
    Code.INTERNAL: NoAnswer,
    Code.DATA_LOSS: NoAnswer,
}


def test_every_code_has_its_exception() -> None:
    """Each status code but OK becomes one exception of the tree."""
    assert {code: type(Refusal(code).as_error()) for code in Code if code is not Code.OK} == KINDS


def test_an_error_tells_all_that_the_gateway_said() -> None:
    """Code, reason, metadata, violations and the time to wait are read from the status's details."""
    error = Refusal(
        Code.INVALID_ARGUMENT,
        "FIELD_INVALID",
        "two fields are wrong",
        {"field": "amount"},
        {"amount": "is negative", "card": "is missing"},
        1500,
    ).as_error()
    assert (error.code, error.reason, error.metadata) == (
        Code.INVALID_ARGUMENT,
        "FIELD_INVALID",
        {"field": "amount"},
    )
    assert error.violations == (Violation("amount", "is negative"), Violation("card", "is missing"))
    assert error.retry_after_s == 1.5
    assert str(error) == (
        "INVALID_ARGUMENT - FIELD_INVALID - two fields are wrong - amount: is negative; card: is missing"
    )


@pytest.mark.parametrize(
    "trailing", [None, aio.Metadata(), aio.Metadata(("grpc-status-details-bin", b"\xff"))]
)
def test_an_error_without_details_is_read_all_the_same(trailing: aio.Metadata | None) -> None:
    """What a connection or a proxy reports has no details, or none that can be read."""
    error = read_error(aio.AioRpcError(Code.UNAVAILABLE, aio.Metadata(), trailing))
    assert (error.reason, error.metadata, error.violations, error.retry_after_s) == ("", {}, (), None)
    assert str(error) == "UNAVAILABLE"


def test_another_domains_reason_is_not_ours() -> None:
    """A reason counts only in the contract's own domain: a proxy's UNAVAILABLE proves nothing."""
    error = Refusal(Code.UNAVAILABLE, "SHUTTING_DOWN", domain="proxy.example").as_error()
    assert error.reason == ""
    assert error.is_outcome_open


def test_a_card_number_never_reaches_the_text() -> None:
    """Should anything between echo a card number, the exception's text hides it."""
    error = Refusal(Code.INVALID_ARGUMENT, "", f"bad {PAN}", violations={"card": f"{PAN} is odd"}).as_error()
    assert PAN not in str(error) + repr(error)
    assert "bad ****" in str(error)


OPEN = [
    (Refusal(Code.INVALID_ARGUMENT), False),
    (Refusal(Code.UNAVAILABLE, "PROVIDER_UNREACHABLE"), False),
    (Refusal(Code.UNAVAILABLE), True),
    (Refusal(Code.RESOURCE_EXHAUSTED, "RATE_LIMITED"), False),
    (Refusal(Code.RESOURCE_EXHAUSTED), True),
    (Refusal(Code.DEADLINE_EXCEEDED), True),
    (Refusal(Code.INTERNAL, "INTERNAL"), True),
]


@pytest.mark.parametrize(("refusal", "is_open"), OPEN)
def test_an_outcome_is_open_unless_proven(refusal: Refusal, *, is_open: bool) -> None:
    """Only the gateway's own word, or a refusal, proves that nothing happened."""
    assert refusal.as_error().is_outcome_open is is_open


REPEATS = [
    (Refusal(Code.UNAVAILABLE, "JOURNAL_UNAVAILABLE"), True, True),
    (Refusal(Code.UNAVAILABLE), True, True),
    (Refusal(Code.RESOURCE_EXHAUSTED, "RATE_LIMITED"), True, True),
    # Without the gateway's reason it may be this side's own limit, and an answer that was too large for it.
    (Refusal(Code.RESOURCE_EXHAUSTED), False, True),
    (Refusal(Code.DEADLINE_EXCEEDED), False, True),
    (Refusal(Code.INTERNAL, "INTERNAL"), False, True),
    (Refusal(Code.ALREADY_EXISTS, "TRANSACTION_ID_REUSED"), False, False),
    (Refusal(Code.UNAUTHENTICATED, "CREDENTIALS_INVALID"), False, False),
]


@pytest.mark.parametrize(("refusal", "asks", "advices"), REPEATS)
def test_what_is_repeated(refusal: Refusal, *, asks: bool, advices: bool) -> None:
    """A request is repeated after what passes; an advice after everything that is not a refusal."""
    error = refusal.as_error()
    assert (is_repeatable_ask(error), is_repeatable_advice(error)) == (asks, advices)


def test_a_decline_is_raised_only_on_request() -> None:
    """`raise_for_decline` raises for DECLINED alone, says our reason and not the provider's text."""
    decline = v1.Decline(
        reason=v1.DeclineReason.DECLINE_REASON_FUNDS_INSUFFICIENT, provider_text=f"{PAN} is poor"
    )
    declined = v1.Transaction(transaction_id="t", state=State.TRANSACTION_STATE_DECLINED, decline=decline)
    with pytest.raises(Declined, match=r"^Transaction t was declined: FUNDS_INSUFFICIENT\.$") as caught:
        raise_for_decline(declined)
    assert caught.value.transaction is declined
    assert caught.value.reason == decline.reason
    approved = v1.Transaction(state=State.TRANSACTION_STATE_APPROVED)
    assert raise_for_decline(approved) is approved


def test_an_unknown_reason_is_told_by_its_number() -> None:
    """A reason newer than this client does not break it."""
    declined = v1.Transaction(transaction_id="t", state=State.TRANSACTION_STATE_DECLINED)
    declined.decline.MergeFromString(b"\x08\xe7\x07")
    with pytest.raises(Declined, match="declined: 999"):
        raise_for_decline(declined)


QUESTIONS = {
    State.TRANSACTION_STATE_UNSPECIFIED: {is_pending},
    State.TRANSACTION_STATE_PENDING: {is_pending},
    State.TRANSACTION_STATE_APPROVED: {is_approved},
    State.TRANSACTION_STATE_DECLINED: {is_declined, is_final},
    State.TRANSACTION_STATE_FAILED: {is_final},
    State.TRANSACTION_STATE_CONFIRMING: {is_confirmed},
    State.TRANSACTION_STATE_CONFIRMED: {is_confirmed, is_final},
    State.TRANSACTION_STATE_REVERSING: {is_reversed},
    State.TRANSACTION_STATE_REVERSED: {is_reversed, is_final},
    State.TRANSACTION_STATE_UNRESOLVED: {needs_person},
}


@pytest.mark.parametrize("state", State.values())
def test_every_state_answers_every_question(state: State.ValueType) -> None:
    """Each state of the contract is what it is and nothing else."""
    everything = {is_approved, is_confirmed, is_declined, is_final, is_pending, is_reversed, needs_person}
    transaction = v1.Transaction(state=state)
    assert {question for question in everything if question(transaction)} == QUESTIONS[state]


def test_a_state_of_the_future_is_pending() -> None:
    """A state this client does not know is treated as PENDING, as the contract asks."""
    transaction = v1.Transaction()
    transaction.MergeFromString(b"\x20\xe7\x07")
    assert is_pending(transaction)
    assert not is_final(transaction)
