"""The metrics; names follow the OpenTelemetry conventions where there are any.

What is counted is counted here and only read by the SDK when it exports, because its own cost ten
microseconds a count. No attribute can name a card or a caller.

    rpc.server.call.duration         histogram, s    by method and status
    http.client.request.duration     histogram, s    by provider, operation and status
    giftcard.transaction.states      counter         states reached, by operation, provider and state
    giftcard.transaction.unresolved  counter         a person must look, by operation and provider
    giftcard.advice.backlog          gauge           advices not final yet, by provider
    giftcard.reversal.window         counter         reversals late in their window, by provider and severity
    giftcard.seal.elsewhere          gauge           open transactions whose key is not here, by key id
    giftcard.journal.damaged         gauge           transactions whose state, operation or times cannot be
    giftcard.circuit.state           gauge           0 closed, 1 half open, 2 open, by provider
    giftcard.answer.left_out         counter         what could not be read of answers, by provider and place
    giftcard.access.refused          counter         calls refused for who asked, by reason and cause
    giftcard.overload.refused        counter         calls refused for want of room, by method and cause
    giftcard.fault                   counter         what should not have happened, by place and type
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from opentelemetry.metrics import CallbackOptions, Meter, NoOpMeterProvider, Observation

from giftcard_gateway.telemetry.durations import SCOPE, Durations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.util.types import AttributeValue

_CIRCUIT = {"CLOSED": 0, "HALF_OPEN": 1, "OPEN": 2}
_Key = tuple[str, ...]


class Metrics:
    """Every instrument, made once."""

    def __init__(self, provider: MeterProvider | None, now_ns: Callable[[], int]) -> None:
        """Without a provider nothing is measured."""
        self._provider = provider
        meter = (provider or NoOpMeterProvider()).get_meter(SCOPE)
        self._calls = Durations("rpc.server.call.duration", "Calls we answered.", _call_attributes, now_ns)
        self._exchanges = Durations(
            "http.client.request.duration", "Exchanges with providers.", _exchange_attributes, now_ns
        )
        self.durations = (self._calls, self._exchanges)
        """The histograms, which readers have to `join`."""
        self._states = _Count(
            meter, "giftcard.transaction.states", ("operation", "provider", "state"), "States reached."
        )
        self._unresolved = _Count(
            meter, "giftcard.transaction.unresolved", ("operation", "provider"), "A person must look."
        )
        self._windows = _Count(
            meter, "giftcard.reversal.window", ("provider", "severity"), "Reversals late in their window."
        )
        self._left_out = _Count(
            meter, "giftcard.answer.left_out", ("provider", "place"), "What could not be read of an answer."
        )
        self._refused = _Count(
            meter, "giftcard.access.refused", ("reason", "cause"), "Calls refused for who asked."
        )
        self._crowded_out = _Count(
            meter, "giftcard.overload.refused", ("method", "cause"), "Calls refused for want of room."
        )
        self._faults = _Count(meter, "giftcard.fault", ("place", "type"), "What should not have happened.")
        self._backlog: dict[_Key, int] = {}
        self._elsewhere: dict[_Key, int] = {}
        self._damaged: dict[_Key, int] = {}
        self._circuits: Callable[[], Mapping[str, str]] = dict
        _gauge(meter, "giftcard.advice.backlog", "Advices not final yet.", lambda: self._backlog)
        _gauge(
            meter,
            "giftcard.seal.elsewhere",
            "Key not configured here.",
            lambda: self._elsewhere,
            "giftcard.key_id",
        )
        _gauge(
            meter, "giftcard.journal.damaged", "Transactions with impossible columns.", lambda: self._damaged
        )
        _gauge(meter, "giftcard.circuit.state", "0 closed, 1 half open, 2 open.", self._circuit_states)

    def call(self, method: str, status: str, error_type: str, duration_s: float) -> None:
        """Measure one call we answered; `status` is a gRPC code's name, `error_type` empty if all is well."""
        self._calls.record(duration_s, method, status, error_type)

    def exchange(
        self, provider: str, operation: str, status: str, error_type: str, duration_s: float
    ) -> None:
        """Measure one exchange with a provider; `status` is empty when no answer came."""
        self._exchanges.record(duration_s, provider, operation, status, error_type)

    def reached(self, operation: str, provider: str, state: str) -> None:
        """Count a transaction that came into a state."""
        self._states.add(operation, provider, state)

    def unresolved(self, operation: str, provider: str) -> None:
        """Count a transaction that only a person can end."""
        self._unresolved.add(operation, provider)

    def window(self, provider: str, severity: str) -> None:
        """Count a reversal that is late in its window; `severity` is `warning` or `critical`."""
        self._windows.add(provider, severity)

    def left_out(self, provider: str, place: str) -> None:
        """Count a place of an answer that could not be read and decides nothing."""
        self._left_out.add(provider, place)

    def refused(self, reason: str, cause: str) -> None:
        """Count a call refused for who asked; both are words of ours."""
        self._refused.add(reason, cause)

    def crowded_out(self, method: str, cause: str) -> None:
        """Count a call refused for want of room; `cause` says of what."""
        self._crowded_out.add(method, cause)

    def fault(self, place: str, kind: str) -> None:
        """Count something that should not have happened."""
        self._faults.add(place, kind)

    def set_backlog(self, by_provider: Mapping[str, int]) -> None:
        """Say how many advices of each provider are not final; it holds until said again."""
        self._backlog = {(provider,): count for provider, count in by_provider.items()}

    def set_sealed_elsewhere(self, by_key: Mapping[str, int]) -> None:
        """Say how many open transactions this process lacks the key of, by key id; a key once named stays."""
        self._elsewhere = dict.fromkeys(self._elsewhere, 0) | {(key,): n for key, n in by_key.items()}

    def set_damaged(self, count: int) -> None:
        """Say how many transactions have columns that cannot be; it holds until said again."""
        self._damaged = {(): count}

    def watch_circuits(self, states: Callable[[], Mapping[str, str]]) -> None:
        """Ask `states` for each provider's circuit state by name, from another thread, at every export."""
        self._circuits = states

    def close(self) -> None:
        """Export once more and stop; may take a few seconds."""
        if self._provider is not None:
            self._provider.shutdown()

    def _circuit_states(self) -> Mapping[_Key, int]:
        return {(provider,): _CIRCUIT[state] for provider, state in self._circuits().items()}


class _Count:
    """A counter that costs a dictionary's entry; the SDK reads it when it exports."""

    def __init__(self, meter: Meter, name: str, labels: _Key, text: str) -> None:
        self._counted: Counter[_Key] = Counter()
        self._labels = tuple(f"giftcard.{label}" for label in labels)
        meter.create_observable_counter(name, [self._read], description=text)

    def add(self, *values: str) -> None:
        self._counted[values] += 1

    def _read(self, _: CallbackOptions) -> Iterable[Observation]:
        counted = tuple(self._counted.items())
        return [Observation(count, dict(zip(self._labels, key, strict=True))) for key, count in counted]


def _gauge(
    meter: Meter,
    name: str,
    text: str,
    read: Callable[[], Mapping[_Key, int]],
    label: str = "giftcard.provider",
) -> None:
    def observe(_: CallbackOptions) -> Iterable[Observation]:
        return [Observation(value, {label: key[0]} if key else {}) for key, value in read().items()]

    meter.create_observable_gauge(name, [observe], description=text)


def _call_attributes(method: str, status: str, error_type: str) -> dict[str, AttributeValue]:
    attributes: dict[str, AttributeValue] = {
        "rpc.system.name": "grpc",
        "rpc.method": method,
        "rpc.response.status_code": status,
    }
    return attributes | ({"error.type": error_type} if error_type else {})


def _exchange_attributes(
    provider: str, operation: str, status: str, error_type: str
) -> dict[str, AttributeValue]:
    attributes: dict[str, AttributeValue] = {"giftcard.provider": provider, "giftcard.operation": operation}
    if status:
        attributes["http.response.status_code"] = int(status)
    return attributes | ({"error.type": error_type} if error_type else {})
