"""What every error says of itself: which call, which transaction, which phase, and what to do next."""

from __future__ import annotations

import asyncio
import pickle

import grpc
import pytest

import giftcard
from giftcard import (
    AsyncClient,
    CallError,
    CallNotSent,
    CallPhase,
    Client,
    Closed,
    ConfirmationFailed,
    Conflict,
    Declined,
    GiftcardError,
    NoAnswer,
    NotApproved,
    read_error,
    v1,
)
from giftcard.abouts import About
from giftcard.errors import Failure
from tests.clients.scripted import (
    CUT,
    LATE,
    PAN,
    UNKNOWN_ID,
    Driver,
    Refusal,
    ScriptedGateway,
    State,
    Time,
    fields_of,
    response,
)

CANCELLED = v1.ReversalReason.REVERSAL_REASON_CANCELLED
ASKS = [
    ("redeem", {"transaction_id": "t", "card": PAN}, "Redeem", "t", CallPhase.ASKED),
    ("confirm_redeem", {"transaction_id": "t"}, "ConfirmRedeem", "t", CallPhase.CONFIRMING),
    (
        "reverse_redeem",
        {"transaction_id": "t", "reason": CANCELLED},
        "ReverseRedeem",
        "t",
        CallPhase.REVERSING,
    ),
    ("balance", {"card": PAN}, "Balance", "", CallPhase.READING),
    ("get_transaction", {"transaction_id": "t"}, "GetTransaction", "t", CallPhase.READING),
    ("store_card", {"card": PAN}, "StoreCard", "", CallPhase.CHANGING),
]


@pytest.mark.parametrize(("method", "fields", "call", "transaction_id", "phase"), ASKS)
async def test_an_error_says_what_it_was_about(
    driver: Driver,
    gateway: ScriptedGateway,
    method: str,
    fields: dict[str, object],
    call: str,
    transaction_id: str,
    phase: CallPhase,
) -> None:
    """Whatever call fails, its error knows the call, the transaction, the phase and what to do."""
    gateway.expect(call, Refusal(grpc.StatusCode.PERMISSION_DENIED, "SCOPE_MISSING"))
    with pytest.raises(GiftcardError) as caught:
        await driver.call(method, **fields)
    error = caught.value
    assert (error.call, error.transaction_id, error.phase) == (call, transaction_id, phase)
    assert error.next_step.endswith(".")
    assert str(error).startswith(f"{call} {transaction_id}".strip())


async def test_a_lost_confirmation_is_no_failed_payment(driver: Driver, gateway: ScriptedGateway) -> None:
    """A confirmation without an answer says that the goods may be gone, and to confirm again."""
    given = fields_of("Redeem")
    gateway.expect("Redeem", response("Redeem", State.TRANSACTION_STATE_APPROVED))
    gateway.expect("ConfirmRedeem", CUT)
    with pytest.raises(ConfirmationFailed) as caught:
        await driver.hold("redemption", lambda _held: None, **given)
    failed = caught.value
    assert (failed.transaction_id, failed.phase) == (given["transaction_id"], CallPhase.CONFIRMING)
    assert failed.is_outcome_open
    assert failed.code is grpc.StatusCode.UNAVAILABLE
    assert "no failed payment" in str(failed)
    assert "repeat the confirmation with the same transaction id" in failed.next_step
    assert "ReverseRedeem" not in gateway.names()


def test_a_refused_confirmation_is_read_not_repeated() -> None:
    """A confirmation refused for good sends its caller to read the transaction."""
    refused = ConfirmationFailed(Conflict(Failure(code=grpc.StatusCode.FAILED_PRECONDITION, reason="X")))
    assert "read the transaction" in refused.next_step
    assert not refused.is_outcome_open
    assert refused.reason == "X"


def test_what_is_open_says_how_to_close_it() -> None:
    """An open ask names its three ways out; one that was surely not sent only says when to come back."""
    ask = v1.RedeemRequest(transaction_id="t")
    lost, refused = CUT.as_rpc_error(), Refusal(grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN").as_rpc_error()
    assert "read the transaction, or reverse it" in read_error(lost, ask).next_step
    assert "nothing was done" in read_error(refused, ask).next_step


def every_error() -> list[GiftcardError]:
    """Give one of every exception of the package."""
    failure = Failure(
        code=grpc.StatusCode.NOT_FOUND,
        reason="CARD_NOT_FOUND",
        message="no",
        metadata={"a": "b"},
        violations=(giftcard.Violation("f", "d"),),
        retry_after_s=1.5,
        request_id="r",
        about=About("Redeem", "t", CallPhase.ASKED),
    )
    kinds = [each for each in vars(giftcard).values() if isinstance(each, type)]
    errors: list[GiftcardError] = [
        kind(failure) for kind in kinds if issubclass(kind, CallError) and kind is not CallError
    ]
    transaction = v1.Transaction(transaction_id="t", operation=v1.Operation.OPERATION_REDEEM)
    transaction.state = State.TRANSACTION_STATE_DECLINED
    errors += [NotApproved(transaction), Declined(transaction), ConfirmationFailed(NoAnswer(failure))]
    return errors


@pytest.mark.parametrize("error", every_error(), ids=lambda error: type(error).__name__)
def test_an_error_survives_pickling(error: GiftcardError) -> None:
    """An error that crosses processes says all it said, its notes too."""
    if isinstance(error, CallError):
        error.is_outcome_open = True
    error.add_note("noted")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert again.__notes__ == ["noted"]
    facts = ("call", "transaction_id", "phase", "next_step", "code", "reason", "metadata", "violations")
    for fact in (*facts, "retry_after_s", "request_id", "is_outcome_open", "transaction"):
        assert getattr(again, fact, None) == getattr(error, fact, None), fact


@pytest.mark.parametrize("state", State.values())
def test_every_state_says_what_to_do(state: State.ValueType) -> None:
    """However a transaction stands that is not approved, its exception has an order to give."""
    not_approved = NotApproved(
        v1.Transaction(transaction_id="t", state=state, operation=v1.Operation.OPERATION_REDEEM)
    )
    assert not_approved.next_step.endswith(".")
    assert (not_approved.call, not_approved.transaction_id) == ("Redeem", "t")


@pytest.mark.parametrize(("method", "fields"), [each[:2] for each in ASKS])
async def test_after_close_every_exception_is_ours(
    driver: Driver, method: str, fields: dict[str, object]
) -> None:
    """A closed client raises Closed, or ConfirmationFailed with Closed in it; never gRPC's ValueError."""
    client = driver.client
    await client.close() if isinstance(client, AsyncClient) else client.close()
    with pytest.raises((Closed, ConfirmationFailed)) as caught:
        await driver.call(method, **fields)
    error = caught.value.failure if isinstance(caught.value, ConfirmationFailed) else caught.value
    assert isinstance(error, Closed)
    assert not error.is_outcome_open


async def test_a_call_under_way_when_the_client_closes_is_ours(
    driver: Driver, gateway: ScriptedGateway
) -> None:
    """A call cut by `close` ends as NoAnswer with its outcome open: it may have arrived."""
    gateway.expect("Redeem", None)
    call = asyncio.create_task(driver.transact("redeem", **fields_of("Redeem")))
    await gateway.arrived.wait()
    client = driver.client
    await client.close() if isinstance(client, AsyncClient) else client.close()
    with pytest.raises(NoAnswer) as caught:
        await call
    assert caught.value.is_outcome_open
    assert caught.value.call == "Redeem"


async def test_an_internal_error_can_be_quoted(driver: Driver, gateway: ScriptedGateway) -> None:
    """The id that the gateway gives with a fault of its own is in the error and in its text, whole."""
    trace = "01234567890123456789012345678901"
    gateway.expect("Balance", Refusal(grpc.StatusCode.INTERNAL, "INTERNAL", request_id=trace))
    with pytest.raises(NoAnswer, match=trace) as caught:
        await driver.call("balance", card=PAN)
    assert caught.value.request_id == trace


def test_closed_is_not_repeated(address: str) -> None:
    """A block in which the client is closed fails to confirm at once, and says so."""
    time = Time()
    client = Client(address, plaintext=True, policy=time.policy(), sleep=time.sleep)
    client.close()
    with pytest.raises(ConfirmationFailed) as caught:
        client.confirm_redeem(transaction_id="t")
    assert isinstance(caught.value.failure, CallNotSent)
    assert not time.pauses_s


async def test_an_unfindable_ask_keeps_its_facts(driver: Driver, gateway: ScriptedGateway) -> None:
    """An ask that was lost and could not be looked up is still about the ask, not about the look-up."""
    gateway.expect("Redeem", LATE)
    gateway.expect("GetTransaction", UNKNOWN_ID)
    with pytest.raises(NoAnswer) as caught:
        await driver.transact("redeem", **fields_of("Redeem"))
    assert (caught.value.call, caught.value.phase) == ("Redeem", CallPhase.ASKED)
