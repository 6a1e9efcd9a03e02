"""Which traces are kept, as OTEL_TRACES_SAMPLER says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.sdk.trace.sampling import (
    DEFAULT_OFF,
    DEFAULT_ON,
    ParentBased,
    ParentBasedTraceIdRatio,
    TraceIdRatioBased,
)

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.sampling import Sampler

WHOLE = TraceIdRatioBased.TRACE_ID_LIMIT + 1
"""The bound below which all traces are."""
TRACE_BITS = TraceIdRatioBased.TRACE_ID_LIMIT
"""The bits of a trace's id that a ratio looks at."""


def bound_of(sampler: Sampler) -> int | None:
    """Return the bound below which this sampler keeps a trace that begins here, None where it must be asked.

    With a bound, a trace that comes from elsewhere is kept as its caller keeps it.
    """
    if sampler is DEFAULT_ON:
        return WHOLE
    if sampler is DEFAULT_OFF:
        return 0
    if type(sampler) is ParentBasedTraceIdRatio:
        root = sampler._root  # noqa: SLF001 - asking it for each call costs more than all else of a span
        return root.bound if isinstance(root, TraceIdRatioBased) else None
    return None


def is_decided_once(sampler: Sampler) -> bool:
    """Tell whether a sampler says of a span what was said of the one above it in this process."""
    return isinstance(sampler, ParentBased)
