"""Telemetry that keeps what it would export, to be looked at."""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics.export import HistogramDataPoint, NumberDataPoint
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from giftcard_gateway.clock import SystemClock
from giftcard_gateway.telemetry import Telemetry, open_telemetry
from giftcard_gateway.telemetry.durations import InMemory


class Seen:
    """Telemetry, and what it exported."""

    def __init__(self) -> None:
        """Keep spans, metrics and the audit's logs in memory."""
        self._spans = InMemorySpanExporter()
        self._reader = InMemory()
        self._logs = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]  # the SDK has no type for it
        logs = LoggerProvider(shutdown_on_exit=False)
        logs.add_log_record_processor(SimpleLogRecordProcessor(self._logs))
        self.telemetry: Telemetry = open_telemetry(
            {},
            SystemClock(),
            processors=[SimpleSpanProcessor(self._spans)],
            readers=[self._reader],
            logs=logs,
        )

    def spans(self) -> tuple[ReadableSpan, ...]:
        """Return the finished spans, oldest first."""
        return self._spans.get_finished_spans()

    def points(self, name: str) -> list[tuple[Mapping[str, object], float]]:
        """Return a metric's points: attributes, and the value or, of a histogram, the count."""
        data = self._reader.get_metrics_data()
        return [
            (dict(point.attributes or {}), _value(point))
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]

    def labels(self) -> dict[str, set[str]]:
        """Return the attributes that each metric has been told by, of those there are now."""
        data = self._reader.get_metrics_data()
        return {
            metric.name: {label for point in metric.data.data_points for label in point.attributes or {}}
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def metrics(self) -> str:
        """Return every metric as one text."""
        data = self._reader.get_metrics_data()
        return data.to_json() if data else ""

    def logs(self) -> str:
        """Return every record of the audit that went out, as one text."""
        return "".join(one.to_json() for one in self._logs.get_finished_logs())

    def everything(self) -> str:
        """Return all spans and metrics as one text, to search for what must not be there."""
        return "".join(span.to_json() for span in self.spans()) + self.metrics()


def _value(point: object) -> float:
    if isinstance(point, HistogramDataPoint):
        return point.count
    assert isinstance(point, NumberDataPoint)
    return point.value
