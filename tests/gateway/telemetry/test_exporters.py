"""Where telemetry goes, by the standard variables."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

from giftcard_gateway.config import ConfigError
from giftcard_gateway.telemetry.exporters import (
    logger_provider,
    metric_readers,
    resource,
    scraped,
    span_processors,
)

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}


def kinds(environ: dict[str, str]) -> list[type]:
    """Return the kinds of processors that are set up, and stop them."""
    processors = span_processors(environ)
    for processor in processors:
        processor.shutdown()
    return [type(processor) for processor in processors]


def test_none_by_default() -> None:
    """Nothing is exported unless somebody asks."""
    assert kinds({}) == []
    assert metric_readers({}) == []


def test_endpoint_is_asking() -> None:
    """Naming an OTLP endpoint asks for OTLP, for all signals or for one."""
    assert kinds(ENDPOINT) == [BatchSpanProcessor]
    assert kinds({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1"}) == [BatchSpanProcessor]
    assert kinds({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:1"}) == []


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_protocols(protocol: str) -> None:
    """OTLP speaks both protocols."""
    assert kinds(ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": protocol}) == [BatchSpanProcessor]


def test_several() -> None:
    """Console and OTLP may be asked for together."""
    assert kinds({"OTEL_TRACES_EXPORTER": "console, otlp"}) == [SimpleSpanProcessor, BatchSpanProcessor]


def test_none_wins_over_endpoint() -> None:
    """None is none, and a disabled SDK does nothing."""
    assert kinds(ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"}) == []
    assert kinds(ENDPOINT | {"OTEL_SDK_DISABLED": "true"}) == []


def test_unknown_exporter() -> None:
    """An exporter we do not know is a sentence, not a stack of frames."""
    with pytest.raises(ConfigError, match="OTEL_TRACES_EXPORTER has zipkin; it can be console, none, otlp"):
        span_processors({"OTEL_TRACES_EXPORTER": "zipkin"})


def test_unknown_protocol() -> None:
    """A protocol we do not speak is named."""
    with pytest.raises(ConfigError, match="OTEL_EXPORTER_OTLP_PROTOCOL must be one of grpc, http/protobuf"):
        span_processors(ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"})


def test_metrics_console() -> None:
    """Metrics have an exporter of their own."""
    assert len(metric_readers({"OTEL_METRICS_EXPORTER": "otlp"})) == 1


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_the_audits_logs_go_where_otlp_goes(protocol: str) -> None:
    """Logs have an exporter where an OTLP endpoint is named, by both protocols, and none unasked."""
    described = resource({}, "i")
    assert logger_provider({}, described) is None
    assert logger_provider(ENDPOINT | {"OTEL_LOGS_EXPORTER": "none"}, described) is None
    provider = logger_provider(ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": protocol}, described)
    assert provider is not None
    provider.shutdown()
    with pytest.raises(ConfigError, match="OTEL_LOGS_EXPORTER has zipkin"):
        logger_provider({"OTEL_LOGS_EXPORTER": "zipkin"}, described)


def test_resource() -> None:
    """The process is named by OTEL_SERVICE_NAME, else by us, and told from its replicas."""
    assert resource({}, "i-1").attributes["service.name"] == "giftcard-gateway"
    assert resource({}, "i-1").attributes["service.instance.id"] == "i-1"
    assert resource({"OTEL_SERVICE_NAME": "other"}, "i").attributes["service.name"] == "other"


def test_resource_attributes(monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_RESOURCE_ATTRIBUTES names the service if it says so, and adds the rest."""
    attributes = "service.name=mine,deployment.environment.name=prod"
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", attributes)
    made = resource({"OTEL_RESOURCE_ATTRIBUTES": attributes}, "i").attributes
    assert made["service.name"] == "mine"
    assert made["deployment.environment.name"] == "prod"


def test_a_namespace_is_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """`service.namespace`, and a key with ours within it, leave the service's own name as it is."""
    attributes = "service.namespace=shop,my.service.name.too=x,service.instance.id.too=y"
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", attributes)
    made = resource({"OTEL_RESOURCE_ATTRIBUTES": attributes}, "i-1").attributes
    assert (made["service.name"], made["service.instance.id"]) == ("giftcard-gateway", "i-1")
    assert made["service.namespace"] == "shop"


def scraped_at(environ: dict[str, str], listen: str = "", worker: int = 0) -> str:
    """Return where Prometheus would scrape, empty for nowhere."""
    made = scraped(environ, listen, worker=worker)
    return made.listen if made else ""


def test_prometheus_by_the_standard_variables() -> None:
    """Prometheus scrapes where the setting says, else the variables; each worker has the next port."""
    asked = {"OTEL_METRICS_EXPORTER": "prometheus"}
    elsewhere = {"OTEL_EXPORTER_PROMETHEUS_HOST": "::1", "OTEL_EXPORTER_PROMETHEUS_PORT": "9000"}
    assert scraped_at({}) == scraped_at(elsewhere) == ""
    assert scraped_at(asked) == "localhost:9464"
    assert scraped_at(asked | elsewhere) == "::1:9000"
    assert scraped_at(asked, "127.0.0.1:9465", worker=2) == "127.0.0.1:9467"
    assert scraped_at(asked, "127.0.0.1:0", worker=2) == "127.0.0.1:0"
    assert scraped_at(asked | {"OTEL_SDK_DISABLED": "true"}, "127.0.0.1:9465") == ""
    assert metric_readers(asked) == []


def test_a_port_that_is_none() -> None:
    """A wrong port is a sentence; and traces cannot be scraped."""
    with pytest.raises(ConfigError, match="OTEL_EXPORTER_PROMETHEUS_PORT must be a port"):
        scraped({"OTEL_METRICS_EXPORTER": "prometheus", "OTEL_EXPORTER_PROMETHEUS_PORT": "x"}, "")
    with pytest.raises(ConfigError, match="OTEL_TRACES_EXPORTER has prometheus"):
        span_processors({"OTEL_TRACES_EXPORTER": "prometheus"})


def test_an_instance_named_by_its_operator() -> None:
    """A `service.instance.id` among the resource's attributes is not overwritten."""
    told = {"OTEL_RESOURCE_ATTRIBUTES": "service.instance.id=pod-7"}
    assert resource(told, "i-1").attributes.get("service.instance.id") != "i-1"
