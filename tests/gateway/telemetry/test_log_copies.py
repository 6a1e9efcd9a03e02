"""The process's log lines as OpenTelemetry logs."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

from giftcard_gateway.clock import SystemClock
from giftcard_gateway.config.settings import Telemetry as LogSettings
from giftcard_gateway.telemetry import logs, open_telemetry
from giftcard_gateway.telemetry.log_copies import LogCopies
from tests.world.seen import Seen

CARD = "6045001122334455"


class Kept:
    """Copies that are kept."""

    def __init__(self) -> None:
        """Have none."""
        self._exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]  # the SDK has no type for it
        provider = LoggerProvider(shutdown_on_exit=False)
        provider.add_log_record_processor(SimpleLogRecordProcessor(self._exporter))
        self.copies = LogCopies(provider, SystemClock().now_ns)

    def told(self) -> list[ReadableLogRecord]:
        """Return what was sent."""
        return list(self._exporter.get_finished_logs())


@pytest.fixture
def kept() -> Iterator[Kept]:
    """Send copies of all that is logged, for one test."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    made = Kept()
    logs.set_up(LogSettings(log_format="json"), io.StringIO(), made.copies)
    yield made
    root.handlers[:] = before
    root.setLevel(level)


def test_a_line(kept: Kept, seen: Seen) -> None:
    """A line goes out with its sentence, fields, level, logger, and the trace and span it was logged in."""
    with seen.telemetry.call("giftcard.v1.GiftCardService/Redeem", []) as call:
        logging.getLogger("giftcard_gateway").error("it failed", extra={"attempts": 3, "why": None})
    (told,) = kept.told()
    record = told.log_record
    assert (record.body, record.severity_text, record.severity_number) == (
        "it failed",
        "ERROR",
        SeverityNumber.ERROR,
    )
    assert dict(record.attributes or {}) == {"attempts": 3, "why": "None"}
    assert told.instrumentation_scope is not None
    assert told.instrumentation_scope.name == "giftcard_gateway"
    assert f"{record.trace_id:032x}" == call.trace_id
    (span,) = seen.spans()
    assert span.context is not None
    assert record.span_id == span.context.span_id


def test_outside_of_a_call(kept: Kept) -> None:
    """A line of no call has no trace."""
    logging.getLogger("giftcard_gateway").warning("it is late")
    (told,) = kept.told()
    assert (told.log_record.trace_id, told.log_record.severity_number) == (0, SeverityNumber.WARN)


def test_masked(kept: Kept) -> None:
    """A card's number is masked everywhere, and a fault tells its type and place alone (rule 16)."""
    try:
        int(f"{CARD} is none")
    except ValueError:
        logging.getLogger("x").exception("card %s", CARD, extra={"card": CARD})
    (told,) = kept.told()
    assert CARD not in told.to_json()
    assert (told.log_record.attributes or {})["error_type"] == "ValueError"


@pytest.mark.parametrize("name", ["opentelemetry.exporter.otlp", "urllib3.connectionpool"])
def test_nothing_of_its_senders(kept: Kept, name: str) -> None:
    """What the exporters say of a collector that is away is not sent to that collector."""
    logging.getLogger(name).error("could not be sent")
    assert kept.told() == []


def test_nothing_after_the_end(kept: Kept) -> None:
    """What is logged when all is handed over stays on standard error."""
    kept.copies.end()
    logging.getLogger("giftcard_gateway").error("late")
    assert kept.told() == []


@pytest.mark.parametrize(
    ("asked", "are_there"), [("none", False), ("console", False), ("otlp", True), ("otlp,console", False)]
)
def test_where_they_go(asked: str, are_there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """They go where OTEL_LOGS_EXPORTER names otlp, and not to a console, where they are already."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    telemetry = open_telemetry({"OTEL_LOGS_EXPORTER": asked}, SystemClock())
    assert (telemetry.log_copies is not None) is are_there
    telemetry.close()
