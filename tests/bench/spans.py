"""What a span costs, made and encoded: ours beside OpenTelemetry's own tracer and encoder, in one run.

`python -m tests.bench.spans` prints CPU microseconds, the middle of rounds in which they take turns.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from opentelemetry.context import attach, detach
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import DEFAULT_OFF, DEFAULT_ON
from opentelemetry.trace import SpanKind, set_span_in_context

from giftcard_gateway.clock import SystemClock
from giftcard_gateway.telemetry import encoding
from giftcard_gateway.telemetry.audit_logs import AuditLogs
from giftcard_gateway.telemetry.spans import Listeners, Spans, Working

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.sampling import Sampler

ROUNDS, SPANS = 15, 2000
METHOD = "giftcard.v1.GiftCardService/Redeem"
BEGAN = {"rpc.system.name": "grpc", "rpc.method": METHOD}


class Keeping(SpanProcessor):
    """Keeps spans, up to a batch of them."""

    def __init__(self) -> None:
        """Have none."""
        self.ended: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        """Keep one."""
        if len(self.ended) < SPANS:
            self.ended.append(span)


def noted() -> dict[str, str]:
    """Return what is told of a transaction."""
    return {
        "giftcard.transaction_id": str(uuid4()),
        "giftcard.state": "APPROVED",
        "giftcard.provider": "electrum",
        "rpc.response.status_code": "OK",
    }


def of_sdk(keeping: Keeping) -> Callable[[dict[str, str]], None]:
    """Return what makes a span with OpenTelemetry's own tracer."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(keeping)
    tracer = provider.get_tracer("bench")

    def make(told: dict[str, str]) -> None:
        span = tracer.start_span(METHOD, kind=SpanKind.SERVER, attributes=BEGAN)
        token = attach(set_span_in_context(span))
        for key, value in told.items():
            span.set_attribute(key, value)
        detach(token)
        span.end()

    return make


def of_ours(keeping: Keeping, sampler: Sampler) -> Callable[[dict[str, str]], None]:
    """Return what makes a span of ours."""
    heard = Listeners()
    provider = TracerProvider(shutdown_on_exit=False, sampler=sampler, active_span_processor=heard)
    provider.add_span_processor(keeping)
    spans = Spans(SystemClock(), heard, provider, SpanLimits())

    def make(told: dict[str, str]) -> None:
        work = Working()
        work.span = spans.start(METHOD, SpanKind.SERVER, {**BEGAN})
        with work:
            for key, value in told.items():
                work.span.noted[key] = value

    return make


def records() -> Sequence[Any]:
    """Return records of the audit, as they are sent."""
    kept = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]  # the SDK has no type for it
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(kept))
    logs = AuditLogs(provider)
    for number in range(SPANS):
        about = {"provider": "electrum", "amount": "ZAR 100.00", "transaction_id": str(uuid4())}
        who = {"caller": "till-1", "how": "API_KEY", "peer": "127.0.0.1", "action": "Redeem", "what": "ASKED"}
        logs.tell({**who, **about, "chain": "a" * 16, "number": number, "mac": uuid4().hex * 2}, at_ns=number)
    return kept.get_finished_logs()


def calls_of(make: Callable[[dict[str, str]], None]) -> int:
    """Count the Python and C calls of one span."""
    told, count = noted(), 0

    def called(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(called)
    make(told)
    sys.setprofile(None)
    return count


def took_us(work: Callable[[], object]) -> float:
    """Return what one of SPANS costs, in CPU microseconds of this thread."""
    began_s = time.thread_time()
    work()
    return (time.thread_time() - began_s) / SPANS * 1e6


def main() -> None:
    """Print the table."""
    keeping = Keeping()
    makes = {
        "a span, the SDK's tracer": of_sdk(Keeping()),
        "a span, ours": of_ours(keeping, DEFAULT_ON),
        "a span, ours, not sampled": of_ours(Keeping(), DEFAULT_OFF),
    }
    told = [noted() for _ in range(SPANS)]
    for make in makes.values():
        for one in told:
            make(one)
    spans, logs = list(keeping.ended), records()
    work: dict[str, Callable[[], object]] = {
        name: lambda make=make: [make(one) for one in told]  # type: ignore[misc]  # bound now
        for name, make in makes.items()
    }
    work |= {
        "a span encoded, the SDK's": lambda: encode_spans(spans).SerializeToString(),
        "a span encoded, ours": lambda: encoding.encode_spans(spans).SerializeToString(),
        "a record encoded, the SDK's": lambda: encode_logs(logs).SerializeToString(),
        "a record encoded, ours": lambda: encoding.encode_logs(logs).SerializeToString(),
    }
    seen: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(ROUNDS):
        for name, does in work.items():
            seen[name].append(took_us(does))
    for name, figures in seen.items():
        calls = f"{calls_of(makes[name]):5} calls" if name in makes else ""
        print(f"{name:30} {statistics.median(figures):6.1f} us {calls}")  # noqa: T201 - what it is for


if __name__ == "__main__":
    main()
