"""The pipeline's observer: what it hears becomes metrics, log lines and attributes of spans.

Only ids, operations, states and providers are told; never what was asked or answered.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from opentelemetry.context.context import Context
from opentelemetry.trace import SpanKind

from giftcard_gateway.ledger.entry import FINAL, State
from giftcard_gateway.ledger.observer import Observer
from giftcard_gateway.seal import KeyMissing
from giftcard_gateway.telemetry import catalogue
from giftcard_gateway.telemetry.logs import fault_fields
from giftcard_gateway.telemetry.spans import Working, current

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from giftcard_gateway.clock import Clock
    from giftcard_gateway.ledger.entry import Entry
    from giftcard_gateway.seal import SealBroken
    from giftcard_gateway.telemetry.metrics import Metrics
    from giftcard_gateway.telemetry.spans import Spans

_log = logging.getLogger("giftcard_gateway")
_QUIET_S = 60.0
_QUIET_OF_ONE_S = 300.0
"""How long nothing more is said of a transaction that cannot be opened, however often somebody asks."""
_MOST_KINDS = 1000
_TRACE_ID = slice(3, 35)
"""Where a W3C traceparent has the id of its trace."""
_CRITICAL_SHARE = 0.9
"""From here on a reversal's window is about to close (rule 8)."""


class Watcher(Observer):
    """Turns what the pipeline reports into metrics, logs and span attributes."""

    def __init__(self, spans: Spans, metrics: Metrics, clock: Clock) -> None:
        """Write to these."""
        self._spans = spans
        self._metrics = metrics
        self._may_say = Seldom(clock)
        self._may_tell = Seldom(clock, quiet_s=_QUIET_OF_ONE_S)
        self._missing_keys: set[str] = set()
        self._damaged = 0
        self._elsewhere: dict[tuple[str, ...], int] = {}

    def wrote(self, before: Entry | None, after: Entry) -> None:
        """Count a state that was reached, and log the last one of a transaction."""
        span = current()
        if span is not None and span.is_recorded:
            noted = span.noted
            noted["giftcard.transaction_id"] = after.transaction_id
            noted["giftcard.state"] = after.state
            noted["giftcard.provider"] = after.provider
            if after.traceparent != span.traceparent:
                span.link(after.traceparent)
        if before is not None and before.state is after.state:
            return
        self._metrics.reached[after.operation, after.provider, after.state] += 1
        if after.state is State.UNRESOLVED:
            self._metrics.unresolved(after.operation, after.provider)
            _log.error("a person must look at this transaction", extra=_whole(after))
        elif after.state in FINAL and _log.isEnabledFor(logging.INFO):
            _log.info("transaction ended", extra=_whole(after))

    @contextmanager
    def resuming(self, entry: Entry) -> Iterator[None]:
        """Surround work on an entry that no caller waits for with a trace of its own, linked to the first.

        A transaction that is tried for days is a trace for each try, not one of hundreds of spans.
        """
        facts = {"giftcard.transaction_id": entry.transaction_id, "giftcard.provider": entry.provider}
        # Whoever set this off, and in whose context the task was made, has another trace.
        within = Context()
        go = Working()
        go.span = self._spans.start(f"resume {entry.operation}", SpanKind.INTERNAL, {**facts}, within)
        go.span.link(entry.traceparent)
        with go:
            yield

    def faulted(self, place: str, fault: BaseException) -> None:
        """Count and log what should not have happened, by type and place."""
        self._metrics.fault(place, type(fault).__qualname__)
        _log.error("something failed that should not have", extra={"place": place} | fault_fields(fault))

    def unreadable(self, transaction_id: str, fault: SealBroken) -> None:
        """Count and log a transaction that cannot be opened, by its id and its key's; the text is ours."""
        self._metrics.fault("seal", type(fault).__qualname__)
        if not self._may_tell(("transaction", transaction_id)):
            return
        extra = {"transaction_id": transaction_id, "why": str(fault)}
        if isinstance(fault, KeyMissing):
            extra["key_id"] = fault.key_id
        _log.error("a transaction cannot be opened and is left alone", extra=extra)

    def unreadable_event(self, cursor: str, fault: SealBroken) -> None:
        """Count and log an event that cannot be opened, by its place in the feed."""
        self._metrics.fault("seal", type(fault).__qualname__)
        if self._may_tell(("event", cursor)):
            _log.error("an event cannot be opened", extra={"cursor": cursor, "why": str(fault)})

    def damaged(self, count: int) -> None:
        """Set the gauge, and log when the count has changed."""
        self._metrics.set(catalogue.DAMAGED, {(): count})
        if count != self._damaged:
            self._damaged = count
            _log.error(
                "transactions in the journal have columns that cannot be", extra={"transactions": count}
            )

    def sealed_elsewhere(self, counts: Mapping[str, int]) -> None:
        """Set the gauge, and log when which keys are missing here has changed."""
        # A key once named stays, as zero: what is gone must be seen to be.
        self._elsewhere = dict.fromkeys(self._elsewhere, 0) | {(key,): n for key, n in counts.items()}
        self._metrics.set(catalogue.ELSEWHERE, self._elsewhere)
        if counts.keys() != self._missing_keys:
            self._missing_keys = set(counts)
            if counts:
                _log.error(
                    "keys are in use that are not here: what is under them is left to other processes",
                    extra={"key_ids": sorted(counts), "transactions": sum(counts.values())},
                )
            else:
                _log.warning("every key in use is here again")

    def left_out(self, provider: str, place: str) -> None:
        """Count what could not be read; a place is named by the adapter's schema, never by the answer."""
        self._metrics.left_out(provider, place)

    def window_closing(self, entry: Entry, share: float) -> None:
        """Count and log a reversal that is late in the provider's window (rule 8)."""
        severity = "critical" if share >= _CRITICAL_SHARE else "warning"
        self._metrics.window(entry.provider, severity)
        level = logging.ERROR if severity == "critical" else logging.WARNING
        extra = _facts(entry) | {"window_used": round(share, 2)}
        _log.log(level, "a reversal is not through and its window is closing", extra=extra)

    def journal_lost(self, why: str) -> None:
        """Log that nothing new is accepted, and why; the journal's own sentence holds no row."""
        _log.error("the journal is away: nothing new is accepted", extra={"why": why})

    def journal_found(self, away_s: float) -> None:
        """Log that calls are accepted again."""
        _log.warning("the journal is back: calls are accepted again", extra={"away_s": round(away_s, 1)})

    def journal_forgot(self, since: datetime, until: datetime) -> None:
        """Log between when what was written is gone, and count it."""
        extra = {"since": since.isoformat(), "until": until.isoformat()}
        _log.error("the journal has forgotten what was written between these times: reconcile", extra=extra)
        self._metrics.forgot()

    def refused(self, method: str, reason: str, cause: str) -> None:
        """Count a refusal, and log the first of a kind in a minute: a stranger must not fill the log."""
        self._metrics.refused(reason, cause)
        if self._may_say((reason, cause)):
            extra = {"method": method, "reason": reason, "cause": cause}
            _log.warning("a caller was refused; more of the kind are counted for a minute", extra=extra)

    def erred(self, reason: str, budget: str) -> None:
        """Count an error that a caller was told."""
        self._metrics.erred(reason, budget)

    def webhook(self, provider: str, result: str) -> None:
        """Count a webhook by what became of it."""
        self._metrics.webhook(provider, result)

    def handshake_failed(self, why: str) -> None:
        """Count a failed handshake, and log the first for a reason in a minute."""
        self._metrics.refused("HANDSHAKE_FAILED", why)
        if self._may_say(("handshake", why)):
            _log.warning(
                "a TLS handshake failed; more of the kind are counted for a minute", extra={"why": why}
            )

    def traceparent(self) -> str:
        """Return the W3C trace the caller is in, or nothing."""
        span = current()
        return span.traceparent if span else ""


class Seldom:
    """Tells whether a kind of thing may be logged again, of a thousand kinds at a time."""

    def __init__(self, clock: Clock, quiet_s: float = _QUIET_S) -> None:
        self._clock = clock
        self._quiet_s = quiet_s
        self._said: dict[tuple[str, ...], float] = {}

    def __call__(self, kind: tuple[str, ...]) -> bool:
        """Return True once in `quiet_s` for each kind, and False for any new one where there are too many."""
        now_s = self._clock.monotonic_s()
        if now_s - self._said.get(kind, -self._quiet_s) < self._quiet_s:
            return False
        # The oldest stand first.
        while (oldest := next(iter(self._said), None)) and now_s - self._said[oldest] >= self._quiet_s:
            del self._said[oldest]
        if len(self._said) >= _MOST_KINDS:
            return False
        self._said[kind] = now_s
        return True


def _whole(entry: Entry) -> dict[str, object]:
    """Return what is told of a transaction that goes no further by itself."""
    told = _facts(entry) | {
        "duration_s": round((entry.updated_at - entry.created_at).total_seconds(), 3),
        "attempts": entry.tried_in_all,
    }
    decline = entry.outcome.decline if entry.outcome else None
    if decline is not None:
        told["decline_reason"] = decline.reason.value
    if entry.traceparent:
        # Of the trace it began in: what ends a transaction may be a call of later, or none.
        told["began_in_trace_id"] = entry.traceparent[_TRACE_ID]
    return told


def _facts(entry: Entry) -> dict[str, object]:
    return {
        "transaction_id": entry.transaction_id,
        "operation": entry.operation.value,
        "provider": entry.provider,
        "state": entry.state.value,
    }
