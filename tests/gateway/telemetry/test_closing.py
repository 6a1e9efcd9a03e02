"""The end of a process waits for no collector."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from giftcard_gateway.clock import SystemClock
from giftcard_gateway.telemetry.closing import close_side_by_side
from tests.patience import PATIENCE_S

NOW_S = SystemClock().monotonic_s


@contextmanager
def hanging_collector() -> Iterator[str]:
    """Give the URL of a collector that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_all_end_at_once() -> None:
    """None waits for another: each sees that the others have begun before it ends."""
    together = threading.Barrier(3)
    close_side_by_side({one: lambda: together.wait(60) for one in ("a", "b", "c")}, NOW_S, longest_s=60)
    assert not together.broken


def test_what_hangs_is_left_behind_and_told(caplog: pytest.LogCaptureFixture) -> None:
    """An end that never comes is not waited for, and the log says whose it is."""
    never = threading.Event()
    close_side_by_side({"traces": never.wait, "logs": lambda: None}, NOW_S, longest_s=0.01)
    never.set()
    (told,) = [vars(record)["signals"] for record in caplog.records]
    assert "traces" in told


def test_what_fails_is_told_by_its_type(caplog: pytest.LogCaptureFixture) -> None:
    """What an exporter raises ends nothing, and its text stays inside."""

    def fail() -> None:
        raise RuntimeError("6045000000000061")

    close_side_by_side({"metrics": fail}, NOW_S)
    (record,) = caplog.records
    assert (vars(record)["signals"], vars(record)["error_type"]) == ("metrics", "RuntimeError")
    assert "6045" not in caplog.text


SCRIPT = """
import os
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.telemetry import open_telemetry
telemetry = open_telemetry(os.environ, SystemClock())
with telemetry.call("giftcard.v1.ProviderService/ListProviders", ()):
    pass
telemetry.audit_logs.tell({"act": "call"}, at_ns=1)
import logging
logging.basicConfig(format="%(message)s %(signals)s", level="WARNING")
logging.getLogger("opentelemetry").disabled = True
telemetry.close()
"""
"""A process of its own: what its exporters leave behind must not go on among other tests."""


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_collector_that_hangs_is_not_waited_for(protocol: str) -> None:
    """Spans, metrics and logs that nobody takes do not keep a gateway, however long their time-outs are."""
    with hanging_collector() as url:
        environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            "OTEL_EXPORTER_OTLP_TIMEOUT": "600",
        }
        ended = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=True,
        )
    assert "in time traces, metrics, logs" in ended.stderr
