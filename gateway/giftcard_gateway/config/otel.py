"""Checks the variables of OpenTelemetry before its libraries read them.

They fall back to a default, end a start with a traceback, or print a header's value, which is often a key;
and what they say of it stands in lines of theirs. Which propagators there are is asked where they are loaded.
Source: the OpenTelemetry specification, "Environment Variable Specification" and "OTLP Exporter".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

from giftcard_gateway.config.addresses import is_host
from giftcard_gateway.config.sources import is_readable

EXPORTERS = ("console", "none", "otlp")
METRIC_EXPORTERS = (*EXPORTERS, "prometheus")
PROTOCOLS = ("grpc", "http/protobuf")
_BY_RATIO = ("traceidratio", "parentbased_traceidratio")
_SAMPLERS = ("always_on", "always_off", "parentbased_always_on", "parentbased_always_off", *_BY_RATIO)
_DAY_MS = 24 * 3_600_000
_HOUR_S = 3_600.0
_MOST = 1_000_000
_LARGEST_PORT = 65_535
_QUEUE, _BATCH = 2048, 512
"""What the standard has where nothing is set."""
_KEY = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PAIR = re.compile(rf"[ \t]*({_KEY})[ \t]*=([ -~]*)")
_SIGNAL = "(?:TRACES_|METRICS_|LOGS_)?"

Judge = Callable[[str], bool]


def faults(environ: Mapping[str, str]) -> Iterator[str]:
    """Give what is wrong with the variables, a sentence each that repeats no value."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return
    given = {name: value for name, value in sorted(environ.items()) if name.startswith("OTEL_") and value}
    wrong = set[str]()
    for name, value in given.items():
        for pattern, is_good, sentence in _RULES:
            if pattern.fullmatch(name) and not is_good(value.strip()):
                wrong.add(name)
                yield f"{name} must be {sentence}"
        if _ENDPOINT.fullmatch(name) and not _is_endpoint(
            value.strip(), has_scheme=not _is_grpc(name, given)
        ):
            yield f"{name} must be http:// or https:// and a host"
    yield from _ratio(given)
    yield from _batches({name: value for name, value in given.items() if name not in wrong})


def _ratio(given: Mapping[str, str]) -> Iterator[str]:
    is_used = given.get("OTEL_TRACES_SAMPLER", "").lower() in _BY_RATIO
    if is_used and not _is_ratio(given.get("OTEL_TRACES_SAMPLER_ARG", "1")):
        yield "OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1"


def _batches(given: Mapping[str, str]) -> Iterator[str]:
    for kind in ("BSP", "BLRP"):
        queue, batch = f"OTEL_{kind}_MAX_QUEUE_SIZE", f"OTEL_{kind}_MAX_EXPORT_BATCH_SIZE"
        if int(given.get(batch, _BATCH)) > int(given.get(queue, _QUEUE)):
            yield f"{batch} must not be above {queue}; unset they are {_BATCH} and {_QUEUE}"


def _is_whole(text: str, *, least: int, most: int) -> bool:
    return (
        text.isascii() and text.isdecimal() and len(text) < len(str(_MOST)) * 2 and least <= int(text) <= most
    )


def _is_limit(text: str) -> bool:
    return text.lower() == "unset" or _is_whole(text, least=0, most=_MOST)


def _is_timeout(text: str) -> bool:
    try:
        return 0 < float(text) <= _HOUR_S
    except ValueError:
        return False


def _are_pairs(text: str) -> bool:
    """Tell whether a text is what the standard has for headers: pairs whose values are URL-encoded."""
    pairs = [_PAIR.fullmatch(one) for one in text.split(",") if one.strip()]
    return all(pair is not None and unquote(pair[2]).isprintable() for pair in pairs)


def _is_ratio(text: str) -> bool:
    try:
        return 0.0 <= float(text) <= 1.0
    except ValueError:
        return False


def _is_endpoint(text: str, *, has_scheme: bool) -> bool:
    """Tell whether a text is where a collector listens; gRPC's may go without a scheme."""
    url = text if has_scheme or "://" in text else f"http://{text}"
    try:
        parts = urlsplit(url)
        is_there = is_host(parts.hostname or "") and parts.port != 0
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and is_there and url.isprintable() and " " not in url


def _is_grpc(name: str, environ: Mapping[str, str]) -> bool:
    own = environ.get(name.replace("_ENDPOINT", "_PROTOCOL"), "")
    return (own or environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "")) == "grpc"


def _is_file(text: str) -> bool:
    return is_readable(Path(text))


def _listed(*known: str) -> tuple[Judge, str]:
    def is_good(text: str) -> bool:
        return all(one.strip() in known for one in text.split(","))

    return is_good, f"a list of {', '.join(known)}"


def _one_of(*known: str) -> tuple[Judge, str]:
    def is_good(text: str) -> bool:
        return text.lower() in known

    return is_good, f"one of {', '.join(known)}"


_ENDPOINT = re.compile(rf"OTEL_EXPORTER_OTLP_{_SIGNAL}ENDPOINT")
_SIZES = (partial(_is_whole, least=1, most=_MOST), f"a whole number from 1 to {_MOST}")
_TIMES = (partial(_is_whole, least=1, most=_DAY_MS), f"milliseconds, a whole number from 1 to {_DAY_MS}")
_OF_NAMES: Mapping[str, tuple[Judge, str]] = {
    "OTEL_(?:BSP|BLRP)_MAX_(?:QUEUE|EXPORT_BATCH)_SIZE": _SIZES,
    "OTEL_(?:BSP|BLRP)_(?:SCHEDULE_DELAY|EXPORT_TIMEOUT)": _TIMES,
    "OTEL_METRIC_EXPORT_(?:INTERVAL|TIMEOUT)": _TIMES,
    "OTEL_(?:[A-Z]+_)*(?:COUNT|LENGTH)_LIMIT": (_is_limit, f"a whole number from 0 to {_MOST}, or unset"),
    f"OTEL_EXPORTER_OTLP_{_SIGNAL}TIMEOUT": (_is_timeout, "seconds, above 0 and at most an hour"),
    f"OTEL_EXPORTER_OTLP_{_SIGNAL}HEADERS": (_are_pairs, "name=value, with commas between, URL-encoded"),
    f"OTEL_EXPORTER_OTLP_{_SIGNAL}COMPRESSION": _one_of("gzip", "deflate", "none"),
    f"OTEL_EXPORTER_OTLP_{_SIGNAL}(?:CLIENT_)?(?:CERTIFICATE|KEY)": (_is_file, "a file that can be read"),
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": _one_of("cumulative", "delta", "lowmemory"),
    "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": _one_of(
        "explicit_bucket_histogram", "base2_exponential_bucket_histogram"
    ),
    "OTEL_EXPORTER_PROMETHEUS_PORT": (
        partial(_is_whole, least=0, most=_LARGEST_PORT),
        f"a port, from 0 to {_LARGEST_PORT}",
    ),
    "OTEL_RESOURCE_ATTRIBUTES": (_are_pairs, "name=value, with commas between, URL-encoded"),
    "OTEL_(?:TRACES|LOGS)_EXPORTER": _listed(*EXPORTERS),
    "OTEL_METRICS_EXPORTER": _listed(*METRIC_EXPORTERS),
    f"OTEL_EXPORTER_OTLP_{_SIGNAL}PROTOCOL": _one_of(*PROTOCOLS),
    "OTEL_TRACES_SAMPLER": _one_of(*_SAMPLERS),
    "OTEL_METRICS_EXEMPLAR_FILTER": _one_of("trace_based", "always_on", "always_off"),
    "OTEL_PYTHON_CONTEXT": _one_of("contextvars_context"),
}
_RULES = [(re.compile(names), is_good, sentence) for names, (is_good, sentence) in _OF_NAMES.items()]
"""By the names a rule is for: who judges a value, and what it must be."""
