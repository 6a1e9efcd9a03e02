"""The server span and the metrics of each RPC, by OpenTelemetry's RPC conventions.

Which code a call ends with is decided elsewhere; a code, a method and a transaction's id are all
that is told of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.trace import SpanKind

from giftcard_gateway.telemetry.spans import Working

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry.util.types import AttributeValue

    from giftcard_gateway.clock import Clock
    from giftcard_gateway.telemetry.metrics import Metrics
    from giftcard_gateway.telemetry.propagation import Propagation
    from giftcard_gateway.telemetry.spans import Spans

OUR_FAULTS = frozenset(
    {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
)
"""The codes that count as a server's failure; the rest are the caller's (RPC conventions, gRPC)."""


class ServerCall(Working):
    """One RPC, from its arrival to its answer. Entered, its span is the current one.

    Left by an exception without an answer, it ended UNKNOWN, or CANCELLED when it was cancelled.
    """

    __slots__ = ("_began_s", "_clock", "_method", "_metrics", "_status", "trace_id")

    def __init__(
        self,
        method: str,
        metadata: Iterable[tuple[str, str | bytes]],
        spans: Spans,
        propagation: Propagation,
        *,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        """Begin; `method` is Package.Service/Method of a method we have, else `_OTHER`."""
        self._method = method
        self._metrics = metrics
        self._clock = clock
        self._began_s = clock.monotonic_s()
        self._status = ""
        within = propagation.heard(metadata)
        attributes: dict[str, AttributeValue] = {"rpc.system.name": "grpc", "rpc.method": method}
        self.span = spans.start(method, SpanKind.SERVER, attributes, within)
        self.trace_id = self.span.trace_id
        """By which an operator finds the call; empty when there is no trace."""

    def answered(self, status: str) -> None:
        """Say how the call ended, by the name of its gRPC code."""
        self._status = status

    def note(self, key: str, value: str | int) -> None:
        """Add an attribute to the call's span; never card data."""
        self.span.noted[key] = value

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        status = self._status or ("OK" if kind is None else _status_of(kind))
        error_type = status if status in OUR_FAULTS else ""
        self.span.noted["rpc.response.status_code"] = status
        if error_type:
            self.span.fail(error_type)
        super().__exit__(None)
        took_s = self._clock.monotonic_s() - self._began_s
        self._metrics.calls.record(*(took_s, "grpc", self._method, status, error_type), within=self.span.made)


def _status_of(kind: type[BaseException]) -> str:
    return "UNKNOWN" if issubclass(kind, Exception) else "CANCELLED"
