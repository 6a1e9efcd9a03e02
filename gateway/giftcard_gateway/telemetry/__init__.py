"""Traces, metrics, logs and the audit's copies of one process.

The only room that imports the OpenTelemetry SDK. Nothing told here names a card: see each module
for what it leaves out. What to do about what is seen is in the runbook.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, TracerProvider

from giftcard_gateway.config import ConfigError, otel
from giftcard_gateway.telemetry.audit_logs import AuditLogs
from giftcard_gateway.telemetry.closing import close_side_by_side
from giftcard_gateway.telemetry.commits import Commits
from giftcard_gateway.telemetry.exemplars import exemplar_filter
from giftcard_gateway.telemetry.exporters import (
    copies_logs,
    logger_provider,
    metric_readers,
    resource,
    span_processors,
)
from giftcard_gateway.telemetry.http_client import TracedTransport
from giftcard_gateway.telemetry.log_copies import LogCopies
from giftcard_gateway.telemetry.metrics import Metrics
from giftcard_gateway.telemetry.observer import Watcher
from giftcard_gateway.telemetry.pace import Pace
from giftcard_gateway.telemetry.propagation import Propagation
from giftcard_gateway.telemetry.rpc_server import ServerCall
from giftcard_gateway.telemetry.runtime import watch_process
from giftcard_gateway.telemetry.spans import Listeners, Spans, current

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import httpx
    from opentelemetry.sdk._logs import LoggerProvider

    from giftcard_gateway.clock import Clock
    from giftcard_gateway.ledger.observer import Observer
    from giftcard_gateway.telemetry.durations import Reader
    from giftcard_gateway.telemetry.scraping import Scraped

__all__ = ["ServerCall", "Telemetry", "open_telemetry"]


class Telemetry:
    """The traces and metrics of one gateway process."""

    def __init__(
        self,
        clock: Clock,
        *,
        spans: Spans,
        propagation: Propagation,
        metrics: Metrics,
        audit_logs: AuditLogs,
        log_copies: LogCopies | None = None,
        scraping: Scraped | None = None,
    ) -> None:
        """Keep the parts that `open_telemetry` made."""
        self.scraping = scraping
        self._clock = clock
        self._spans = spans
        self._propagation = propagation
        self._commits = Commits(spans)
        self.metrics = metrics
        self.paces: dict[str, Pace] = {}
        """How providers answered in the last minutes, by id; a connection made anew goes on with it."""
        self.audit_logs = audit_logs
        self.log_copies = log_copies
        """Takes the process's own log lines too, where they go out."""
        self.tracers = spans.provider
        """Makes tracers for others, whose spans stand in our traces."""
        self.observer: Observer = Watcher(spans, metrics, clock)

    caller = staticmethod(current)
    """Return what names the call, or the go of recovery, that this task works for; None outside of one."""

    def committed(self, system: str, waited_s: float, took_s: float, callers: Sequence[object]) -> None:
        """Measure a batch of writes to a journal, and tell of it in the trace of each call that waited.

        `callers` has for each write what `caller` told when it was handed in; on any thread.
        """
        self.metrics.batch(system, waited_s, took_s)
        self._commits.tell(system, took_s, callers)

    def call(self, method: str, metadata: Iterable[tuple[str, str | bytes]]) -> ServerCall:
        """Return a context manager that traces and measures one RPC."""
        return ServerCall(
            *(method, metadata, self._spans, self._propagation),
            metrics=self.metrics,
            clock=self._clock,
        )

    def traced(self, transport: httpx.AsyncBaseTransport, provider_id: str) -> httpx.AsyncBaseTransport:
        """Return a transport that traces and measures each exchange with a provider."""
        return TracedTransport(
            *(transport, self._spans, self._propagation),
            provider_id=provider_id,
            metrics=self.metrics,
            pace=self.paces.setdefault(provider_id, Pace(self._clock.monotonic_s)),
            clock=self._clock,
        )

    def stand_for_all(self) -> None:
        """Have what instrumentations of others see in this process told in our traces, beside what we do.

        A provider that somebody set before stays.
        """
        if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            trace.set_tracer_provider(self.tracers)

    def close(self) -> None:
        """Export what is left and stop, in two seconds at most; call it off the loop."""
        if self.log_copies is not None:
            self.log_copies.end()
        close_side_by_side(
            {"traces": self._spans.close, "metrics": self.metrics.close, "logs": self.audit_logs.close},
            self._clock.monotonic_s,
        )


def open_telemetry(
    environ: Mapping[str, str],
    clock: Clock,
    *,
    processors: Sequence[SpanProcessor] = (),
    readers: Sequence[Reader] = (),
    logs: LoggerProvider | None = None,
    instance_id: str = "",
    scraping: Scraped | None = None,
) -> Telemetry:
    """Set up by the OTEL_* variables, plus what is handed in; raise ConfigError for a bad one.

    `instance_id` tells this process from its replicas, also when it starts again; random where it is empty.
    """
    described = resource(environ, instance_id or clock.uuid4())
    if wrong := list(otel.faults(environ)):
        raise ConfigError(wrong)
    propagation = Propagation(environ)
    heard, limits = Listeners(), SpanLimits()
    provider = TracerProvider(
        resource=described, shutdown_on_exit=False, active_span_processor=heard, span_limits=limits
    )
    for processor in (*span_processors(environ), *processors):
        provider.add_span_processor(processor)
    spans = Spans(clock, heard, provider, limits)
    readers = [*metric_readers(environ), *([scraping] if scraping else []), *readers]
    meters = MeterProvider(readers, resource=described, shutdown_on_exit=False) if readers else None
    metrics = Metrics(meters, clock.now_ns, exemplar_filter(environ))
    for reader in readers:
        reader.join(metrics.durations)
    watch_process(metrics, clock.monotonic_s)
    logs = logs or logger_provider(environ, described)
    return Telemetry(
        clock,
        spans=spans,
        propagation=propagation,
        metrics=metrics,
        audit_logs=AuditLogs(logs),
        log_copies=LogCopies(logs, clock.now_ns) if logs and copies_logs(environ) else None,
        scraping=scraping,
    )
