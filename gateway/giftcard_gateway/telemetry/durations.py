"""Histograms of durations, counted here and handed to the SDK's readers as they export.

The SDK's own takes ten microseconds a record, most of them to look at attributes that never change. A reader
that exports differences, as OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE asks, gets them.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics import Histogram as Instrument
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Histogram,
    HistogramDataPoint,
    InMemoryMetricReader,
    Metric,
    MetricReader,
    MetricsData,
    PeriodicExportingMetricReader,
    ScopeMetrics,
)
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import TraceFlags

from giftcard_gateway.telemetry.conventions import SCHEMA_URL, SCOPE
from giftcard_gateway.telemetry.exemplars import Exemplars

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.trace import SpanContext
    from opentelemetry.util.types import AttributeValue

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 15.0, 30.0, 60.0)
"""The boundaries the conventions recommend for durations, and on to the time-outs."""
DATABASE_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Boundaries for what takes a fraction of a millisecond when all is well."""
_Key = tuple[str, ...]


class _Point:
    """What was counted under one set of attributes."""

    __slots__ = ("counts", "examples", "longest_s", "shortest_s", "sum_s")

    def __init__(self, bounds: int) -> None:
        self.counts = [0] * (bounds + 1)
        self.sum_s = 0.0
        self.examples: dict[int, Exemplar] = {}
        """The first of each bucket since it was last read, by the bucket's place."""
        self.shortest_s = math.inf
        self.longest_s = -math.inf


class _Window:
    """What one reader has not read yet, or all there was."""

    def __init__(self, since_ns: int, *, is_delta: bool) -> None:
        self.points: dict[_Key, _Point] = {}
        self.since_ns = since_ns
        self.is_delta = is_delta


class Durations:
    """One histogram, in seconds; a set of attributes is told by a key of a few words."""

    def __init__(
        self,
        name: str,
        text: str,
        attributes_of: Callable[..., dict[str, AttributeValue]],
        now_ns: Callable[[], int],
        *,
        bounds_s: tuple[float, ...] = SECONDS,
        exemplars: Exemplars = Exemplars.OF_TRACES,
    ) -> None:
        """`attributes_of` makes the attributes of a key's words, when they are exported."""
        self._name = name
        self._text = text
        self._attributes_of = attributes_of
        self._now_ns = now_ns
        self._bounds_s = bounds_s
        self._is_any_example = exemplars is Exemplars.OF_ALL
        self._is_traced_example = exemplars is not Exemplars.NONE
        self._lock = Lock()
        self._windows: list[_Window] = []

    def record(self, duration_s: float, *key: str, within: SpanContext | None = None) -> int:
        """Count a duration, of work in the span that `within` names; return its place between the bounds.

        Without a reader nothing is counted.
        """
        is_example = self._is_any_example or (
            self._is_traced_example and within is not None and within[3] & TraceFlags.SAMPLED
        )
        place = bisect_left(self._bounds_s, duration_s)
        with self._lock:
            for window in self._windows:
                if key not in window.points:
                    window.points[key] = _Point(len(self._bounds_s))
                point = window.points[key]
                point.counts[place] += 1
                point.sum_s += duration_s
                if is_example and place not in point.examples:
                    point.examples[place] = self._example(duration_s, within)
                if duration_s < point.shortest_s:  # noqa: PLR1730 - min and max are calls
                    point.shortest_s = duration_s
                if duration_s > point.longest_s:  # noqa: PLR1730 - the same
                    point.longest_s = duration_s
        return place

    def _example(self, duration_s: float, within: SpanContext | None) -> Exemplar:
        if within is None or not within.is_valid:
            return Exemplar({}, duration_s, self._now_ns())
        return Exemplar({}, duration_s, self._now_ns(), within.span_id, within.trace_id)

    def read_by(self, *, is_delta: bool) -> Callable[[], Metric | None]:
        """Count for one more reader; returns what gives it all there was, or with `is_delta` what is new."""
        window = _Window(self._now_ns(), is_delta=is_delta)
        self._windows.append(window)
        return lambda: self._read(window)

    def _read(self, window: _Window) -> Metric | None:
        now_ns = self._now_ns()
        with self._lock:
            points = [self._told(key, point, window.since_ns, now_ns) for key, point in window.points.items()]
            if window.is_delta:
                window.points, window.since_ns = {}, now_ns
        if not points:
            return None
        temporality = AggregationTemporality.DELTA if window.is_delta else AggregationTemporality.CUMULATIVE
        data = Histogram(data_points=points, aggregation_temporality=temporality)
        return Metric(name=self._name, description=self._text, unit="s", data=data)

    def _told(self, key: _Key, point: _Point, since_ns: int, now_ns: int) -> HistogramDataPoint:
        examples, point.examples = point.examples, {}
        return HistogramDataPoint(
            attributes=self._attributes_of(*key),
            start_time_unix_nano=since_ns,
            time_unix_nano=now_ns,
            count=sum(point.counts),
            sum=point.sum_s,
            bucket_counts=tuple(point.counts),
            explicit_bounds=self._bounds_s,
            min=point.shortest_s,
            max=point.longest_s,
            exemplars=list(examples.values()),
        )


class Reader(MetricReader):
    """A reader of the SDK's that exports our histograms together with what the SDK measured."""

    reads: Sequence[Callable[[], Metric | None]] = ()

    def join(self, histograms: Sequence[Durations]) -> None:
        """Export these histograms too, from now on."""
        told = self._instrument_class_temporality
        is_delta = any(
            told[kind] is AggregationTemporality.DELTA for kind in told if issubclass(kind, Instrument)
        )
        self.reads = [histogram.read_by(is_delta=is_delta) for histogram in histograms]

    def _receive_metrics(
        self,
        metrics_data: MetricsData,
        timeout_millis: float = 10_000,
        **kwargs: Any,  # noqa: ANN401 - the SDK's own signature
    ) -> None:
        read = [metric for one in self.reads if (metric := one()) is not None]
        super()._receive_metrics(_joined(metrics_data, read), timeout_millis=timeout_millis, **kwargs)  # type: ignore[safe-super]  # the next class in line has it


class Exporting(Reader, PeriodicExportingMetricReader):
    """Exports now and then."""


class InMemory(Reader, InMemoryMetricReader):
    """Exports when it is asked to, for tests."""


def _joined(data: MetricsData, metrics: list[Metric]) -> MetricsData:
    """Return what is exported with more metrics of ours; there is always something else of ours in it."""
    (first, *others) = data.resource_metrics
    scopes = [
        replace(scope, metrics=[*scope.metrics, *metrics]) if scope.scope.name == SCOPE else scope
        for scope in first.scope_metrics
    ]
    if all(scope.scope.name != SCOPE for scope in scopes):
        scopes.append(ScopeMetrics(scope=InstrumentationScope(SCOPE), metrics=metrics, schema_url=SCHEMA_URL))
    return replace(data, resource_metrics=[replace(first, scope_metrics=scopes), *others])
