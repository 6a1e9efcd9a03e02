"""Spans, built by hand and only when sampled: a tenth of the cost of the SDK's own.

Sampling, ids, resource and export are the SDK's, by its OTEL_* variables. What a span may tell is
decided where it is made; never a path, a body, a header, a fault's text or a card (rule 16).
"""

from __future__ import annotations

import re
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Self

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import DEFAULT_ON, Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from opentelemetry.sdk.resources import Resource
    from opentelemetry.util.types import AttributeValue

    from giftcard_gateway.clock import Clock

_SCOPE = InstrumentationScope("giftcard_gateway")
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_DROPPED = TraceFlags(TraceFlags.DEFAULT)
_WELL, _FAILED = Status(StatusCode.UNSET), Status(StatusCode.ERROR)
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
"""A later version may add parts at the end; version ff is none (W3C Trace Context, section 3.2.2)."""
_MEMBER = r"[a-z0-9][a-z0-9_*/@-]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
_TRACESTATE = re.compile(rf"(?=.{{1,512}}$)[ \t]*{_MEMBER}[ \t]*(?:,[ \t]*{_MEMBER}[ \t]*){{0,31}}")
"""What the standard asks a vendor to pass on. All else is dropped unread: the library would log it whole."""
_current: ContextVar[Span | None] = ContextVar("span", default=None)


current = _current.get
"""Return the span this task works in, if any."""


def parse(traceparent: str, tracestate: str = "") -> SpanContext | None:
    """Return what a W3C traceparent names, or None when it is none (W3C Trace Context, section 3.2)."""
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None:
        return None
    trace, span, flags = (int(part, 16) for part in found.group(1, 2, 3))
    context = SpanContext(
        trace,
        span,
        is_remote=True,
        trace_flags=_SAMPLED if flags & TraceFlags.SAMPLED else _DROPPED,
        trace_state=TraceState.from_header([tracestate]) if _TRACESTATE.fullmatch(tracestate) else None,
    )
    return context if context.is_valid else None


class Span:
    """One span. Entered, it is the current one; left with an exception, it is marked as failed."""

    __slots__ = (
        "_error",
        "_kind",
        "_links",
        "_name",
        "_parent",
        "_spans",
        "_start_ns",
        "_token",
        "attributes",
        "context",
        "is_sampled",
        "trace_id",
        "traceparent",
    )

    def __init__(
        self,
        spans: Spans,
        name: str,
        kind: SpanKind,
        *,
        context: SpanContext | None,
        traceparent: str,
        is_sampled: bool,
        parent: SpanContext | None,
        attributes: dict[str, AttributeValue],
    ) -> None:
        """Begin now. Spans are made by `Spans`."""
        self.context = context
        self.traceparent = traceparent
        """This span as W3C traceparent, to be sent on or kept; empty when there is no trace."""
        self.is_sampled = is_sampled
        """Whether this span will be exported."""
        self.trace_id = traceparent[3:35]
        """The trace's id as 32 hexadecimal digits; empty when there is no trace."""
        self._spans = spans
        self._name = name
        self._kind = kind
        self._parent = parent
        self.attributes = attributes
        self._links: tuple[Link, ...] = ()
        self._error = False
        self._start_ns = spans.now_ns()
        self._token: Token[Span | None] | None = None

    @property
    def tracestate(self) -> str:
        """Return what other systems put into the trace, to be sent on."""
        return self.context.trace_state.to_header() if self.context else ""

    def note(self, key: str, value: AttributeValue) -> None:
        """Add an attribute."""
        self.attributes[key] = value

    def link(self, traceparent: str) -> None:
        """Add a link to another trace, once."""
        if traceparent[3:35] == self.trace_id:
            return
        other = parse(traceparent)
        known = {self.context.trace_id if self.context else 0, *(one.context.trace_id for one in self._links)}
        if other is not None and other.trace_id not in known:
            self._links = (*self._links, Link(other))

    def fail(self, error_type: str) -> None:
        """Mark as failed; `error_type` is a class or a code and never a text."""
        self._error = True
        self.attributes["error.type"] = error_type

    def end(self) -> None:
        """End now, and export if sampled."""
        self._spans.export(self)

    def readable(self, resource: Resource, end_ns: int) -> ReadableSpan:
        """Return this span as the SDK's exporters read it."""
        return ReadableSpan(
            self._name,
            context=self.context,
            parent=self._parent,
            resource=resource,
            attributes=self.attributes,
            links=self._links,
            kind=self._kind,
            status=_FAILED if self._error else _WELL,
            start_time=self._start_ns,
            end_time=end_ns,
            instrumentation_scope=_SCOPE,
        )

    def __enter__(self) -> Self:
        self._token = _current.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            _current.reset(self._token)
        if kind is not None and not self._error:
            self.fail(kind.__qualname__)
        self._spans.export(self)


class Spans:
    """Makes spans, decides which are sampled, and exports the finished ones."""

    def __init__(self, clock: Clock, processors: Sequence[SpanProcessor], provider: TracerProvider) -> None:
        """Without processors nothing is recorded, and a caller's trace is passed on as it came."""
        self.now_ns = clock.now_ns
        self._processors = processors
        self._ids = provider.id_generator
        self._sampler = provider.sampler
        self._resource = provider.resource
        self._is_callers_choice = provider.sampler is DEFAULT_ON
        """Whether everything is sampled that a caller does not want unsampled, which needs no asking."""

    def start(
        self,
        name: str,
        kind: SpanKind,
        attributes: dict[str, AttributeValue],
        *,
        parent: SpanContext | None = None,
    ) -> Span:
        """Begin a span under `parent`, else under the current one, else at the root of a new trace."""
        if parent is None and (above := _current.get()) is not None:
            parent = above.context
        context, is_sampled = parent, False
        if self._processors:
            trace_id = parent.trace_id if parent else self._ids.generate_trace_id()
            span_id = self._ids.generate_span_id()
            is_sampled, state = self._decide(name, kind, trace_id, parent)
            flags = _SAMPLED if is_sampled else _DROPPED
            context = SpanContext(trace_id, span_id, is_remote=False, trace_flags=flags, trace_state=state)
            traceparent = f"00-{trace_id:032x}-{span_id:016x}-{flags:02x}"
        elif parent is not None:
            traceparent = f"00-{parent.trace_id:032x}-{parent.span_id:016x}-{parent.trace_flags:02x}"
        else:
            traceparent = ""
        return Span(
            *(self, name, kind),
            context=context,
            traceparent=traceparent,
            is_sampled=is_sampled,
            parent=parent,
            attributes=attributes,
        )

    def export(self, span: Span) -> None:
        """Hand a finished span to the exporters, if it is sampled."""
        if span.is_sampled:
            finished = span.readable(self._resource, self.now_ns())
            for processor in self._processors:
                processor.on_end(finished)

    def close(self) -> None:
        """Export what is left and stop; may take a few seconds."""
        for processor in self._processors:
            processor.shutdown()

    def _decide(
        self, name: str, kind: SpanKind, trace_id: int, parent: SpanContext | None
    ) -> tuple[bool, TraceState | None]:
        """Tell whether a span is sampled, and what other systems put into its trace."""
        if parent is None and self._is_callers_choice:
            return True, None
        if parent is not None and (self._is_callers_choice or not parent.is_remote):
            # Decided at the head of our part of the trace, so that a trace has no holes.
            return bool(parent.trace_flags & TraceFlags.SAMPLED), parent.trace_state
        above = set_span_in_context(NonRecordingSpan(parent), Context()) if parent else Context()
        result = self._sampler.should_sample(above, trace_id, name, kind)
        return result.decision is Decision.RECORD_AND_SAMPLE, result.trace_state
