"""The records of the audit as OpenTelemetry logs: a copy for those who watch, of what is durable already.

What a collector does not take is dropped as spans are; the journal has it, and `audit export` gives it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, set_span_in_context

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.sdk._logs import LoggerProvider

EVENT = "giftcard.audit"
"""The event name of every record."""
_OF_NO_SPAN = set_span_in_context(INVALID_SPAN, Context())


class AuditLogs:
    """Sends records out, or nowhere where nobody asked for logs."""

    def __init__(self, provider: LoggerProvider | None) -> None:
        """Send by this provider."""
        self._provider = provider
        self.is_on = provider is not None
        self._logger = provider.get_logger("giftcard_gateway.audit") if provider else None

    def tell(self, record: Mapping[str, Any], *, at_ns: int) -> None:
        """Send a record with the fields that `audit export` gives it; it never waits."""
        if self._logger is None:
            return
        told = LogRecord(
            timestamp=at_ns,
            # It is written after its call has ended, so no span is its own.
            context=_OF_NO_SPAN,
            severity_number=SeverityNumber.INFO,
            severity_text="INFO",
            body=dict(record),
            event_name=EVENT,
        )
        self._logger.emit(told)

    def close(self) -> None:
        """Export what is left."""
        if self._provider is not None:
            self._provider.shutdown()
