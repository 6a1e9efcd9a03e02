"""Which traces are kept, as OTEL_TRACES_SAMPLER says; the SDK would only warn of what it does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.sdk.trace.sampling import (
    DEFAULT_OFF,
    DEFAULT_ON,
    ParentBased,
    ParentBasedTraceIdRatio,
    TraceIdRatioBased,
)

from giftcard_gateway.config import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.sdk.trace.sampling import Sampler

_PLAIN = ("always_on", "always_off", "parentbased_always_on", "parentbased_always_off")
_BY_RATIO = ("traceidratio", "parentbased_traceidratio")
WHOLE = TraceIdRatioBased.TRACE_ID_LIMIT + 1
"""The bound below which all traces are."""
TRACE_BITS = TraceIdRatioBased.TRACE_ID_LIMIT
"""The bits of a trace's id that a ratio looks at."""


def demand_sampler(environ: Mapping[str, str]) -> None:
    """Raise ConfigError for a sampler, or a ratio, that is none."""
    name = environ.get("OTEL_TRACES_SAMPLER", "").lower()
    if name and name not in {*_PLAIN, *_BY_RATIO}:
        raise ConfigError([f"OTEL_TRACES_SAMPLER must be one of {', '.join((*_PLAIN, *_BY_RATIO))}"])
    ratio = environ.get("OTEL_TRACES_SAMPLER_ARG", "")
    if name in _BY_RATIO and ratio:
        try:
            is_ratio = 0.0 <= float(ratio) <= 1.0
        except ValueError:
            is_ratio = False
        if not is_ratio:
            raise ConfigError(["OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1"])


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
