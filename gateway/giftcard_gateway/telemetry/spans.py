"""Our spans: the SDK's own, made at a third of the cost of its tracer.

A span here is one of the SDK's in every respect: it is the current one for whoever asks OpenTelemetry,
processors hear of its start and its end, limits, sampler, ids and resource are the SDK's by its OTEL_*
variables. Cheaper is what is the same for each of ours: their attributes are few, short and valid, so they
stand in a plain dict until somebody else adds one. What a span may tell is decided where it is made; never
a path, a body, a header, a fault's text or a card (rule 16).
"""

from __future__ import annotations

import re
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import attach, detach, get_current
from opentelemetry.context.context import Context
from opentelemetry.sdk.trace import EventBase, SpanLimits, SpanProcessor, SynchronousMultiSpanProcessor
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    INVALID_SPAN,
    INVALID_SPAN_CONTEXT,
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

from giftcard_gateway.telemetry.conventions import SCHEMA_URL, SCOPE
from giftcard_gateway.telemetry.sampling import TRACE_BITS, bound_of, is_decided_once

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextvars import Token

    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.util.types import AnyValue, Attributes, AttributeValue

    from giftcard_gateway.clock import Clock

_SCOPE = InstrumentationScope(SCOPE, schema_url=SCHEMA_URL)
_SAMPLED = TraceFlags.SAMPLED
_RANDOM = TraceFlags.RANDOM_TRACE_ID
_FLAGS = tuple(TraceFlags(bits) for bits in range((_SAMPLED | _RANDOM) + 1))
_WELL, _FAILED = Status(StatusCode.UNSET), Status(StatusCode.ERROR)
_SPAN = next(iter(set_span_in_context(INVALID_SPAN, Context())))
"""Where OpenTelemetry's context has its current span."""
_NS = 10**9
_MOST_OF_OURS = 16
"""No span of ours has more attributes by us, so that a larger limit need not be looked at."""
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
"""A later version may add parts at the end; version ff is none (W3C Trace Context, section 3.2.2)."""
_MEMBER = r"[a-z0-9][a-z0-9_*/@-]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
_TRACESTATE = re.compile(rf"(?=.{{1,512}}$)[ \t]*{_MEMBER}[ \t]*(?:,[ \t]*{_MEMBER}[ \t]*){{0,31}}")
"""What the standard asks a vendor to pass on. All else is dropped unread: the library would log it whole."""
is_tracestate = _TRACESTATE.fullmatch

_working: ContextVar[AnyWork | None] = ContextVar("work", default=None)
current = _working.get
"""Return the span of the call or the go of recovery that this task works for, if any."""


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
        trace_flags=_FLAGS[flags & (_SAMPLED | _RANDOM)],
        trace_state=TraceState.from_header([tracestate]) if is_tracestate(tracestate) else None,
    )
    return context if context.is_valid else None


def below(span: AnyWork) -> Context:
    """Return what spans begun in it have as their parent: a span of this process."""
    return Context({**span.within, _SPAN: span})


def continuing(context: SpanContext) -> Context:
    """Return what spans begun in it have as their parent: a span of another process."""
    return Context({_SPAN: NonRecordingSpan(context)})


class Span(SdkSpan):
    """A span that is recorded."""

    is_recorded = True
    """Whether anything that is noted here is kept."""
    # What the SDK's methods look at, and is the same for each until somebody changes it.
    _instrumentation_info = None
    _instrumentation_scope = _SCOPE
    _end_time: int | None = None
    _events: Any = ()
    _links: Any = ()
    _status = _WELL
    # A fault's text may hold anything.
    _record_exception = _set_status_on_exception = False
    _record_end_metrics = None
    # For all: ours are made and ended in one thread. It may be held twice, by who logs what it forbids.
    _lock: Any = threading.RLock()

    def __init__(  # noqa: PLR0917 - made in one place, without the cost of keywords
        self,
        spans: Spans,
        name: str,
        kind: SpanKind,
        context: SpanContext,
        parent: SpanContext | None,
        noted: dict[str, AttributeValue],
        within: Context,
        ago_s: float,
    ) -> None:
        """Have begun `ago_s` ago. Spans are made by `Spans`."""
        # Not the SDK's own: what it does here for each is most of what a span costs.
        self._name = name
        self.made = self._context = context
        """What names this span."""
        self.within = within
        """What was current when it began."""
        self._kind = kind
        self._parent = parent
        self._spans = spans
        self._resource = spans.resource
        self._limits = spans.limits
        self._sampler = spans.sampler
        self._span_processor = spans.heard
        self._attributes: Any = noted
        self.noted: Any = noted
        """Attributes, for those who make the span: known to be valid, and never card data."""
        trace_id, span_id, _, flags, _, _ = context
        self.traceparent = f"00-{trace_id:032x}-{span_id:016x}-{flags:02x}"
        """This span as W3C traceparent, to be sent on or kept; empty when there is no trace."""
        self.trace_id = self.traceparent[3:35]
        """The trace's id as 32 hexadecimal digits."""
        if spans.is_limited:
            self._bound()
        self._start_time = spans.now_ns() - int(ago_s * _NS)

    @property
    def is_plain(self) -> bool:
        """Tell whether it has nothing but what we made it of: attributes in a plain dict."""
        return type(self._attributes) is dict and not self._events and not self._links

    @property
    def kept(self) -> Mapping[str, AttributeValue]:
        """Return the attributes themselves, to be read when it has ended."""
        kept: Mapping[str, AttributeValue] = self._attributes
        return kept

    def get_span_context(self) -> SpanContext:
        """Return what names this span."""
        return self.made

    def link(self, traceparent: str) -> None:
        """Add a link to another trace, once."""
        if traceparent[3:35] == self.trace_id:
            return
        other = parse(traceparent)
        if other is not None and all(other.trace_id != one.context.trace_id for one in self._links):
            self.add_link(other)

    def fail(self, error_type: str) -> None:
        """Mark as failed; `error_type` is a class or a code and never a text."""
        self._status = _FAILED
        self.noted["error.type"] = error_type

    def set_attribute(self, key: str, value: AnyValue) -> None:
        """Add an attribute, of anybody's."""
        self._bound()
        super().set_attribute(key, value)

    def set_attributes(self, attributes: Mapping[str, AnyValue]) -> None:
        """Add attributes, of anybody's."""
        self._bound()
        super().set_attributes(attributes)

    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        """Add an event, of anybody's: we have none."""
        super().add_event(name, attributes, timestamp if timestamp is not None else self._spans.now_ns())

    def _add_event(self, event: EventBase) -> None:
        if not self._events:
            self._events = self._new_events()  # type: ignore[no-untyped-call]  # the SDK has no type for it
        super()._add_event(event)

    def _add_link(self, link: Link) -> None:
        if not self._links:
            self._links = self._new_links(())
        super()._add_link(link)

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,  # noqa: FBT001, FBT002 - the SDK's own signature
    ) -> None:
        """Add an event that tells the exception's type, and neither its text nor a traceback (rule 16)."""
        del escaped
        told = {"exception.type": type(exception).__qualname__}
        self.add_event("exception", {**told, **(attributes or {})}, timestamp)

    def end(self, end_time: int | None = None) -> None:
        """End now, and let processors hear of it; what is told later is dropped."""
        with self._lock:
            if self._end_time is not None:
                return
            self._end_time = end_time if end_time is not None else self._spans.now_ns()
            # An exporter reads the other from its own thread.
            self.noted = {}
        for ending in self._spans.heard.endings:
            ending(self)
        for ended in self._spans.heard.ends:
            ended(self)

    def _bound(self) -> None:
        """Hold attributes to the SDK's limits, from now on."""
        with self._lock:
            if self._end_time is None and not isinstance(self._attributes, BoundedAttributes):
                self.noted = self._attributes = BoundedAttributes(
                    self._limits.max_span_attributes,
                    self._attributes,
                    immutable=False,
                    max_value_len=self._limits.max_span_attribute_length,
                )


class Unrecorded(NonRecordingSpan):
    """A span that nobody will see: it is there to be passed on, as the caller's or with its own id."""

    is_recorded = False

    def __init__(self, context: SpanContext, traceparent: str, within: Context) -> None:
        """Stand for a context, which may be none at all."""
        self.made = self._context = context
        self.within = within
        self.traceparent = traceparent
        self.trace_id = traceparent[3:35]
        self.noted: dict[str, AttributeValue] = {}

    def link(self, traceparent: str) -> None:
        """Link to nothing."""

    def fail(self, error_type: str) -> None:
        """Tell nobody."""


AnyWork: TypeAlias = Span | Unrecorded
_OURS = frozenset({Span, Unrecorded})


class Listeners(SynchronousMultiSpanProcessor):
    """The processors of all spans; those that do not listen to something are not called for it."""

    def __init__(self) -> None:
        """Begin with none; without any nothing is recorded, and a caller's trace is passed on as it came."""
        super().__init__()  # type: ignore[no-untyped-call]  # the SDK has no type for it
        self.starts: tuple[Callable[..., None], ...] = ()
        self.endings: tuple[Callable[[Span], None], ...] = ()
        self.ends: tuple[Callable[[Span], None], ...] = ()

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Let one more hear, from now on."""
        super().add_span_processor(span_processor)
        kind = type(span_processor)
        # The SDK's two have a start that does nothing.
        if kind.on_start is not SpanProcessor.on_start and kind not in {
            BatchSpanProcessor,
            SimpleSpanProcessor,
        }:
            self.starts += (span_processor.on_start,)
        if kind._on_ending is not SpanProcessor._on_ending:  # noqa: SLF001 - it has no other name yet
            self.endings += (span_processor._on_ending,)  # noqa: SLF001 - the same
        self.ends += (span_processor.on_end,)


class Spans:
    """Makes spans, and decides which are recorded."""

    def __init__(self, clock: Clock, heard: Listeners, provider: TracerProvider, limits: SpanLimits) -> None:
        """Make what `provider` would make; its processors are `heard`, its limits these."""
        self.now_ns = clock.now_ns
        self.heard = heard
        self.provider = provider
        """Makes what others tell of in our traces."""
        self.limits = limits
        self.sampler = provider.sampler
        self.resource = provider.resource
        ids = provider.id_generator
        self._is_random = _RANDOM if ids.is_trace_id_random() else 0
        self._span_id, self._trace_id = ids.generate_span_id, ids.generate_trace_id
        most = limits.max_span_attributes
        self.is_limited = limits.max_span_attribute_length is not None or (
            most is not None and most < _MOST_OF_OURS
        )
        """Whether a limit is such that attributes of ours have to be held to it."""
        self._bound = bound_of(provider.sampler)
        self._is_decided_once = is_decided_once(provider.sampler)

    def start(
        self,
        name: str,
        kind: SpanKind,
        attributes: dict[str, AttributeValue],
        within: Context | None = None,
        *,
        ago_s: float = 0.0,
    ) -> AnyWork:
        """Begin a span under the one in `within`, else the current one, else at the root of a new trace.

        It began `ago_s` ago.
        """
        context = get_current() if within is None else within
        above: Any = context.get(_SPAN)
        parent: SpanContext | None = None
        trace_id = span_id = above_flags = 0
        is_remote, state = False, None
        if above is not None:
            parent = above.made if type(above) in _OURS else above.get_span_context()
            trace_id, span_id, is_remote, above_flags, state, is_valid = parent
            if not is_valid:
                parent, state = None, None
        if not self.heard.ends:
            if parent is None:
                return Unrecorded(INVALID_SPAN_CONTEXT, "", context)
            traceparent = f"00-{trace_id:032x}-{span_id:016x}-{above_flags:02x}"
            return Unrecorded(parent, traceparent, context)
        span_id = self._span_id()
        random = self._is_random
        if parent is None:
            trace_id = self._trace_id()
        else:
            random = above_flags & _RANDOM
        if parent is None and self._bound is not None:
            is_recorded = is_sampled = trace_id & TRACE_BITS < self._bound
        elif parent is not None and (self._is_decided_once if not is_remote else self._bound is not None):
            # Decided at the head of the trace, or of our part of it, so that a trace has no holes.
            is_recorded = is_sampled = bool(above_flags & _SAMPLED)
        else:
            result = self.sampler.should_sample(context, trace_id, name, kind, attributes)
            is_sampled = result.decision is Decision.RECORD_AND_SAMPLE
            is_recorded = result.decision is not Decision.DROP
            state = result.trace_state
            attributes = {**(result.attributes or {})}  # type: ignore[dict-item]  # what it added, if anything
        flags = _FLAGS[random | is_sampled]
        made = SpanContext(trace_id, span_id, False, flags, state)  # noqa: FBT003 - keywords cost
        if not is_recorded:
            return Unrecorded(made, f"00-{trace_id:032x}-{span_id:016x}-{flags:02x}", context)
        span = Span(self, name, kind, made, parent, attributes, context, ago_s)
        for start in self.heard.starts:
            start(span, parent_context=within)
        return span

    def close(self) -> None:
        """Export what is left and stop; may take a few seconds."""
        self.heard.shutdown()


def enter(span: AnyWork) -> Token[Context]:
    """Make a span OpenTelemetry's current one."""
    return attach(Context({**span.within, _SPAN: span}))


leave = detach
"""Undo what `enter` did."""


class Working:
    """Surrounds the work of a call or a go of recovery: its span is the current one, here and for all."""

    __slots__ = ("_before", "_token", "span")

    span: AnyWork

    def __enter__(self) -> Self:
        self._token = attach(Context({**self.span.within, _SPAN: self.span}))
        self._before = _working.set(self.span)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        _working.reset(self._before)
        detach(self._token)
        if kind is not None and self.span.is_recorded and "error.type" not in self.span.noted:
            self.span.fail(kind.__qualname__)
        self.span.end()
