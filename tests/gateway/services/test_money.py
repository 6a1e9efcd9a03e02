"""The money calls through a real server: what a caller hears, whatever the provider does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import grpc.aio
import msgspec
import pytest

from giftcard import v1
from giftcard_adapters.errors import Invalid, NoAnswer
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.operations import Operation
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_gateway.access.identities import EVERYTHING, LOCAL
from giftcard_gateway.access.signing_in import SigningIn
from giftcard_gateway.config.access import Scope
from giftcard_gateway.providers.routing import Rule
from tests.gateway.services.served import RAND, Served, serve
from tests.gateway.wire.filled import PAN
from tests.patience import PATIENCE_S
from tests.world.provider import ISSUED, NUMBER

STATE = v1.TransactionState


async def test_redeem_confirm(served: Served) -> None:
    """A redemption is approved, confirmed, and told with balances and masked card each time."""
    approved = await served.redeem()
    assert approved.state == STATE.TRANSACTION_STATE_APPROVED
    assert approved.cards[0].masked_card == "604512******0007"
    assert approved.cards[0].balances.available == RAND
    assert approved.HasField("confirm_by")
    request = v1.ConfirmRedeemRequest(transaction_id=approved.transaction_id.upper())
    confirmed = (await served.call("ConfirmRedeem", request)).transaction
    assert confirmed.state == STATE.TRANSACTION_STATE_CONFIRMED
    assert confirmed.confirmed_amount == RAND


async def test_redeem_reverse(served: Served) -> None:
    """A reversal takes its reason, its part and the caller's note with it."""
    approved = await served.redeem()
    request = v1.ReverseRedeemRequest(
        transaction_id=approved.transaction_id,
        reason=v1.ReversalReason.REVERSAL_REASON_CANCELLED,
        note="customer left",
    )
    request.amount.CopyFrom(RAND)
    request.amount.units = 40
    reversed_ = (await served.call("ReverseRedeem", request)).transaction
    assert reversed_.state == STATE.TRANSACTION_STATE_REVERSED
    assert reversed_.reversed_amount.units == 40
    assert any("customer left" in change.note for change in reversed_.state_changes)


async def test_number_in_note(served: Served) -> None:
    """A reversal's note with the number of the transaction's card in it is refused by name (rule 16)."""
    approved = await served.redeem()
    request = v1.ReverseRedeemRequest(
        transaction_id=approved.transaction_id,
        reason=v1.ReversalReason.REVERSAL_REASON_CANCELLED,
        note=f"card {PAN[:4]}.{PAN[4:]} came back",
    )
    refusal = await served.refused("ReverseRedeem", request)
    assert (refusal.code, refusal.violations) == (grpc.StatusCode.INVALID_ARGUMENT, ("note",))


async def test_number_in_reference_of_tender(served: Served) -> None:
    """A confirmation's texts are held against the transaction's cards too (rule 16)."""
    approved = await served.redeem()
    tender = v1.Tender(tender_type=v1.TenderType.TENDER_TYPE_CASH, amount=RAND, reference=f"x{PAN}")
    request = v1.ConfirmRedeemRequest(transaction_id=approved.transaction_id, tenders=[tender])
    refusal = await served.refused("ConfirmRedeem", request)
    assert (refusal.code, refusal.violations) == (grpc.StatusCode.INVALID_ARGUMENT, ("tenders[0].reference",))


async def test_number_in_words_of_advice(served: Served) -> None:
    """A decision's note and identifiers are held against the transaction's cards (rule 16)."""
    approved = await served.redeem()
    note, wanted = f"card {PAN}", ("note", "third_party_identifiers[0].transaction_identifier")
    ids = [v1.ThirdPartyIdentifier(institution_id="switch", transaction_identifier=f"x{PAN}")]
    confirm = v1.ConfirmRedeemRequest(
        transaction_id=approved.transaction_id, note=note, third_party_identifiers=ids
    )
    reverse = v1.ReverseRedeemRequest(
        transaction_id=approved.transaction_id,
        reason=v1.ReversalReason.REVERSAL_REASON_CANCELLED,
        note=note,
        third_party_identifiers=ids,
    )
    for call, request in (("ConfirmRedeem", confirm), ("ReverseRedeem", reverse)):
        refusal = await served.refused(call, request)
        assert (refusal.code, refusal.violations) == (grpc.StatusCode.INVALID_ARGUMENT, wanted)


async def test_replay_says_so(served: Served) -> None:
    """The same request again returns the recorded transaction, and trailing metadata says so (rule 1)."""
    request = served.redemption()
    first = served.start("Redeem", request)
    fresh = await first
    assert "giftcard-replayed" not in dict(await first.trailing_metadata())
    again = served.start("Redeem", request)
    assert await again == fresh
    assert dict(await again.trailing_metadata())["giftcard-replayed"] == "true"
    assert len(served.script.requests) == 1


async def test_same_id_other_content(served: Served) -> None:
    """The same id with other content is refused, and the field that differs is named as in the contract."""
    request = served.redemption()
    await served.call("Redeem", request)
    request.card.number.pan = "6045120000000015"
    refusal = await served.refused("Redeem", request)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.ALREADY_EXISTS, "TRANSACTION_ID_REUSED")
    assert refusal.info.metadata["field"] == "card.number.pan"


async def test_decline_is_ok(served: Served) -> None:
    """A decline is an answer with the provider's reason, code and text (rule 15)."""
    decline = Decline(reason=DeclineReason.FUNDS_INSUFFICIENT, provider_code="51", provider_text="no funds")
    served.script.reactions.append(Outcome(verdict=Verdict.DECLINED, decline=decline))
    transaction = await served.redeem()
    assert transaction.state == STATE.TRANSACTION_STATE_DECLINED
    assert transaction.decline == v1.Decline(
        reason=v1.DeclineReason.DECLINE_REASON_FUNDS_INSUFFICIENT,
        provider_code="51",
        provider_text="no funds",
    )


@pytest.mark.parametrize("timeout_s", [0.05, 0.6])
async def test_answered_before_the_deadline(served: Served, timeout_s: float) -> None:
    """A caller whose deadline is shorter than the provider hears PENDING in time, not an error (rule 6).

    What is kept for the answer's way is a fifth, of long deadlines a quarter of a second: a machine that
    stands still for so long is late, and its caller asks again.
    """
    await served.call("GetProvider", v1.GetProviderRequest(provider="first"))
    answer = None
    async with asyncio.timeout(PATIENCE_S):
        while answer is None:
            served.script.reactions.append(2 * PATIENCE_S)
            with late():
                answer = await served.call("Redeem", served.redemption(), timeout_s=timeout_s)
            timeout_s *= 1.5
    assert answer.transaction.state == STATE.TRANSACTION_STATE_PENDING


@contextmanager
def late() -> Iterator[None]:
    """Take it that a call is over before it is answered, and nothing else."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
            raise


async def test_work_outlives_a_cancelled_call(served: Served) -> None:
    """A call that is cancelled half way leaves its money work alone; the same id tells what came of it."""
    served.script.reactions.append(0.2)
    request = served.redemption()
    call = served.start("Redeem", request)
    await served.asked()
    call.cancel()
    answer = await served.call("Redeem", request)
    assert answer.transaction.state == STATE.TRANSACTION_STATE_APPROVED
    assert len(served.script.requests) == 1


async def test_lost_answer_is_never_an_error(served: Served) -> None:
    """Once a request may have been sent no error comes back, whatever the provider does (rule 15)."""
    served.script.reactions.append(NoAnswer("no answer in time"))
    transaction = await served.redeem()
    assert transaction.state == STATE.TRANSACTION_STATE_REVERSED


async def test_reversal_first(served: Served) -> None:
    """A reversal of an id never seen is REVERSED, and its request is refused when it comes (rule 9)."""
    request = served.redemption()
    reverse = v1.ReverseRedeemRequest(
        transaction_id=request.transaction_id, reason=v1.ReversalReason.REVERSAL_REASON_TIMEOUT
    )
    tomb = (await served.call("ReverseRedeem", reverse)).transaction
    assert tomb.state == STATE.TRANSACTION_STATE_REVERSED
    assert tomb.reversal_reason == v1.ReversalReason.REVERSAL_REASON_TIMEOUT
    refusal = await served.refused("Redeem", request)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "TRANSACTION_REVERSED")
    assert not served.script.requests


@pytest.mark.parametrize("may_see", [True, False])
async def test_new_cards_are_shown_where_allowed(may_see: bool) -> None:
    """Only Issue and its replay show a new card's number, to a caller who may see it (rule 16)."""
    scopes = EVERYTHING if may_see else EVERYTHING - {Scope.SECRETS}
    caller = SigningIn(anonymous=msgspec.structs.replace(LOCAL, scopes=scopes))
    async with serve(signing_in=caller) as served:
        served.script.reactions.append(ISSUED)
        request = v1.IssueRequest(transaction_id=served.clock.uuid4(), amount=RAND)
        for _ in range(2):
            issued = (await served.call("Issue", request)).transaction.issued_cards[0]
            assert issued.number == (NUMBER if may_see else "")
            assert issued.masked_card == "604512******0007"
        get = v1.GetTransactionRequest(transaction_id=request.transaction_id)
        assert NUMBER not in str(await served.call("GetTransaction", get))
        confirm = v1.ConfirmIssueRequest(transaction_id=request.transaction_id)
        assert NUMBER not in str(await served.call("ConfirmIssue", confirm))


@pytest.mark.parametrize("operation", list(Operation))
async def test_decisions_about_nothing(served: Served, operation: Operation) -> None:
    """Confirming what was never asked is NOT_FOUND with the id, for each of the seven operations."""
    name = f"Confirm{operation.value.title()}"
    request = getattr(v1, f"{name}Request")(transaction_id=served.clock.uuid4())
    refusal = await served.refused(name, request)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "TRANSACTION_NOT_FOUND")
    assert refusal.info.metadata["transaction_id"] == request.transaction_id
    assert "google.rpc.ResourceInfo" in refusal.details


async def test_refusals_before_anything_is_written(served: Served) -> None:
    """A provider that is not there, an operation it has not, and no way back each have their reason."""
    unknown = await served.refused("Redeem", served.redemption(provider="nobody"))
    assert (unknown.code, unknown.reason) == (grpc.StatusCode.NOT_FOUND, "PROVIDER_NOT_FOUND")
    activate = v1.ActivateRequest(transaction_id=served.clock.uuid4(), card=served.redemption().card)
    unsupported = await served.refused("Activate", activate)
    assert (unsupported.code, unsupported.reason) == (
        grpc.StatusCode.UNIMPLEMENTED,
        "OPERATION_UNSUPPORTED",
    )
    void = v1.VoidRequest(transaction_id=served.clock.uuid4(), card=served.redemption().card)
    await served.call("Void", void)
    reverse = v1.ReverseVoidRequest(
        transaction_id=void.transaction_id, reason=v1.ReversalReason.REVERSAL_REASON_CANCELLED
    )
    refusal = await served.refused("ReverseVoid", reverse)
    assert (refusal.code, refusal.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "REVERSAL_UNSUPPORTED",
    )


async def test_what_the_provider_needs(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fields that only this provider needs are refused like any other, and nothing is sent."""

    def check(_: object) -> None:
        raise Invalid([("point_of_sale.terminal_id", "must have 8 characters"), ("product", "is needed")])

    monkeypatch.setattr(served.shop, "check", check)
    refusal = await served.refused("Redeem", served.redemption())
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID")
    assert refusal.violations == ("point_of_sale.terminal_id", "product")
    assert not served.script.requests


async def test_routing_by_prefix() -> None:
    """A card goes where its prefix says; two cards that go to different places cannot be one transaction."""
    async with serve(rules=[Rule(provider="second", prefix="70")]) as served:
        card = v1.Card(number=v1.CardNumber(pan="7000000000000000"))
        assert (await served.redeem(card=card)).provider == "second"
        transfer = v1.TransferRequest(
            transaction_id=served.clock.uuid4(),
            source_card=card,
            target_card=v1.Card(number=v1.CardNumber(pan=PAN)),
            amount=RAND,
        )
        refusal = await served.refused("Transfer", transfer)
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "CROSS_PROVIDER")


async def test_journal_away(served: Served) -> None:
    """Without a journal nothing is sent, and the caller is told to come again (rule 2)."""
    await served.app.pipeline.records.journal.close()
    refusal = await served.refused("Redeem", served.redemption())
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "JOURNAL_UNAVAILABLE")
    assert refusal.retry_after_s
    assert not served.script.requests
    listing = await served.refused("ListTransactions", v1.ListTransactionsRequest())
    assert listing.reason == "JOURNAL_UNAVAILABLE"


async def test_one_sided_cancel_is_no_fault(served: Served) -> None:
    """A cancelled call ends as CANCELLED at the caller and counts for nothing inside."""
    served.script.reactions.append(0.3)
    call = served.start("Redeem", served.redemption())
    await served.asked()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await served.idle()
