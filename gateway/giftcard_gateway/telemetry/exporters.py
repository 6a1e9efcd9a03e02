"""Where spans, metrics and the audit's logs go: the SDK set up once, by the standard OTEL_* variables.

`OTEL_TRACES_EXPORTER`, `OTEL_METRICS_EXPORTER` and `OTEL_LOGS_EXPORTER` are lists of console, otlp and
none; that of metrics may have prometheus. Unset, it is otlp when an OTLP endpoint is named, and else none:
nobody's gateway calls out unasked.
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
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, Resource
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SimpleSpanProcessor

from giftcard_adapters.extras import what_it_needs
from giftcard_gateway.config import ConfigError
from giftcard_gateway.config.otel import EXPORTERS, METRIC_EXPORTERS
from giftcard_gateway.telemetry.durations import Exporting

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.trace import SpanProcessor

    from giftcard_gateway.telemetry.durations import Reader
    from giftcard_gateway.telemetry.scraping import Scraped

_OTLP = {
    "grpc": "opentelemetry.exporter.otlp.proto.grpc",
    "http/protobuf": "opentelemetry.exporter.otlp.proto.http",
}
"""The package that speaks each protocol."""
_ENCODERS = {"trace": "encode_spans", "_log": "encode_logs"}
"""What each kind of exporter encodes with; in its place comes ours."""


def resource(environ: Mapping[str, str], instance_id: str) -> Resource:
    """Return what every span and metric says of this process; OTEL_RESOURCE_ATTRIBUTES adds to it."""
    known = {"service.version": version("giftcard-gateway")}
    # A whole key: `service.namespace` begins like `service.name`.
    pairs = environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(",")
    given = {pair.partition("=")[0].strip() for pair in pairs}
    if SERVICE_INSTANCE_ID not in given:
        known[SERVICE_INSTANCE_ID] = instance_id
    if SERVICE_NAME not in given:
        known[SERVICE_NAME] = environ.get("OTEL_SERVICE_NAME") or "giftcard-gateway"
    return Resource.create({**known})


def span_processors(environ: Mapping[str, str]) -> list[SpanProcessor]:
    """Return a processor for each exporter asked for; raise ConfigError for one we do not know."""
    kinds = _asked_for(environ, "TRACES")
    processors: list[SpanProcessor] = []
    if "console" in kinds:
        processors.append(SimpleSpanProcessor(ConsoleSpanExporter(out=sys.stderr)))
    if "otlp" in kinds:
        processors.append(BatchSpanProcessor(otlp(_protocol(environ, "TRACES"), "trace").OTLPSpanExporter()))
    return processors


def metric_readers(environ: Mapping[str, str]) -> list[Reader]:
    """Return a reader for each exporter that sends; raise ConfigError for one we do not know."""
    kinds = _asked_for(environ, "METRICS", METRIC_EXPORTERS)
    exporters: list[MetricExporter] = []
    if "console" in kinds:
        exporters.append(ConsoleMetricExporter(out=sys.stderr))
    if "otlp" in kinds:
        exporters.append(otlp(_protocol(environ, "METRICS"), "metric").OTLPMetricExporter())
    return [Exporting(exporter) for exporter in exporters]


def scraped(environ: Mapping[str, str], listen: str, *, worker: int = 0) -> Scraped | None:
    """Return what Prometheus scrapes, or None where it does not; raises ConfigError.

    At `listen`, or where the standard variables say if they ask for it; each further worker of a gateway has
    the next port.
    """
    if not listen and "prometheus" in _asked_for(environ, "METRICS", METRIC_EXPORTERS):
        host = environ.get("OTEL_EXPORTER_PROMETHEUS_HOST") or "localhost"
        port = environ.get("OTEL_EXPORTER_PROMETHEUS_PORT") or "9464"
        if not (port.isascii() and port.isdecimal()):
            raise ConfigError(["OTEL_EXPORTER_PROMETHEUS_PORT must be a port"])
        listen = f"{host}:{port}"
    if not listen or _is_disabled(environ):
        return None
    host, _, port = listen.rpartition(":")
    made: Scraped = _needed("giftcard_gateway.telemetry.scraping", "metrics for Prometheus").Scraped(
        f"{host}:{int(port) + worker if int(port) else 0}"
    )
    return made


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
        exporter = otlp(_protocol(environ, "LOGS"), "_log").OTLPLogExporter()
        provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    return provider


def copies_logs(environ: Mapping[str, str]) -> bool:
    """Tell whether the process's own lines go out too; not to a console, where they are already."""
    kinds = _asked_for(environ, "LOGS")
    return "otlp" in kinds and "console" not in kinds


def _is_disabled(environ: Mapping[str, str]) -> bool:
    return environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def _asked_for(environ: Mapping[str, str], signal: str, known: Collection[str] = EXPORTERS) -> set[str]:
    if _is_disabled(environ):
        return set()
    name = f"OTEL_{signal}_EXPORTER"
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
    fallback = "otlp" if any(environ.get(endpoint) for endpoint in endpoints) else "none"
    kinds = {kind.strip() for kind in (environ.get(name) or fallback).split(",")}
    if unknown := kinds.difference(known):
        raise ConfigError([f"{name} has {', '.join(sorted(unknown))}; it can be {', '.join(known)}"])
    return kinds


def _protocol(environ: Mapping[str, str], signal: str) -> str:
    names = (f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    name = next((name for name in names if environ.get(name)), "")
    protocol = environ.get(name) or "http/protobuf"
    if protocol not in _OTLP:
        raise ConfigError([f"{name} must be one of {', '.join(_OTLP)}"])
    return protocol


def otlp(protocol: str, kind: str) -> Any:  # noqa: ANN401 - the modules have one form, and no type for it
    """Import exporters only when asked for: they bring in requests, or a second gRPC channel."""
    module = _needed(f"{_OTLP[protocol]}.{kind}_exporter", "an OTLP exporter")
    if (name := _ENCODERS.get(kind)) is not None:
        # They have no other place for it.
        setattr(module, name, getattr(importlib.import_module("giftcard_gateway.telemetry.encoding"), name))
    return module


def _needed(module: str, whose: str) -> Any:  # noqa: ANN401 - a module
    """Import what only an extra brings; raise ConfigError with what to install."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as fault:
        if needs := what_it_needs(fault):
            raise ConfigError([f"{whose} {needs}"]) from None
        raise
