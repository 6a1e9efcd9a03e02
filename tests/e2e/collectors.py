"""The real OpenTelemetry collector, which keeps what it is sent as JSON lines: spans, metrics and logs."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.e2e.processes import end, environment, free_port
from tests.patience import PATIENCE_S

SIGNALS = ("traces", "metrics", "logs")
_LOOK_EVERY_S = 0.02


def collector_program() -> str:
    """Return the collector that `make collector` builds; skip the test where there is none."""
    found = shutil.which("collector", path=str(ROOT / ".tools" / "bin"))
    if found is None:
        pytest.skip("no collector is on this machine: make collector builds one")
    return found


@dataclass
class Collector:
    """A collector that takes OTLP, by gRPC at one port and by HTTP at the one above."""

    process: subprocess.Popen[bytes]
    folder: Path
    port: int

    def environ(self, protocol: str) -> dict[str, str]:
        """Return the variables that send a gateway's telemetry here, by `grpc` or `http/protobuf`."""
        port = self.port + (protocol != "grpc")
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        }

    def stop(self) -> None:
        """Stop it, which writes out all that it has."""
        end(self.process)

    def text(self, signal: str) -> str:
        """Return what it wrote of one of SIGNALS."""
        return (self.folder / f"{signal}.jsonl").read_text(encoding="utf-8")

    def received(self, signal: str) -> list[dict[str, Any]]:
        """Return each span, metric or log that it wrote, as OTLP spells it in JSON."""
        items = {"traces": "spans", "metrics": "metrics", "logs": "logRecords"}[signal]
        kind = items.removesuffix("s") if signal != "logs" else "log"
        capital = kind.capitalize()
        lines = (json.loads(line) for line in self.text(signal).splitlines())
        return [
            item
            for line in lines
            for of_resource in line[f"resource{capital}s"]
            for of_scope in of_resource[f"scope{capital}s"]
            for item in of_scope[items]
        ]


@contextmanager
def collector(folder: Path) -> Iterator[Collector]:
    """Start a collector that writes to `folder`, and wait until it takes telemetry."""
    program, port = collector_program(), free_port()
    endpoints = {"grpc": port, "http": port + 1}
    settings = {
        "receivers": {
            "otlp": {
                "protocols": {name: {"endpoint": f"127.0.0.1:{at}"} for name, at in endpoints.items()},
            },
        },
        "exporters": {f"file/{one}": {"path": str(folder / f"{one}.jsonl")} for one in SIGNALS},
        "service": {
            "telemetry": {"metrics": {"level": "none"}},
            "pipelines": {one: {"receivers": ["otlp"], "exporters": [f"file/{one}"]} for one in SIGNALS},
        },
    }
    said = folder / "collector.log"
    with said.open("wb") as log:
        words = [program, f"--config=yaml:{json.dumps(settings)}"]
        process = subprocess.Popen(words, env=environment(), stdout=log, stderr=log)
    try:
        until = time.monotonic() + PATIENCE_S
        while "Everything is ready" not in said.read_text(encoding="utf-8"):
            assert process.poll() is None, said.read_text(encoding="utf-8")
            assert time.monotonic() < until, said.read_text(encoding="utf-8")
            time.sleep(_LOOK_EVERY_S)
        yield Collector(process, folder, port)
    finally:
        end(process)


def plain(value: dict[str, Any]) -> Any:  # noqa: ANN401 - a value of OTLP can be any of JSON's
    """Return one AnyValue of OTLP as JSON would have it."""
    if not value:
        return None
    ((kind, content),) = value.items()
    match kind:
        case "intValue":
            return int(content)
        case "arrayValue":
            return [plain(one) for one in content.get("values", [])]
        case "kvlistValue":
            return {one["key"]: plain(one["value"]) for one in content.get("values", [])}
    return content
