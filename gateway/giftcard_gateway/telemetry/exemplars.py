"""Of which measurements an example is kept, as OTEL_METRICS_EXEMPLAR_FILTER says."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from giftcard_gateway.config import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Exemplars(Enum):
    """Which measurements may be examples."""

    OF_TRACES = "trace_based"
    """Those made in a span that is exported: a trace can be looked up by them."""
    OF_ALL = "always_on"
    NONE = "always_off"


def exemplar_filter(environ: Mapping[str, str]) -> Exemplars:
    """Return what the variable names, or those of traces; raise ConfigError for what is none."""
    name = (environ.get("OTEL_METRICS_EXEMPLAR_FILTER") or Exemplars.OF_TRACES.value).strip().lower()
    if name not in {one.value for one in Exemplars}:
        known = ", ".join(one.value for one in Exemplars)
        raise ConfigError([f"OTEL_METRICS_EXEMPLAR_FILTER must be one of {known}"])
    return Exemplars(name)
