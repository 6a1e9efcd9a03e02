"""Turns what was tried for a transaction into the Progress message."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from giftcard import v1
from giftcard_adapters.values.advices import Receipt
from giftcard_adapters.values.outcomes import Verdict
from giftcard_gateway.ledger.attempts import AttemptKind
from giftcard_gateway.ledger.entry import UNSETTLED, State
from giftcard_gateway.wire.mapping import enum_numbers
from giftcard_gateway.wire.values import put_time

if TYPE_CHECKING:
    from giftcard_gateway.ledger.attempts import Attempt
    from giftcard_gateway.ledger.entry import Entry

_KINDS = enum_numbers(AttemptKind, v1.AttemptKind.DESCRIPTOR)
_RESULTS = {one: v1.AttemptResult.Value(f"ATTEMPT_RESULT_{one}") for one in (*Verdict, *Receipt)}
_REVERSIBLE = frozenset({State.PENDING, State.APPROVED, State.REVERSING, State.UNRESOLVED})


def progress_to(entry: Entry, window_s: float | None) -> v1.Progress:
    """Return what was done for `entry` and what comes next.

    `window_s` is how long its provider takes a reversal, in seconds from the request; None without an end.
    """
    told = v1.Progress(
        attempts=map(_attempt, entry.tried), attempt_count=entry.tried_in_all, process=entry.driver
    )
    if entry.due_at is not None and entry.driver:
        put_time(told.lease_end_time, entry.due_at)
    elif entry.due_at is not None and entry.state in UNSETTLED:
        put_time(told.next_attempt_time, entry.due_at)
    if window_s is not None and entry.state in _REVERSIBLE:
        put_time(told.reversal_end_time, entry.created_at + timedelta(seconds=window_s))
    return told


def _attempt(one: Attempt) -> v1.Attempt:
    told = v1.Attempt(
        kind=_KINDS[one.kind],
        result=_RESULTS.get(one.result, v1.AttemptResult.ATTEMPT_RESULT_UNSPECIFIED),
        http_status=one.http_status,
        provider_code=one.provider_code,
        summary=one.text,
        trace_id=one.trace_id,
        process=one.process,
    )
    put_time(told.start_time, one.at)
    told.duration.FromTimedelta(one.took)
    return told
