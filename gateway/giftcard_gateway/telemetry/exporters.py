"""Where spans, metrics and the audit's logs go: the SDK set up once, by the standard OTEL_* variables.

`OTEL_TRACES_EXPORTER`, `OTEL_METRICS_EXPORTER` and `OTEL_LOGS_EXPORTER` are lists of console, otlp and
none. Unset, it is otlp when an OTLP endpoint is named, and else none: nobody's gateway calls out unasked.
"""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor,
    ConsoleLogRecordExporter,
    SimpleLogRecordProcessor,
)
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SimpleSpanProcessor

from giftcard_adapters.extras import what_it_needs
from giftcard_gateway.config import ConfigError
from giftcard_gateway.telemetry.durations import Exporting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.trace import SpanProcessor

    from giftcard_gateway.telemetry.durations import Reader

_KINDS = ("console", "none", "otlp")
_OTLP = {
    "grpc": "opentelemetry.exporter.otlp.proto.grpc",
    "http/protobuf": "opentelemetry.exporter.otlp.proto.http",
}
"""The package that speaks each protocol."""


def resource(environ: Mapping[str, str], instance_id: str) -> Resource:
    """Return what every span and metric says of this process; OTEL_RESOURCE_ATTRIBUTES adds to it."""
    known = {"service.version": version("giftcard-gateway"), "service.instance.id": instance_id}
    if SERVICE_NAME not in environ.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        known[SERVICE_NAME] = environ.get("OTEL_SERVICE_NAME") or "giftcard-gateway"
    return Resource.create({**known})


def span_processors(environ: Mapping[str, str]) -> list[SpanProcessor]:
    """Return a processor for each exporter asked for; raise ConfigError for one we do not know."""
    kinds = _asked_for(environ, "TRACES")
    processors: list[SpanProcessor] = []
    if "console" in kinds:
        processors.append(SimpleSpanProcessor(ConsoleSpanExporter(out=sys.stderr)))
    if "otlp" in kinds:
        processors.append(BatchSpanProcessor(_otlp(_protocol(environ, "TRACES"), "trace").OTLPSpanExporter()))
    return processors


def metric_readers(environ: Mapping[str, str]) -> list[Reader]:
    """Return a reader for each exporter asked for; raise ConfigError for one we do not know."""
    kinds = _asked_for(environ, "METRICS")
    exporters: list[MetricExporter] = []
    if "console" in kinds:
        exporters.append(ConsoleMetricExporter(out=sys.stderr))
    if "otlp" in kinds:
        exporters.append(_otlp(_protocol(environ, "METRICS"), "metric").OTLPMetricExporter())
    return [Exporting(exporter) for exporter in exporters]


def logger_provider(environ: Mapping[str, str], described: Resource) -> LoggerProvider | None:
    """Return a provider that exports as asked, or None; raise ConfigError for what we do not know."""
    kinds = _asked_for(environ, "LOGS")
    if not kinds - {"none"}:
        return None
    provider = LoggerProvider(resource=described, shutdown_on_exit=False)
    if "console" in kinds:
        console = ConsoleLogRecordExporter(out=sys.stderr)
        provider.add_log_record_processor(SimpleLogRecordProcessor(console))
    if "otlp" in kinds:
        otlp = _otlp(_protocol(environ, "LOGS"), "_log").OTLPLogExporter()
        provider.add_log_record_processor(BatchLogRecordProcessor(otlp))
    return provider


def _asked_for(environ: Mapping[str, str], signal: str) -> set[str]:
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return set()
    name = f"OTEL_{signal}_EXPORTER"
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
    fallback = "otlp" if any(environ.get(endpoint) for endpoint in endpoints) else "none"
    kinds = {kind.strip() for kind in (environ.get(name) or fallback).split(",")}
    if unknown := kinds.difference(_KINDS):
        raise ConfigError([f"{name} has {', '.join(sorted(unknown))}; it can be {', '.join(_KINDS)}"])
    return kinds


def _protocol(environ: Mapping[str, str], signal: str) -> str:
    names = (f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    name = next((name for name in names if environ.get(name)), "")
    protocol = environ.get(name) or "http/protobuf"
    if protocol not in _OTLP:
        raise ConfigError([f"{name} must be one of {', '.join(_OTLP)}"])
    return protocol


def _otlp(protocol: str, kind: str) -> Any:  # noqa: ANN401 - the modules have one form, and no type for it
    """Import exporters only when asked for: they bring in requests, or a second gRPC channel."""
    try:
        return importlib.import_module(f"{_OTLP[protocol]}.{kind}_exporter")
    except ModuleNotFoundError as fault:
        if needs := what_it_needs(fault):
            raise ConfigError([f"an OTLP exporter {needs}"]) from None
        raise
