"""The process's log lines as OpenTelemetry logs, beside those on standard error and as masked as they are."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from opentelemetry._logs import LogRecord, SeverityNumber

from giftcard_gateway.telemetry.conventions import SCHEMA_URL
from giftcard_gateway.telemetry.logs import fields_of, redact

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry._logs import Logger
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.util.types import AnyValue

_SEVERITIES = (
    (logging.CRITICAL, SeverityNumber.FATAL),
    (logging.ERROR, SeverityNumber.ERROR),
    (logging.WARNING, SeverityNumber.WARN),
    (logging.INFO, SeverityNumber.INFO),
)
_OF_EXPORTERS = ("opentelemetry", "urllib3", "requests", "grpc")
"""Who sends these copies: what it says of a collector that is away would go to that collector, for ever."""


class LogCopies(logging.Handler):
    """Sends each line that is logged, with its fields, level, trace and span; it never waits."""

    def __init__(self, provider: LoggerProvider, now_ns: Callable[[], int]) -> None:
        """Send by this provider."""
        super().__init__()
        self._now_ns = now_ns
        self._provider = provider
        self._loggers: dict[str, Logger] = {}
        self._is_open = True

    def end(self) -> None:
        """Send nothing more, because the provider is about to stop."""
        self._is_open = False

    def emit(self, record: logging.LogRecord) -> None:
        """Send one line."""
        if not self._is_open or record.name.partition(".")[0] in _OF_EXPORTERS:
            return
        told = LogRecord(
            timestamp=int(record.created * 1e9),
            observed_timestamp=self._now_ns(),
            severity_number=_severity(record.levelno),
            severity_text=record.levelname,
            body=redact(record.getMessage()),
            attributes={key: _plain(value) for key, value in fields_of(record).items()},
        )
        self._logger(record.name).emit(told)

    def _logger(self, name: str) -> Logger:
        if name not in self._loggers:
            self._loggers[name] = self._provider.get_logger(name, schema_url=SCHEMA_URL)
        return self._loggers[name]


def _severity(level: int) -> SeverityNumber:
    return next((told for least, told in _SEVERITIES if level >= least), SeverityNumber.DEBUG)


def _plain(value: object) -> AnyValue:
    return value if isinstance(value, str | bool | int | float) else str(value)
