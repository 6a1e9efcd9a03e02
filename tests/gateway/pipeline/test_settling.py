"""What an answer to an advice is worth before and after its request can no longer arrive (rule 8)."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from giftcard_adapters.values.advices import Acknowledgement, Advice, AdviceKind, Receipt
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_adapters.values.traits import Ending, Guarantee, OperationTraits
from giftcard_gateway.ledger import lifecycle, settling
from giftcard_gateway.ledger.entry import Entry, State
from giftcard_gateway.ledger.settling import NextStep
from tests.gateway.pipeline.test_lifecycle import CALL, LEASE, T1, in_state, intended

PLAIN = OperationTraits(guarantee=Guarantee.NATIVE, unknown=Ending.REVERSE)
IDS = msgspec.structs.replace(PLAIN, keeps_advice_ids=True)
ONCE = msgspec.structs.replace(IDS, repeats_once_under_fresh_ids=True)
REFUSES = msgspec.structs.replace(IDS, refuses_overtaken_requests=True)
SETTLING = timedelta(seconds=120)
EARLY, LATE = T1 + timedelta(seconds=119), T1 + timedelta(seconds=120)


def unknown(written_at_s: float = 0) -> Entry:
    """Return a reversal of a request whose outcome is unknown, written so long after it was given up."""
    entry = lifecycle.sent(intended(), T1)
    advice = Advice(advice_id="a", kind=AdviceKind.REVERSAL, written_at=T1 + timedelta(seconds=written_at_s))
    return lifecycle.promise(entry, advice, (CALL,), driver="one", lease_until=LEASE, cause="unknown")


def step(entry: Entry, receipt: Receipt, traits: OperationTraits = IDS, at: object = EARLY) -> NextStep:
    """Return what an answer leads to."""
    told = Acknowledgement(receipt=receipt)
    return settling.judge(entry, told, traits, SETTLING, at).step  # type: ignore[arg-type]  # a datetime


@pytest.mark.parametrize(
    ("traits", "at", "expected"),
    [
        (IDS, EARLY, NextStep.AFRESH),
        (PLAIN, EARLY, NextStep.AGAIN),
        (REFUSES, EARLY, NextStep.KEPT),
        (IDS, LATE, NextStep.KEPT),
    ],
)
def test_no_such_transaction_counts_once_the_request_cannot_arrive(
    traits: OperationTraits, at: object, expected: NextStep
) -> None:
    """An unknown transaction ends a reversal once settled, or where overtaken requests are refused."""
    assert step(unknown(), Receipt.NO_SUCH_TRANSACTION, traits, at) is expected


def test_without_the_time_it_was_sent_nothing_has_settled() -> None:
    """An entry that does not know when its request was given up is never settled."""
    assert not settling.is_over(intended(), SETTLING, LATE + timedelta(days=1))


@pytest.mark.parametrize("traits", [PLAIN, IDS, ONCE, REFUSES])
@pytest.mark.parametrize("at", [EARLY, LATE])
def test_an_approved_transaction_that_is_gone_is_a_persons(traits: OperationTraits, at: object) -> None:
    """A provider that approved and now knows no such transaction is never believed."""
    assert step(in_state(State.REVERSING), Receipt.NO_SUCH_TRANSACTION, traits, at) is NextStep.PERSON
    assert step(in_state(State.CONFIRMING), Receipt.NO_SUCH_TRANSACTION, traits, at) is NextStep.PERSON


@pytest.mark.parametrize(
    ("traits", "written_at_s", "expected"),
    [
        (IDS, 0, NextStep.PERSON),
        (ONCE, 0, NextStep.AFRESH),
        (REFUSES, 0, NextStep.KEPT),
        (IDS, 119, NextStep.PERSON),
        (IDS, 120, NextStep.KEPT),
    ],
)
def test_duplicate_counts_if_the_first_copy_cannot_have_come_early(
    traits: OperationTraits, written_at_s: float, expected: NextStep
) -> None:
    """A duplicate is done only if the first copy of this id left after the settling time."""
    at = LATE + timedelta(hours=1)
    assert step(unknown(written_at_s), Receipt.DUPLICATE, traits, at) is expected


@pytest.mark.parametrize("state", [State.CONFIRMING, State.REVERSING])
def test_duplicate_of_an_approved_transaction_is_done(state: State) -> None:
    """The provider had the transaction before the first copy left, so that copy was acted on."""
    assert step(in_state(state), Receipt.DUPLICATE) is NextStep.KEPT


@pytest.mark.parametrize(
    ("receipt", "expected"),
    [
        (Receipt.DONE, NextStep.KEPT),
        (Receipt.REFUSED, NextStep.PERSON),
        (Receipt.AGAIN, NextStep.AGAIN),
        (Receipt.NOT_YET, NextStep.AFRESH),
    ],
)
def test_plain_answers(receipt: Receipt, expected: NextStep) -> None:
    """Acknowledged is kept, refused is a person's, not final is sent again, whatever the time."""
    for at in (EARLY, LATE):
        assert step(unknown(), receipt, at=at) is expected


def test_a_known_decline_is_not_an_approval() -> None:
    """Only an approval proves that the provider had the transaction."""
    entry = msgspec.structs.replace(unknown(), outcome=Outcome(verdict=Verdict.UNKNOWN))
    assert step(entry, Receipt.DUPLICATE) is NextStep.PERSON
