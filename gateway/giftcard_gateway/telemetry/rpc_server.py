"""The server span and the metrics of each RPC, by OpenTelemetry's RPC conventions.

Which code a call ends with is decided elsewhere; a code, a method and a transaction's id are all
that is told of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from opentelemetry.trace import SpanKind

from giftcard_gateway.telemetry.spans import parse

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from giftcard_gateway.clock import Clock
    from giftcard_gateway.telemetry.metrics import Metrics
    from giftcard_gateway.telemetry.spans import Spans

OUR_FAULTS = frozenset(
    {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
)
"""The codes that count as a server's failure; the rest are the caller's (RPC conventions, gRPC)."""


class ServerCall:
    """One RPC, from its arrival to its answer. Entered, its span is the current one.

    Left by an exception without an answer, it ended UNKNOWN, or CANCELLED when it was cancelled.
    """

    __slots__ = ("_began_s", "_clock", "_method", "_metrics", "_span", "_status")

    def __init__(
        self,
        method: str,
        metadata: Iterable[tuple[str, str | bytes]],
        *,
        spans: Spans,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        """Begin; `method` is Package.Service/Method of a method we have, else `_OTHER`."""
        traceparent: str | bytes = ""
        tracestate: str | bytes = ""
        for key, value in metadata:
            if key == "traceparent":
                traceparent = value
            elif key == "tracestate":
                tracestate = value
        parent = parse(str(traceparent), str(tracestate)) if traceparent else None
        self._method = method
        self._metrics = metrics
        self._clock = clock
        self._began_s = clock.monotonic_s()
        self._status = ""
        self._span = spans.start(
            method, SpanKind.SERVER, {"rpc.system.name": "grpc", "rpc.method": method}, parent=parent
        )

    def answered(self, status: str) -> None:
        """Say how the call ended, by the name of its gRPC code."""
        self._status = status

    @property
    def trace_id(self) -> str:
        """Return the id by which an operator finds the call; empty when there is no trace."""
        return self._span.trace_id

    def note(self, key: str, value: str | int) -> None:
        """Add an attribute to the call's span; never card data."""
        self._span.note(key, value)

    def __enter__(self) -> Self:
        self._span.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        status = self._status or ("OK" if kind is None else _status_of(kind))
        error_type = status if status in OUR_FAULTS else ""
        self._span.attributes["rpc.response.status_code"] = status
        if error_type:
            self._span.fail(error_type)
        self._span.__exit__(None, None, None)
        self._metrics.call(self._method, status, error_type, self._clock.monotonic_s() - self._began_s)


def _status_of(kind: type[BaseException]) -> str:
    return "UNKNOWN" if issubclass(kind, Exception) else "CANCELLED"
