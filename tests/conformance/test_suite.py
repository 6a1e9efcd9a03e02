"""The suite itself: an adapter that breaks a rule is told so in a sentence."""

from __future__ import annotations

import msgspec
import pytest

from giftcard_adapters.calls import Call
from giftcard_adapters.contract import traits
from giftcard_adapters.electrum import Electrum
from giftcard_adapters.errors import NoAnswer, NotSent
from giftcard_adapters.values.advices import Acknowledgement, Advice, Receipt
from giftcard_adapters.values.operations import Load, Operation
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_adapters.values.reads import CardView, Lookup
from giftcard_adapters.values.traits import Ending, Guarantee
from giftcard_conformance import NotConforming, cases
from tests.conformance.descriptors import SUBJECTS

ELECTRUM = SUBJECTS["electrum"]
as_before = traits(Guarantee.NATIVE, Ending.REVERSE, is_reversal_partial=True, is_confirmation_partial=True)


class WithoutManner(Electrum):
    """Has a money method that does not say how it behaves."""

    async def load(self, ask: Load) -> Outcome:
        """Load."""
        return await self._request(ask)


class CallsSilenceFailure(Electrum):
    """Takes a lost answer for a failure."""

    @as_before
    async def load(self, ask: Load) -> Outcome:
        """Load."""
        try:
            return await self._request(ask)
        except NoAnswer:
            return Outcome(verdict=Verdict.FAILED)


class CallsRefusalUnknown(Electrum):
    """Takes a refused connection for an unknown."""

    @as_before
    async def load(self, ask: Load) -> Outcome:
        """Load."""
        try:
            return await self._request(ask)
        except NotSent:
            return Outcome(verdict=Verdict.UNKNOWN)


class Retries(Electrum):
    """Sends a money request again by itself."""

    @as_before
    async def load(self, ask: Load) -> Outcome:
        """Load."""
        try:
            return await self._request(ask)
        except NoAnswer:
            return await self._request(ask)


class Believes(Electrum):
    """Approves whatever amount the provider says."""

    @as_before
    async def load(self, ask: Load) -> Outcome:
        """Load."""
        outcome = await self._request(ask)
        return msgspec.structs.replace(outcome, verdict=Verdict.APPROVED)


class Tells(Electrum):
    """Puts the card number into the evidence."""

    @as_before
    async def load(self, ask: Load) -> Outcome:
        """Load."""
        outcome = await self._request(ask)
        number = ask.card.number
        return msgspec.structs.replace(outcome, evidence=number.reveal() if number else "")


class GivesUp(Electrum):
    """Takes any answer to an advice for the end of it."""

    async def deliver(self, call: Call, advice: Advice, *, age_s: float) -> Acknowledgement:
        """Deliver."""
        try:
            return await super().deliver(call, advice, age_s=age_s)
        except NoAnswer:
            return Acknowledgement(receipt=Receipt.REFUSED)


class Guesses(Electrum):
    """Answers a lookup that was lost."""

    async def lookup(self, ask: Lookup) -> CardView:
        """Look up."""
        try:
            return await super().lookup(ask)
        except NoAnswer:
            return CardView(masked_card="****")


BROKEN: list[tuple[type[Electrum], str, str]] = [
    (WithoutManner, "methods_and_traits_agree", "WithoutManner.load needs @traits"),
    (CallsSilenceFailure, "LOAD/lost_answer_is_unknown/the answer is dropped", "the outcome is UNKNOWN"),
    (CallsRefusalUnknown, "LOAD/refused_connection_is_not_sent", "a refused connection is NotSent"),
    (Retries, "LOAD/nothing_is_sent_twice", "an adapter never retries"),
    (Believes, "LOAD/wrong_amount_is_unknown", "when another amount is approved"),
    (Believes, "LOAD/decline_is_read", "not DECLINED"),
    (Tells, "LOAD/money_shows_no_secret", "a secret shows"),
    (
        GivesUp,
        "LOAD/REVERSAL/lost_advice_is_tried_again/its answer is dropped",
        "the receipt is AGAIN, not REFUSED",
    ),
    (Guesses, "lookup/lost_read_is_no_answer", "it must raise NoAnswer"),
]


@pytest.mark.parametrize(("adapter", "name", "sentence"), BROKEN, ids=lambda value: str(value)[:60])
async def test_a_broken_rule_is_told(adapter: type[Electrum], name: str, sentence: str) -> None:
    """Each rule of the suite finds the adapter that breaks it, and says so."""
    subject = msgspec.structs.replace(ELECTRUM, adapter=adapter)
    case = next(case for case in cases(subject) if case.name == name)
    with pytest.raises(NotConforming, match=sentence):
        await case.run()


async def test_a_missing_sample_is_told() -> None:
    """An operation without a sample is missed by name, not passed over."""
    whole = ELECTRUM
    samples = {k: v for k, v in whole.samples.items() if k is not Operation.VOID}
    subject = msgspec.structs.replace(whole, samples=samples)
    case = next(case for case in cases(subject) if case.name == "every_operation_has_a_sample")
    with pytest.raises(NotConforming, match="write a Sample of VOID"):
        await case.run()


async def test_a_row_that_differs_is_told() -> None:
    """The computed capability row must be the descriptor's."""
    subject = msgspec.structs.replace(ELECTRUM, guarantees={Operation.LOAD: "C"})
    case = next(case for case in cases(subject) if case.name == "row_is_as_expected")
    with pytest.raises(NotConforming, match="the descriptor expects"):
        await case.run()
