"""The end of a process waits for no collector."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from giftcard_gateway.clock import SystemClock
from giftcard_gateway.telemetry import open_telemetry
from giftcard_gateway.telemetry.closing import close_side_by_side

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


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_collector_that_hangs_is_not_waited_for(
    protocol: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Spans, metrics and logs that nobody takes do not keep a gateway, however long their time-outs are."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "600")
    with hanging_collector() as url:
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        telemetry = open_telemetry(environ, SystemClock())
        with telemetry.call("giftcard.v1.ProviderService/ListProviders", ()):
            pass
        telemetry.metrics.fault("a place", "OSError")
        telemetry.audit_logs.tell({"act": "call"}, at_ns=1)
        with caplog.at_level(logging.WARNING):
            telemetry.close()
    (told,) = [vars(one)["signals"] for one in caplog.records if "signals" in vars(one)]
    assert told == "traces, metrics, logs"
