"""What a collector reads of our encoding is what it would read of the SDK's."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context.context import Context
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs as sdk_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans as sdk_spans
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.trace import SpanKind, StatusCode

from giftcard_gateway.clock import SystemClock
from giftcard_gateway.telemetry import encoding, exporters
from giftcard_gateway.telemetry.audit_logs import AuditLogs
from giftcard_gateway.telemetry.spans import Listeners, Span, Spans, continuing, parse

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SCALARS = st.one_of(
    *(st.text(), st.booleans(), st.floats(), st.sampled_from(["", "grpc", 0, 1, True, False, 1.0])),
    st.integers(-(1 << 63), (1 << 63) - 1),
)
VALUES = SCALARS | st.lists(st.text(), max_size=3) | st.lists(st.integers(0, 9), max_size=3).map(tuple)
ATTRIBUTES = st.dictionaries(st.text(min_size=1), VALUES, max_size=8)
BODIES = st.recursive(
    SCALARS | st.none() | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


class Keeping(SpanProcessor):
    """Keeps the spans that ended."""

    def __init__(self) -> None:
        """Have none."""
        self.ended: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        """Keep one."""
        self.ended.append(span)


def opened() -> tuple[Spans, Keeping]:
    """Make spans, and what keeps them."""
    heard, keeping = Listeners(), Keeping()
    provider = TracerProvider(shutdown_on_exit=False, active_span_processor=heard)
    provider.add_span_processor(keeping)
    return Spans(SystemClock(), heard, provider, SpanLimits()), keeping


def same(ours: Callable[[Any], Any], theirs: Callable[[Any], Any], batch: Sequence[object]) -> None:
    """Compare two encodings, in protobuf's own order of fields."""
    read, wanted = (encode(batch).SerializeToString(deterministic=True) for encode in (ours, theirs))
    assert read == wanted


@given(
    told=st.lists(
        st.tuples(
            st.text(),
            st.sampled_from(SpanKind),
            ATTRIBUTES,
            st.sampled_from(["", f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-03"]),
            st.sampled_from(["", "vendor=1", "a=1,b=2"]),
            st.sets(st.sampled_from(["failed", "described", "others", "event", "link", "theirs"])),
        ),
        max_size=6,
    )
)
def test_spans(told: list[tuple[str, SpanKind, dict[str, Any], str, str, set[str]]]) -> None:
    """Whatever is told of spans, of ours and of others' tracers, is read as the SDK would have written it."""
    spans, keeping = opened()
    for name, kind, attributes, traceparent, tracestate, more in told:
        parent = parse(traceparent, tracestate)
        within = continuing(parent) if parent else Context()
        if "theirs" in more:
            spans.provider.get_tracer("database", "1.0").start_span(name, within, kind, attributes).end()
            continue
        span = spans.start(name, kind, {**attributes}, within)
        assert isinstance(span, Span)
        if "failed" in more:
            span.fail("ReadTimeout")
        if "described" in more:
            span.set_status(StatusCode.OK)
        if "others" in more:
            span.set_attribute("theirs", [1, 2])
        if "event" in more:
            span.add_event("seen", {"a": 1})
        if "link" in more:
            span.link(f"00-{'1' * 32}-{PARENT}-01")
        span.end()
    same(encoding.encode_spans, sdk_spans, keeping.ended)


@pytest.mark.parametrize(
    "value", [1 << 63, -(1 << 63) - 1, "\ud800", object(), b"\xff", None, {"a": {"b": 1}}]
)
def test_odd_values(value: object, caplog: pytest.LogCaptureFixture) -> None:
    """A value that OTLP does not have, or nobody foresaw, is left to the SDK; the rest arrives."""
    spans, keeping = opened()
    span = spans.start("x", SpanKind.CLIENT, {"odd": value, "even": 2})  # type: ignore[dict-item]  # on purpose
    span.end()
    same(encoding.encode_spans, sdk_spans, keeping.ended)
    (resource,) = encoding.encode_spans(keeping.ended).resource_spans
    assert "even" in {pair.key for pair in resource.scope_spans[0].spans[0].attributes}
    caplog.clear()


@given(bodies=st.lists(st.tuples(BODIES, ATTRIBUTES, st.booleans()), max_size=5))
def test_logs(bodies: list[tuple[Any, dict[str, Any], bool]]) -> None:
    """Whatever a log record says is read as the SDK would have written it."""
    kept = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]  # the SDK has no type for it
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(kept))
    parent = parse(f"00-{TRACE}-{PARENT}-01")
    assert parent is not None
    for body, attributes, is_traced in bodies:
        record = LogRecord(
            timestamp=1,
            observed_timestamp=2,
            context=continuing(parent) if is_traced else None,
            severity_number=SeverityNumber.WARN if is_traced else None,
            severity_text="WARNING" if is_traced else None,
            body=body,
            attributes=attributes,
        )
        provider.get_logger("x").emit(record)
    AuditLogs(provider).tell({"number": 7, "mac": "ab", "details": {"provider": "electrum"}}, at_ns=5)
    batch: Sequence[ReadableLogRecord] = kept.get_finished_logs()
    same(encoding.encode_logs, sdk_logs, batch)


def test_what_is_remembered_is_bounded() -> None:
    """However many values there are, a thousand pairs are remembered, and no long one."""
    spans, keeping = opened()
    for number in range(3000):
        spans.start("x", SpanKind.CLIENT, {"id": f"t-{number}", "long": f"{number}" * 300}).end()
    encoding.encode_spans(keeping.ended)
    remembered = encoding.remembered()
    assert 0 < len(remembered) <= 1024
    assert all(key != "long" for key, _, _ in remembered)


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_exporters_use_it(protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both protocols' exporters encode with it; a version of them that names it otherwise fails here."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    package = f"opentelemetry.exporter.otlp.proto.{'grpc' if protocol == 'grpc' else 'http'}"
    for kind, name in (("trace", "encode_spans"), ("_log", "encode_logs")):
        exporters.otlp(protocol, kind)
        module = importlib.import_module(f"{package}.{kind}_exporter")
        assert getattr(module, name) is getattr(encoding, name)
