"""Histograms counted in house are what the SDK's own would have been."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    InMemoryMetricReader,
    Metric,
)
from opentelemetry.sdk.metrics.export import Histogram as Told

from giftcard_gateway.clock import SystemClock
from giftcard_gateway.telemetry.durations import SECONDS, InMemory
from giftcard_gateway.telemetry.metrics import Metrics
from giftcard_gateway.telemetry.runtime import watch_process

if TYPE_CHECKING:
    from collections.abc import Mapping

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
