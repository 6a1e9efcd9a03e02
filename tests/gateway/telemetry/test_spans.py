"""Our spans as OpenTelemetry's users know them: current, nested, heard, limited, sampled, propagated."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from importlib.metadata import EntryPoint, EntryPoints
from itertools import product

import httpx
import pytest
from opentelemetry import baggage, trace
from opentelemetry.context.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_OFF,
    DEFAULT_ON,
    Decision,
    ParentBasedTraceIdRatio,
    Sampler,
    TraceIdRatioBased,
)
from opentelemetry.trace import SpanContext, SpanKind, StatusCode

from giftcard_adapters.calls import Call, Moment
from giftcard_adapters.exchange import Exchange
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.config import ConfigError
from giftcard_gateway.telemetry import Telemetry, open_telemetry, propagation
from giftcard_gateway.telemetry.spans import Listeners, Spans, continuing, current, parse

METHOD = "giftcard.v1.GiftCardService/Redeem"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CALLER = ("traceparent", f"00-{TRACE}-{PARENT}-01")


class Hearing(SpanProcessor):
    """Keeps what it hears, in order."""

    def __init__(self) -> None:
        """Have heard nothing."""
        self.heard: list[tuple[str, str]] = []
        self.ended: list[ReadableSpan] = []

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Hear of a start, and add what processors add."""
        self.heard.append(("start", span.name))
        span.set_attribute("of.processor", "yes")
        assert parent_context is None or isinstance(parent_context, Context)

    def on_end(self, span: ReadableSpan) -> None:
        """Hear of an end."""
        self.heard.append(("end", span.name))
        self.ended.append(span)

    def named(self, name: str) -> ReadableSpan:
        """Return the one span of this name."""
        (span,) = [one for one in self.ended if one.name == name]
        return span


@pytest.fixture
def hearing() -> Hearing:
    """Listen."""
    return Hearing()


def opened(hearing: SpanProcessor, environ: Mapping[str, str] | None = None) -> Telemetry:
    """Open telemetry that tells a processor."""
    return open_telemetry(environ or {}, SystemClock(), processors=[hearing])


async def ask(telemetry: Telemetry, answer: httpx.AsyncBaseTransport) -> None:
    """Make an exchange with a provider."""
    exchange = Exchange(
        base_url="https://provider.example/api",
        transport=telemetry.traced(answer, "spar-za"),
        moment=lambda: Moment(now_s=1.0, nonce="0" * 32),
        timeout_s=5,
    )
    await exchange.send(Call(method="POST", path="/"), sign=lambda *_: {}, name="redeem")


class Answering(httpx.AsyncBaseTransport):
    """A provider that answers, and keeps the headers it was sent and what was current when it was."""

    def __init__(self) -> None:
        """Have been sent nothing."""
        self.headers = httpx.Headers()
        self.current: trace.Span = trace.INVALID_SPAN

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        self.headers, self.current = request.headers, trace.get_current_span()
        return httpx.Response(200)


def context_of(span: trace.Span | ReadableSpan) -> SpanContext:
    """Return what names a span."""
    context = span.get_span_context()
    assert context is not None
    return context


async def test_current_in_a_call_and_in_an_exchange(hearing: Hearing) -> None:
    """It is the server's span in a call, the client's in an exchange, and none outside."""
    telemetry, provider = opened(hearing), Answering()
    with telemetry.call(METHOD, [CALLER]):
        server = trace.get_current_span()
        await ask(telemetry, provider)
        assert trace.get_current_span() is server
    assert not trace.get_current_span().get_span_context().is_valid
    assert isinstance(server, Span)
    assert (server.name, server.kind) == (METHOD, SpanKind.SERVER)
    assert isinstance(provider.current, Span)
    assert provider.current.kind is SpanKind.CLIENT
    assert provider.current.parent == server.get_span_context()


async def test_others_nest(hearing: Hearing) -> None:
    """A span of an instrumentation is our span's child, and our next one is its child."""
    telemetry = opened(hearing)
    tracer = telemetry.tracers.get_tracer("database")
    with telemetry.call(METHOD, [CALLER]), tracer.start_as_current_span("SELECT"):
        await ask(telemetry, Answering())
    server, theirs, client = (hearing.named(name) for name in (METHOD, "SELECT", "POST redeem"))
    assert theirs.parent == context_of(server)
    assert client.parent == context_of(theirs)
    assert f"{context_of(client).trace_id:032x}" == TRACE


async def test_noted_on_the_calls_own_span(hearing: Hearing) -> None:
    """What is told of a transaction, and kept of its trace, is the call's span, whoever is inside."""
    telemetry = opened(hearing)
    with telemetry.call(METHOD, []), telemetry.tracers.get_tracer("x").start_as_current_span("inner"):
        server = current()
        assert server is not None
        assert telemetry.observer.traceparent() == server.traceparent


async def test_unsampled(hearing: Hearing) -> None:
    """What is not sampled is current too, so that what nests in it is not sampled either."""
    telemetry = opened(hearing, {})
    with telemetry.call(METHOD, [("traceparent", f"00-{TRACE}-{PARENT}-00")]):
        assert not trace.get_current_span().is_recording()
        assert f"{trace.get_current_span().get_span_context().trace_id:032x}" == TRACE
        with telemetry.tracers.get_tracer("x").start_as_current_span("inner"):
            pass
    assert hearing.heard == []


async def test_other_tasks(hearing: Hearing) -> None:
    """Calls at the same time do not see each other's spans."""
    telemetry = opened(hearing)
    both = asyncio.Barrier(2)

    async def call() -> int:
        with telemetry.call(METHOD, []):
            await both.wait()
            found = trace.get_current_span()
            assert found is current()
            return found.get_span_context().span_id

    assert len(set(await asyncio.gather(call(), call()))) == 2


async def test_start_and_end(hearing: Hearing) -> None:
    """Of each span its start and its end; what they add at the start is there at the end."""
    telemetry = opened(hearing)
    with telemetry.call(METHOD, []):
        await ask(telemetry, Answering())
    assert hearing.heard == [
        *[("start", METHOD), ("start", "POST redeem")],
        *[("end", "POST redeem"), ("end", METHOD)],
    ]
    attributes = dict(hearing.named(METHOD).attributes or {})
    assert attributes["of.processor"] == "yes"
    assert attributes["rpc.response.status_code"] == "OK"


async def test_added_later(hearing: Hearing) -> None:
    """A processor that comes later hears of what begins after it came."""
    telemetry = open_telemetry({}, SystemClock())
    telemetry.tracers.add_span_processor(hearing)
    with telemetry.call(METHOD, []):
        pass
    assert hearing.heard == [("start", METHOD), ("end", METHOD)]


async def test_as_the_sdk_tells(hearing: Hearing) -> None:
    """A span of ours reads as one that the SDK's own tracer made."""
    telemetry = opened(hearing)
    with telemetry.call(METHOD, []):
        trace.get_current_span().add_event("seen", {"by": "us"})
    ours = hearing.named(METHOD)
    theirs = telemetry.tracers.get_tracer("giftcard_gateway").start_span(METHOD)
    theirs.end()
    other = hearing.ended[-1]
    assert (ours.resource, ours.status.status_code) == (other.resource, other.status.status_code)
    assert [one.name for one in ours.events] == ["seen"]
    assert (ours.dropped_attributes, ours.dropped_events, ours.dropped_links) == (0, 0, 0)
    assert ours.instrumentation_scope is not None
    assert ours.instrumentation_scope.schema_url == "https://opentelemetry.io/schemas/1.44.0"
    assert ours.start_time is not None
    assert ours.end_time is not None
    assert ours.start_time <= ours.end_time


async def test_nothing_after_its_end(hearing: Hearing) -> None:
    """What work that outlives its call notes does not change what is being exported."""
    telemetry = opened(hearing)
    with telemetry.call(METHOD, []) as call:
        span = trace.get_current_span()
    before = dict(hearing.named(METHOD).attributes or {})
    call.note("giftcard.state", "APPROVED")
    span.end()
    assert dict(hearing.named(METHOD).attributes or {}) == before


async def test_a_faults_text_is_not_told(hearing: Hearing) -> None:
    """Whoever records an exception in our span tells its type, and not what it says (rule 16)."""
    telemetry = opened(hearing)
    with telemetry.call(METHOD, []):
        trace.get_current_span().record_exception(ValueError("6045001122334455"))
    (event,) = hearing.named(METHOD).events
    assert dict(event.attributes or {}) == {"exception.type": "ValueError"}


async def test_length(hearing: Hearing, monkeypatch: pytest.MonkeyPatch) -> None:
    """A longer value is cut off, also one of ours."""
    monkeypatch.setenv("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "4")
    with opened(hearing).call(METHOD, []):
        pass
    assert (hearing.named(METHOD).attributes or {})["rpc.method"] == METHOD[:4]


async def test_count(hearing: Hearing, monkeypatch: pytest.MonkeyPatch) -> None:
    """More attributes are dropped and counted, also ones of ours."""
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "2")
    with opened(hearing).call(METHOD, []):
        pass
    span = hearing.named(METHOD)
    assert len(span.attributes or {}) == 2
    assert span.dropped_attributes == 2


async def test_of_others(hearing: Hearing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Attributes, events and links that others add are held to them too."""
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "20")
    monkeypatch.setenv("OTEL_SPAN_EVENT_COUNT_LIMIT", "3")
    monkeypatch.setenv("OTEL_SPAN_LINK_COUNT_LIMIT", "1")
    other = parse(f"00-{'1' * 32}-{PARENT}-01")
    assert other is not None
    with opened(hearing).call(METHOD, []):
        span = trace.get_current_span()
        for number in range(30):
            span.set_attribute(f"theirs.{number}", number)
            span.add_event(f"event {number}")
            span.add_link(other)
    told = hearing.named(METHOD)
    assert len(told.attributes or {}) == 20
    assert [one.name for one in told.events] == ["event 27", "event 28", "event 29"]
    assert (told.dropped_events, told.dropped_links, len(told.links)) == (27, 29, 1)


SAMPLERS = [
    *(ALWAYS_ON, ALWAYS_OFF, DEFAULT_ON, DEFAULT_OFF, TraceIdRatioBased(0.5)),
    *(ParentBasedTraceIdRatio(0.5), ParentBasedTraceIdRatio(0.0), ParentBasedTraceIdRatio(1.0)),
]


@pytest.mark.parametrize(("sampler", "flags"), list(product(SAMPLERS, [None, "00", "01", "02", "03"])))
@pytest.mark.parametrize("is_here", [False, True])
def test_as_the_sdks_tracer(sampler: Sampler, flags: str | None, is_here: bool) -> None:
    """What is not asked is as the SDK's own tracer decides it with the same sampler, flags and all."""
    heard = Listeners()
    provider = TracerProvider(shutdown_on_exit=False, sampler=sampler, active_span_processor=heard)
    provider.add_span_processor(Hearing())
    spans = Spans(SystemClock(), heard, provider, SpanLimits())
    within = Context()
    if flags is not None:
        parent = parse(f"00-{TRACE}-{PARENT}-{flags}", "vendor=1")
        assert parent is not None
        if is_here:
            parent = SpanContext(*parent[:2], is_remote=False, trace_flags=parent[3], trace_state=parent[4])
        within = continuing(parent)
    ours = spans.start("x", SpanKind.SERVER, {"a": 1}, within)
    if flags is None:
        # Which of two new traces is kept is chance where it is a ratio: the same one is asked about.
        asked = sampler.should_sample(within, ours.made.trace_id, "x", SpanKind.SERVER, {"a": 1})
        assert ours.is_recording() is (asked.decision is Decision.RECORD_AND_SAMPLE)
        assert ours.made.trace_flags == ours.is_recording() | 2
        return
    theirs = provider.get_tracer("x").start_span("x", within, SpanKind.SERVER, {"a": 1})
    told = theirs.get_span_context()
    assert ours.is_recording() is theirs.is_recording()
    assert ours.made.trace_id == told.trace_id
    assert ours.made.trace_flags == told.trace_flags
    assert ours.made.trace_state == told.trace_state


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"OTEL_TRACES_SAMPLER": "sometimes"}, "OTEL_TRACES_SAMPLER must be one of always_on, "),
        (
            {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "2"},
            "OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1",
        ),
        (
            {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "x"},
            "OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1",
        ),
    ],
)
def test_none_that_is_known(variables: dict[str, str], said: str) -> None:
    """A sampler or a ratio that is none is refused at the start: the SDK would take another."""
    with pytest.raises(ConfigError, match=said):
        open_telemetry(variables, SystemClock())


async def sent(
    hearing: Hearing, propagators: str, *metadata: tuple[str, str | bytes]
) -> tuple[httpx.Headers, Mapping[str, object]]:
    """Return the headers that a provider was sent within a call, and the baggage in it."""
    telemetry, provider = opened(hearing, {"OTEL_PROPAGATORS": propagators}), Answering()
    with telemetry.call(METHOD, metadata):
        carried = baggage.get_all()
        await ask(telemetry, provider)
    return provider.headers, carried


@pytest.mark.parametrize(
    "propagators", ["", "tracecontext", "b3", "b3,baggage", "tracecontext,b3multi,baggage"]
)
async def test_baggage_stays_here(hearing: Hearing, propagators: str) -> None:
    """A caller's baggage is there for who looks for it, where it is asked for; no provider is sent it."""
    headers, carried = await sent(hearing, propagators, CALLER, ("baggage", "shop=7,pin=739182;p=1"))
    assert "baggage" not in headers
    assert "739182" not in str(headers)
    assert carried.get("shop") == ("7" if "baggage" in propagators or not propagators else None)


@pytest.mark.parametrize("wild", ["pin 739182", "a=739182,b", f"a={'7' * 9000}", 'a="739182"'])
@pytest.mark.parametrize("propagators", ["", "b3,baggage"])
async def test_wild_baggage(
    hearing: Hearing, caplog: pytest.LogCaptureFixture, wild: str, propagators: str
) -> None:
    """Baggage that is none is dropped and not logged (rule 16)."""
    caplog.set_level(0)
    _, carried = await sent(hearing, propagators, CALLER, ("baggage", wild))
    assert carried == {}
    assert caplog.text == ""


async def test_b3_in_and_out(hearing: Hearing) -> None:
    """With b3 a caller's single header is continued, and the provider is sent one."""
    headers, _ = await sent(hearing, "b3", ("b3", f"{TRACE}-{PARENT}-1"), ("x-bin", b"\xff"))
    client = hearing.named("POST redeem")
    assert headers["b3"] == f"{TRACE}-{context_of(client).span_id:016x}-1"
    assert "traceparent" not in headers
    server = hearing.named(METHOD)
    assert server.parent is not None
    assert f"{server.parent.span_id:016x}" == PARENT


async def test_b3_of_many_headers(hearing: Hearing) -> None:
    """With b3multi the older form is read and sent; beside tracecontext both are sent."""
    headers, _ = await sent(
        *(hearing, "tracecontext,b3multi"),
        *[("x-b3-traceid", TRACE), ("x-b3-spanid", PARENT), ("x-b3-sampled", "1")],
    )
    span_id = f"{context_of(hearing.named('POST redeem')).span_id:016x}"
    assert (headers["x-b3-traceid"], headers["x-b3-spanid"]) == (TRACE, span_id)
    assert headers["traceparent"].startswith(f"00-{TRACE}-{span_id}-")


async def test_none(hearing: Hearing) -> None:
    """With none nothing is read and nothing is sent."""
    headers, _ = await sent(hearing, "none", CALLER)
    assert "traceparent" not in headers
    assert hearing.named(METHOD).parent is None


async def test_only_baggage(hearing: Hearing) -> None:
    """A trace is continued where its form is named, and not otherwise."""
    await sent(hearing, "baggage", CALLER)
    assert hearing.named(METHOD).parent is None


@pytest.mark.parametrize(
    ("propagators", "said"),
    [
        ("b3", r"OTEL_PROPAGATORS has b3, which is not installed: install giftcard-gateway\[b3\]"),
        ("tracecontext,carrier-pigeon", "OTEL_PROPAGATORS has carrier-pigeon; it can be baggage, "),
        ("tracecontext,,b3", "OTEL_PROPAGATORS has an empty name; it can be "),
    ],
)
def test_not_here(monkeypatch: pytest.MonkeyPatch, propagators: str, said: str) -> None:
    """A form that is not installed, or nobody knows, is refused at the start with what to do."""
    usual = EntryPoints(
        [EntryPoint(name, "x:y", "opentelemetry_propagator") for name in ("baggage", "tracecontext")]
    )
    monkeypatch.setattr(propagation, "entry_points", lambda group: usual.select(group=group))
    with pytest.raises(ConfigError, match=said):
        open_telemetry({"OTEL_PROPAGATORS": propagators}, SystemClock())


async def test_failed_work(hearing: Hearing) -> None:
    """A call that fails is marked so, without a text."""
    with pytest.raises(RuntimeError), opened(hearing).call(METHOD, []):
        raise RuntimeError("6045001122334455")
    status = hearing.named(METHOD).status
    assert (status.status_code, status.description) == (StatusCode.ERROR, None)
