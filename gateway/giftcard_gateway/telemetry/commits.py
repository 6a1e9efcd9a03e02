"""Commits of the journal as client spans, one in the trace of each call that waited for one.

Made when all is over, on the thread that committed, and for calls whose trace is exported alone: a call that
is not pays nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.trace import SpanKind

from giftcard_gateway.telemetry.spans import Span, below

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.util.types import AttributeValue

    from giftcard_gateway.telemetry.spans import Spans

OPERATION = "COMMIT"


class Commits:
    """Tells of commits."""

    def __init__(self, spans: Spans) -> None:
        """Tell by these."""
        self._spans = spans

    def tell(self, system: str, took_s: float, callers: Sequence[object]) -> None:
        """Tell of one that ended now; `callers` has the span that each of its writes was handed in under."""
        for caller in {one for one in callers if isinstance(one, Span)}:
            attributes: dict[str, AttributeValue] = {"db.system.name": system, "db.operation.name": OPERATION}
            if len(callers) > 1:
                # The conventions want no size of one.
                attributes["db.operation.batch.size"] = len(callers)
            span = self._spans.start(OPERATION, SpanKind.CLIENT, attributes, below(caller), ago_s=took_s)
            span.end()
