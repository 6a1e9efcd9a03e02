"""Histograms counted in house are what the SDK's own would have been."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    HistogramDataPoint,
    InMemoryMetricReader,
    Metric,
)
from opentelemetry.sdk.metrics.export import Histogram as Told

from giftcard_gateway.clock import SystemClock
from giftcard_gateway.config import ConfigError
from giftcard_gateway.telemetry.durations import SECONDS, InMemory
from giftcard_gateway.telemetry.exemplars import Exemplars, exemplar_filter
from giftcard_gateway.telemetry.metrics import Metrics
from giftcard_gateway.telemetry.runtime import watch_process
from giftcard_gateway.telemetry.spans import parse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.trace import SpanContext

NAME = "rpc.server.call.duration"
DELTA: dict[type, AggregationTemporality] = {Histogram: AggregationTemporality.DELTA}


def read(reader: InMemoryMetricReader) -> Metric | None:
    """Return the histogram of calls as a reader has it."""
    data = reader.get_metrics_data()
    found = [
        metric
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == NAME
    ]
    return found[0] if found else None


def said(metric: Metric | None) -> dict[frozenset[tuple[str, object]], tuple[object, ...]]:
    """Return what a histogram says but for its times."""
    assert metric is not None
    assert isinstance(metric.data, Told)
    return {
        frozenset((point.attributes or {}).items()): (
            *(metric.unit, metric.description, metric.data.aggregation_temporality),
            *(point.count, pytest.approx(point.sum), point.min, point.max),
            *(tuple(point.bucket_counts), tuple(point.explicit_bounds)),
        )
        for point in metric.data.data_points
    }


def ours(temporality: Mapping[type, AggregationTemporality]) -> tuple[Metrics, InMemory]:
    """Return metrics and what reads them; as in every gateway, there is a process to tell of too."""
    reader = InMemory(preferred_temporality=dict(temporality))
    metrics = Metrics(MeterProvider([reader], shutdown_on_exit=False), SystemClock().now_ns)
    watch_process(metrics, SystemClock().monotonic_s)
    reader.join(metrics.durations)
    return metrics, reader


@pytest.mark.parametrize("temporality", [{}, DELTA])
@settings(deadline=None)
@given(
    st.lists(
        st.lists(
            st.tuples(
                st.sampled_from(["A", "B"]),
                st.sampled_from(["OK", "INTERNAL"]),
                st.one_of(st.sampled_from(SECONDS), st.floats(0, 1000)),
            ),
            min_size=1,
        ),
        min_size=1,
        max_size=3,
    )
)
def test_as_the_sdk_counts(
    temporality: Mapping[type, AggregationTemporality], batches: list[list[tuple[str, str, float]]]
) -> None:
    """At every export each point has the counts, sum, extremes, unit and kind that the SDK's has."""
    metrics, reader = ours(temporality)
    theirs = InMemoryMetricReader(preferred_temporality=dict(temporality))
    meter = MeterProvider([theirs], shutdown_on_exit=False).get_meter("x")
    histogram = meter.create_histogram(
        NAME, unit="s", description="Calls we answered.", explicit_bucket_boundaries_advisory=list(SECONDS)
    )
    for batch in batches:
        for method, status, duration_s in batch:
            error = "" if status == "OK" else status
            metrics.calls.record(duration_s, "grpc", method, status, error)
            attributes = {"rpc.system.name": "grpc", "rpc.method": method, "rpc.response.status_code": status}
            histogram.record(duration_s, attributes | ({"error.type": error} if error else {}))
        assert said(read(reader)) == said(read(theirs))


def test_differences_join_on() -> None:
    """A reader of differences hears each duration once, of a time that begins where the last one ended."""
    metrics, reader = ours(DELTA)
    metrics.calls.record(0.1, "grpc", "A", "OK", "")
    first = read(reader)
    assert read(reader) is None
    metrics.calls.record(0.2, "grpc", "A", "OK", "")
    second = read(reader)
    assert first is not None
    assert second is not None
    (before,), (after,) = first.data.data_points, second.data.data_points
    assert before.time_unix_nano <= after.start_time_unix_nano <= after.time_unix_nano


def test_without_a_reader() -> None:
    """Where nobody exports, nothing is kept."""
    metrics = Metrics(None, SystemClock().now_ns)
    metrics.calls.record(0.1, "grpc", "A", "OK", "")
    reader = InMemory()
    reader.join(metrics.durations)
    assert [read() for read in reader.reads] == [None] * len(metrics.durations)


def of(span: str, *, is_sampled: bool = True) -> SpanContext:
    """Return what names a span."""
    context = parse(f"00-{'a' * 32}-{span * 16}-0{int(is_sampled)}")
    assert context is not None
    return context


def examples(reader: InMemoryMetricReader) -> list[tuple[float, int | None, int | None]]:
    """Return the examples that a reader has of the calls: value, trace and span."""
    metric = read(reader)
    assert metric is not None
    (point,) = metric.data.data_points
    assert isinstance(point, HistogramDataPoint)
    return [(one.value, one.trace_id, one.span_id) for one in point.exemplars]


def measured(exemplars: Exemplars) -> tuple[InMemory, Metrics]:
    """Return metrics with some examples, and what reads them."""
    reader = InMemory()
    metrics = Metrics(MeterProvider([reader], shutdown_on_exit=False), SystemClock().now_ns, exemplars)
    watch_process(metrics, SystemClock().monotonic_s)
    reader.join(metrics.durations)
    return reader, metrics


def call(metrics: Metrics, duration_s: float, within: SpanContext) -> None:
    """Measure a call."""
    metrics.calls.record(duration_s, "grpc", "A", "OK", "", within=within)


def test_examples_of_traces() -> None:
    """Each bucket has one example since the last reading, of a span that is exported."""
    reader, metrics = measured(Exemplars.OF_TRACES)
    call(metrics, 0.2, of("1", is_sampled=False))
    for duration_s, span in ((0.2, "2"), (0.21, "3"), (3.0, "4")):
        call(metrics, duration_s, of(span))
    trace = int("a" * 32, 16)
    assert examples(reader) == [(0.2, trace, int("2" * 16, 16)), (3.0, trace, int("4" * 16, 16))]
    call(metrics, 0.2, of("5"))
    assert examples(reader) == [(0.2, trace, int("5" * 16, 16))]


def test_examples_of_all_and_of_none() -> None:
    """The standard variable's other filters: every measurement may be one, and none."""
    reader, metrics = measured(Exemplars.OF_ALL)
    metrics.calls.record(0.2, "grpc", "A", "OK", "")
    assert examples(reader) == [(0.2, None, None)]
    reader, metrics = measured(Exemplars.NONE)
    call(metrics, 0.2, of("1"))
    assert examples(reader) == []


@pytest.mark.parametrize(
    ("told", "meant"),
    [("", Exemplars.OF_TRACES), ("always_off", Exemplars.NONE), ("ALWAYS_ON", Exemplars.OF_ALL)],
)
def test_exemplar_filter(told: str, meant: Exemplars) -> None:
    """OTEL_METRICS_EXEMPLAR_FILTER names the filter."""
    assert exemplar_filter({"OTEL_METRICS_EXEMPLAR_FILTER": told}) is meant


def test_no_exemplar_filter() -> None:
    """What is none is refused with what it can be."""
    with pytest.raises(ConfigError, match="must be one of trace_based, always_on, always_off"):
        exemplar_filter({"OTEL_METRICS_EXEMPLAR_FILTER": "sometimes"})
