"""The trace of a caller, and ours as a provider is told it: OTEL_PROPAGATORS names the headers' forms.

A caller's baggage is there for whoever looks for it in this process. None goes to a provider, by whatever
form: it can hold anything of anybody's.
"""

from __future__ import annotations

import re
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from opentelemetry import baggage
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context.context import Context
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.trace import DEFAULT_TRACE_STATE, set_span_in_context

from giftcard_adapters.extras import EXTRAS
from giftcard_gateway.config import ConfigError
from giftcard_gateway.telemetry.spans import continuing, is_tracestate, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from opentelemetry.propagators.textmap import TextMapPropagator

    from giftcard_gateway.telemetry.spans import AnyWork

_GROUP = "opentelemetry_propagator"
_USUAL = frozenset({"tracecontext", "baggage"})
_MODULES = {"b3": "opentelemetry.propagators.b3", "b3multi": "opentelemetry.propagators.b3"}
"""Forms that an extra of ours brings."""
_KEY = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_VALUE = r"[!#-+\--:<-\[\]-~]*"
_PROPERTY = rf"[ \t]*{_KEY}[ \t]*(?:=[ \t]*{_VALUE}[ \t]*)?"
_PAIR = rf"[ \t]*{_KEY}[ \t]*=[ \t]*{_VALUE}[ \t]*(?:;{_PROPERTY})*"
_BAGGAGE = re.compile(rf"(?=.{{1,8192}}$){_PAIR}(?:,{_PAIR}){{0,179}}")
"""What the standard asks everybody to take. All else is dropped unread: the library would log it whole."""
_BEHIND = W3CBaggagePropagator()


class Propagation:
    """Reads a caller's headers, and writes a provider's."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Take the forms that OTEL_PROPAGATORS names; raise ConfigError for one that is not here."""
        names = [name.strip() for name in (environ.get("OTEL_PROPAGATORS") or ",".join(_USUAL)).split(",")]
        if "none" in names:
            names = []
        self._has_trace = "tracecontext" in names
        self._has_baggage = "baggage" in names
        self._forms = None if self._has_trace and _USUAL.issuperset(names) else _loaded(names)
        """Asked where it is not only the usual ones, which need no asking."""

    def heard(self, metadata: Iterable[tuple[str, str | bytes]]) -> Context | None:
        """Return what a caller's headers say of its trace and its baggage, or None when it is nothing."""
        if self._forms is not None:
            return self._read(self._forms, metadata)
        traceparent: str | bytes = ""
        tracestate: str | bytes = ""
        pairs: str | bytes = ""
        for key, value in metadata:
            if key == "traceparent":
                traceparent = value
            elif key == "tracestate":
                tracestate = value
            elif key == "baggage":
                pairs = value
        parent = parse(str(traceparent), str(tracestate)) if traceparent else None
        context = continuing(parent) if parent else None
        if pairs and self._has_baggage and _BAGGAGE.fullmatch(str(pairs)):
            return _BEHIND.extract({"baggage": pairs}, context or Context())
        return context

    def told(self, span: AnyWork) -> list[tuple[str, str]]:
        """Return the headers that tell a provider of our span; none when there is no trace."""
        if self._forms is not None:
            headers: dict[str, str] = {}
            if span.traceparent:
                self._forms.inject(headers, baggage.clear(set_span_in_context(span, Context())))
            return list(headers.items())
        if not span.traceparent:
            return []
        told = [("traceparent", span.traceparent)]
        state = span.made[4]
        if state is not DEFAULT_TRACE_STATE and state:
            told.append(("tracestate", state.to_header()))
        return told

    def _read(self, forms: TextMapPropagator, metadata: Iterable[tuple[str, str | bytes]]) -> Context | None:
        headers: dict[str, list[str]] = {}
        for key, value in metadata:
            if isinstance(value, str) and _is_harmless(key, value):
                headers.setdefault(key, []).append(value)
        return forms.extract(headers, Context()) or None


def _is_harmless(key: str, value: str) -> bool:
    """Tell whether a header has its standard's form, where the library would log one that has not."""
    if key == "tracestate":
        return is_tracestate(value) is not None
    return key != "baggage" or _BAGGAGE.fullmatch(value) is not None


def _loaded(names: list[str]) -> TextMapPropagator:
    here = {one.name: one for one in entry_points(group=_GROUP)}
    for name in names:
        if name in here:
            continue
        if name in _MODULES:
            needs = f"install giftcard-gateway[{EXTRAS[_MODULES[name]]}]"
            raise ConfigError([f"OTEL_PROPAGATORS has {name}, which is not installed: {needs}"])
        raise ConfigError(
            [f"OTEL_PROPAGATORS has {name or 'an empty name'}; it can be {', '.join(sorted(here))} or none"]
        )
    return CompositePropagator([here[name].load()() for name in dict.fromkeys(names)])
