"""What an answer to an advice is worth: it depends on whether the request may still arrive (rule 8).

A request that was given up may wait in a queue on its way. Until its settling time has passed, a provider
that knows no such transaction may know it a moment later.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from giftcard_adapters.values.advices import Acknowledgement, Receipt
from giftcard_adapters.values.outcomes import Verdict
from giftcard_gateway.ledger.entry import Entry, State

if TYPE_CHECKING:
    from giftcard_adapters.values.traits import OperationTraits


class NextStep(StrEnum):
    """What an answer to an advice leads to."""

    KEPT = "KEPT"
    """The promise is kept."""
    AGAIN = "AGAIN"
    """Send the same bytes again later."""
    AFRESH = "AFRESH"
    """Send the same advice again later, under a fresh id."""
    PERSON = "PERSON"
    """Nothing more can be done safely; a person must decide."""


class Judgement(msgspec.Struct, frozen=True):
    """The step, and the evidence or the cause in words for a person."""

    step: NextStep
    because: str


def is_over(entry: Entry, settling: timedelta, at: datetime) -> bool:
    """Tell whether the settling time is over at `at`: the request of `entry` can no longer arrive."""
    return entry.sent_by is not None and at >= entry.sent_by + settling


def may_have_left(entry: Entry) -> bool:
    """Tell whether a copy of the advice may have left before: a try came to nothing, or its process did.

    Never after a person had it tried again: a copy was refused, so whether another did it is not known.
    """
    return entry.retried_at is None and (entry.attempts > 0 or entry.fence != entry.promised_fence)


def judge(
    entry: Entry, told: Acknowledgement, traits: OperationTraits, settling: timedelta, asked_at: datetime
) -> Judgement:
    """Return what `told`, the answer to a copy sent at `asked_at`, leads to for the advice of `entry`."""
    match told.receipt:
        case Receipt.DONE:
            return Judgement(NextStep.KEPT, "provider acknowledged")
        case Receipt.NO_SUCH_TRANSACTION | Receipt.GONE:
            return _unknown_to_provider(entry, traits, settling, asked_at)
        case Receipt.DUPLICATE:
            return _duplicate(entry, traits, settling)
        case Receipt.REFUSED:
            return Judgement(NextStep.PERSON, told.evidence or "the provider refused the advice")
        case Receipt.NOT_YET:
            return Judgement(NextStep.AFRESH, told.evidence)
        case Receipt.AGAIN:
            return Judgement(NextStep.AGAIN, told.evidence)


def _unknown_to_provider(
    entry: Entry, traits: OperationTraits, settling: timedelta, asked_at: datetime
) -> Judgement:
    if entry.state is State.CONFIRMING:
        return Judgement(NextStep.PERSON, "the provider does not know the transaction it is asked to confirm")
    if _is_known(entry):
        return Judgement(
            NextStep.PERSON, "the provider approved this transaction and now says it knows none such"
        )
    if traits.refuses_overtaken_requests or is_over(entry, settling, asked_at):
        return Judgement(NextStep.KEPT, "provider never saw the transaction")
    again = NextStep.AFRESH if traits.keeps_advice_ids else NextStep.AGAIN
    return Judgement(again, "the provider knows no such transaction yet; its request may still arrive")


def _duplicate(entry: Entry, traits: OperationTraits, settling: timedelta) -> Judgement:
    # Copies of this id left since the advice was written, not before.
    first_copy_at = entry.advice.written_at if entry.advice else entry.updated_at
    # Where a person had it tried again, a copy of this id may be the one that we heard refused.
    is_worth_it = entry.retried_at is None
    if is_worth_it and (
        _is_known(entry) or traits.refuses_overtaken_requests or is_over(entry, settling, first_copy_at)
    ):
        return Judgement(NextStep.KEPT, "provider acknowledged an earlier copy")
    because = (
        "an earlier copy of this reversal reached the provider when the request may not have; "
        "whether it was acted on is not known"
        if is_worth_it
        else "the provider has had this advice before and did not carry out every copy; "
        "whether any was acted on is not known"
    )
    return Judgement(NextStep.AFRESH if traits.repeats_once_under_fresh_ids else NextStep.PERSON, because)


def may_be_renewed(entry: Entry, traits: OperationTraits, settling: timedelta, asked_at: datetime) -> bool:
    """Tell whether the advice of an UNRESOLVED `entry` may be sent under a fresh id at `asked_at`.

    It has to be where the provider answers every id it has seen with "duplicate". It may be when the last
    answer said that nothing was done, and so long ago that no other copy of the old id can still arrive.
    """
    is_sure = entry.refused_as in {Receipt.NO_SUCH_TRANSACTION, Receipt.REFUSED}
    return traits.keeps_advice_ids and is_sure and asked_at >= entry.updated_at + settling


def _is_known(entry: Entry) -> bool:
    """Tell whether the provider had the transaction before any copy of the advice left."""
    return entry.outcome is not None and entry.outcome.verdict is Verdict.APPROVED
