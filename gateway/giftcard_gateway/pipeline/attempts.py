"""Makes of an exchange what people are shown of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from giftcard_adapters.values.advices import AdviceKind
from giftcard_gateway.ledger.attempts import Attempt, AttemptKind
from giftcard_gateway.providers.exchanges import advice_of

if TYPE_CHECKING:
    from datetime import datetime

    from giftcard_gateway.ledger.entry import Entry
    from giftcard_gateway.providers.exchanges import Answer, Delivered

_TRACE_ID = slice(3, 35)
"""Where a W3C traceparent has the id of its trace."""


class Witness:
    """Makes the attempts of one process."""

    def __init__(self, process: str) -> None:
        """Tell every attempt by this process's name."""
        self._process = process

    def asked(
        self, kind: AttemptKind, answer: Answer, *, at: datetime, until: datetime, traceparent: str
    ) -> tuple[Attempt, ...]:
        """Return the attempt that `answer` came of; none where the provider was not asked."""
        if not answer.was_tried:
            return ()
        outcome = answer.outcome
        decline = outcome.decline
        attempt = Attempt(
            kind=kind,
            at=at,
            took=until - at,
            result=outcome.verdict._value_,
            http_status=answer.http_status,
            provider_code=decline.provider_code if decline else "",
            text=(decline.provider_text if decline else "") or outcome.evidence,
            trace_id=traceparent[_TRACE_ID],
            process=self._process,
        )
        return (attempt,)

    def advised(
        self, entry: Entry, told: Delivered, *, at: datetime, until: datetime, traceparent: str
    ) -> tuple[Attempt, ...]:
        """Return the attempt to deliver the advice of `entry`; none where the provider was not asked."""
        if not told.was_tried:
            return ()
        receipt = told.acknowledgement
        is_confirmation = advice_of(entry).kind is AdviceKind.CONFIRMATION
        attempt = Attempt(
            kind=AttemptKind.CONFIRMATION if is_confirmation else AttemptKind.REVERSAL,
            at=at,
            took=until - at,
            result=receipt.receipt.value,
            http_status=told.http_status,
            provider_code=receipt.decline.provider_code if receipt.decline else "",
            text=receipt.evidence or (receipt.decline.provider_text if receipt.decline else ""),
            trace_id=traceparent[_TRACE_ID],
            process=self._process,
        )
        return (attempt,)
