"""Sends requests and advices to a provider, and turns every way that can end into an outcome (rules 3 and 4).

Every exception of an exchange ends here as an outcome or a receipt; nothing is written down here.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from giftcard_adapters.codec import pack
from giftcard_adapters.errors import ExchangeError, Invalid, NoAnswer, NotSent, Unfindable, Unsupported
from giftcard_adapters.hearing import Heard, heard
from giftcard_adapters.lenient import noticing
from giftcard_adapters.values.advices import Acknowledgement, Advice, Receipt, ReversalReason
from giftcard_adapters.values.names import names_of
from giftcard_adapters.values.operations import AnyOperation
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_gateway.ledger.settling import may_have_left

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from giftcard_gateway.ledger.entry import Entry
    from giftcard_gateway.ledger.observer import Observer
    from giftcard_gateway.providers.connections import Connection


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An outcome, whether any byte of this request left, and why to reverse it if it is UNKNOWN.

    `is_unfindable` means that looking again is of no use: a person must decide.
    """

    outcome: Outcome
    http_status: int = 0
    """Of the last answer that came; 0 if none did."""
    was_sent: bool = True
    was_tried: bool = True
    """False when the provider was not asked, because it is away."""
    is_unfindable: bool = False
    reversal_reason: ReversalReason = ReversalReason.RESPONSE_NOT_FINAL


class Delivered(NamedTuple):
    """What a provider said to an advice, with which HTTP status, and whether it was asked at all."""

    acknowledgement: Acknowledgement
    http_status: int = 0
    was_tried: bool = True


class Exchanges:
    """Speaks to providers through their connections."""

    def __init__(self, observer: Observer) -> None:
        """Report unexpected exceptions to `observer`."""
        self._observer = observer

    def request(self, connection: Connection, ask: AnyOperation) -> Awaitable[Answer]:
        """Send a money request, once."""
        method = getattr(connection.provider, names_of(ask.operation).method)
        return self._answer(connection, method(ask))

    async def find(self, connection: Connection, entry: Entry) -> Answer:
        """Ask the provider what became of a request; UNKNOWN when that fails, or nobody should ask now."""
        if not connection.circuit.admits():
            outcome = Outcome(verdict=Verdict.UNKNOWN, evidence=entry.evidence)
            return Answer(outcome=outcome, was_tried=False)
        answer = await self._answer(connection, connection.provider.find(ask_of(entry), entry.outcome))
        return answer if answer.was_sent else doubted(answer)

    async def deliver(self, connection: Connection, entry: Entry, now: Callable[[], datetime]) -> Delivered:
        """Send every call of the promised advice in order; the first that is not done is the answer.

        Repeating those before it is harmless: each call has one net effect.
        """
        listener = Heard()
        heard.set(listener)
        receipt = await self._deliver(connection, entry, now)
        if receipt is None:
            again = Acknowledgement(receipt=Receipt.AGAIN, evidence=entry.evidence)
            return Delivered(again, was_tried=False)
        return Delivered(receipt, listener.status)

    async def _deliver(
        self, connection: Connection, entry: Entry, now: Callable[[], datetime]
    ) -> Acknowledgement | None:
        """Return the answer; None when nothing was sent, because the provider is away."""
        advice, provider_id = advice_of(entry), connection.provider_id
        receipt = Acknowledgement(receipt=Receipt.DONE)
        async with connection.advice_slots:
            # Asked when its turn has come: a provider may have gone away while others were served.
            if not connection.circuit.admits():
                return None
            try:
                with connection.exchange():
                    for call in entry.calls:
                        # Told when it is sent: the wait for a turn can outlast a provider's memory.
                        age_s = (now() - advice.written_at).total_seconds()
                        with noticing(partial(self._observer.left_out, provider_id)):
                            receipt = await connection.provider.deliver(call, advice, age_s=age_s)
                        if receipt.receipt is Receipt.GONE and may_have_left(entry):
                            # Undone by an earlier copy; the calls after it may have been undone by none.
                            receipt = Acknowledgement(receipt=Receipt.DONE)
                        if receipt.receipt is not Receipt.DONE:
                            break
            except ExchangeError as fault:
                return Acknowledgement(receipt=Receipt.AGAIN, evidence=str(fault))
            except Exception as fault:  # noqa: BLE001 - a promise is kept whatever fails in between
                self._observer.faulted("deliver", fault)
                return Acknowledgement(receipt=Receipt.AGAIN, evidence=_named(fault))
        return receipt

    async def _answer(self, connection: Connection, exchange: Awaitable[Outcome]) -> Answer:
        listener = Heard()
        heard.set(listener)
        try:
            with connection.exchange():
                outcome = await exchange
            # What cannot be packed cannot be written down, and would be asked for again without end.
            pack(outcome)
            for place in outcome.left_out:
                self._observer.left_out(connection.provider_id, place)
            return Answer(outcome=outcome, http_status=listener.status)
        except NotSent as fault:
            return Answer(outcome=Outcome(verdict=Verdict.FAILED, evidence=str(fault)), was_sent=False)
        except NoAnswer as fault:
            outcome = Outcome(verdict=Verdict.UNKNOWN, evidence=str(fault))
            return Answer(
                outcome=outcome, http_status=listener.status, reversal_reason=ReversalReason.TIMEOUT
            )
        except Unfindable as fault:
            outcome = Outcome(verdict=Verdict.UNKNOWN, evidence=str(fault))
            return Answer(outcome=outcome, http_status=listener.status, is_unfindable=True)
        except (Invalid, Unsupported) as fault:
            # An adapter that refuses does so before it sends, in words without card data. Any other of its
            # errors may come from reading the answer, and proves nothing.
            return Answer(outcome=Outcome(verdict=Verdict.FAILED, evidence=str(fault)), was_sent=False)
        except Exception as fault:  # noqa: BLE001 - our own fault after the first byte is an unknown, never a guess
            self._observer.faulted("exchange", fault)
            outcome = Outcome(verdict=Verdict.UNKNOWN, evidence=_named(fault))
            return Answer(outcome=outcome, http_status=listener.status)


def doubted(answer: Answer) -> Answer:
    """Return `answer` as UNKNOWN: this try proves nothing, because an earlier one may have been sent.

    A no is kept as evidence alone: whoever reads of a decline lets the customer go.
    """
    told = answer.outcome
    said = f"answered {told.decline.provider_code or told.decline.reason}" if told.decline else ""
    outcome = msgspec.structs.replace(
        told, verdict=Verdict.UNKNOWN, decline=None, evidence=told.evidence or said
    )
    return msgspec.structs.replace(answer, outcome=outcome)


def ask_of(entry: Entry) -> AnyOperation:
    """Return what was asked; a reversal that came before its request has none and owes nothing."""
    if entry.ask is None:
        raise ValueError("a reversal that came before its request owes nothing")
    return entry.ask


def advice_of(entry: Entry) -> Advice:
    """Return the promised advice; only a promise is ever delivered."""
    if entry.advice is None:
        raise ValueError(f"{entry.state} without an advice")
    return entry.advice


def _named(fault: Exception) -> str:
    return f"the adapter failed: {type(fault).__name__}"
