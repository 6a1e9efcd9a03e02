"""What the variables of OpenTelemetry may say: told by name before anything starts, and no value repeated."""

from __future__ import annotations

from pathlib import Path

import pytest

from giftcard_gateway.config import otel
from tests.gateway.configuration import GOOD as TABLE
from tests.gateway.configuration import faults_of

OTLP = "OTEL_EXPORTER_OTLP_"
MARK = "marker-of-mine"
WRONG = {
    "OTEL_BSP_SCHEDULE_DELAY": ("x", "-1", "0", "1.5", "9999999999999999"),
    "OTEL_BSP_MAX_QUEUE_SIZE": ("0", "\u0663"),
    "OTEL_BLRP_EXPORT_TIMEOUT": ("soon",),
    "OTEL_METRIC_EXPORT_INTERVAL": ("0", "-5", "x", "1e9"),
    "OTEL_METRIC_EXPORT_TIMEOUT": ("x",),
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": ("many", "-3"),
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": ("-1",),
    f"{OTLP}ENDPOINT": ("garbage", "ftp://x", "http://[", "http://", "localhost:4318", "http://a b"),
    f"{OTLP}LOGS_ENDPOINT": ("http://x:99999",),
    f"{OTLP}TIMEOUT": ("abc", "0", "-1", "nan", "inf", "1e9"),
    f"{OTLP}HEADERS": (f"Authorization {MARK}", f"a=b,{MARK}", f"a={MARK}%0d%0ab: c"),
    f"{OTLP}COMPRESSION": ("zip",),
    f"{OTLP}CERTIFICATE": ("/nowhere",),
    f"{OTLP}TRACES_CLIENT_KEY": ("/nowhere",),
    f"{OTLP}METRICS_TEMPORALITY_PREFERENCE": ("sometimes",),
    f"{OTLP}METRICS_DEFAULT_HISTOGRAM_AGGREGATION": ("none",),
    f"{OTLP}PROTOCOL": ("http/json", "thrift"),
    "OTEL_EXPORTER_PROMETHEUS_PORT": ("99999", "x"),
    "OTEL_RESOURCE_ATTRIBUTES": ("garbage", "a=b,c"),
    "OTEL_TRACES_EXPORTER": ("zipkin", "otlp,prometheus"),
    "OTEL_METRICS_EXPORTER": ("statsd",),
    "OTEL_TRACES_SAMPLER": ("sometimes",),
    "OTEL_METRICS_EXEMPLAR_FILTER": ("sometimes",),
    "OTEL_PYTHON_CONTEXT": ("mine",),
}
GOOD = {
    "OTEL_BSP_SCHEDULE_DELAY": "200",
    "OTEL_BSP_MAX_QUEUE_SIZE": "512",
    "OTEL_METRIC_EXPORT_INTERVAL": " 1000 ",
    "OTEL_SPAN_EVENT_COUNT_LIMIT": "0",
    "OTEL_ATTRIBUTE_COUNT_LIMIT": "unset",
    f"{OTLP}ENDPOINT": "https://user:word@collector.test:4318/base?x=y",
    f"{OTLP}TRACES_ENDPOINT": "collector:4317",
    f"{OTLP}TRACES_PROTOCOL": "grpc",
    f"{OTLP}TIMEOUT": "2.5",
    f"{OTLP}HEADERS": "authorization=Bearer%20abc, x-tenant = 7 ,",
    f"{OTLP}LOGS_COMPRESSION": "gzip",
    f"{OTLP}CERTIFICATE": __file__,
    "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=shop,service.instance.id=pod-7",
    "OTEL_METRICS_EXPORTER": "otlp, prometheus",
    "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
    "OTEL_TRACES_SAMPLER_ARG": "0.1",
    "OTEL_LOGS_EXPORTER": "",
    "OTEL_SOMETHING_NEW": "whatever",
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in WRONG for value in WRONG[name]])
def test_what_cannot_be_followed_is_named(name: str, value: str) -> None:
    """One sentence names it and repeats nothing of its value, which may be a key; disabled it is let be."""
    (said,) = otel.faults({name: value})
    assert said.startswith(f"{name} must be ")
    assert MARK not in said
    assert not [*otel.faults({name: value, "OTEL_SDK_DISABLED": "TRUE"})]


def test_what_the_standard_allows_is_let_through() -> None:
    """Each as its users write it; a variable that nobody here knows is nobody's fault."""
    assert not [*otel.faults(GOOD)]


def test_a_batch_larger_than_its_queue() -> None:
    """It is refused, whichever of the two is set: the libraries end a start with a traceback."""
    for given in ({"MAX_QUEUE_SIZE": "10"}, {"MAX_EXPORT_BATCH_SIZE": "4096"}):
        variables = {f"OTEL_BSP_{name}": value for name, value in given.items()}
        (said,) = otel.faults(variables)
        assert said.startswith("OTEL_BSP_MAX_EXPORT_BATCH_SIZE must not be above OTEL_BSP_MAX_QUEUE_SIZE")


def test_a_configuration_is_refused_for_them(tmp_path: Path) -> None:
    """`check-config` and a start tell them beside the faults of the file."""
    wrong = {"OTEL_BSP_MAX_QUEUE_SIZE": "0", "OTEL_TRACES_SAMPLER": "sometimes"}
    assert len(faults_of(tmp_path, TABLE, wrong)) == 2
