"""Counts what `catalogue` names.

What is counted is counted here and only read by the SDK when it exports, because its own cost ten
microseconds a count. Counters whose labels are known beforehand exist as zero from the start, so that
`increase()` sees their first event.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

from opentelemetry.metrics import CallbackOptions, Meter, NoOpMeterProvider, Observation

from giftcard_gateway.ledger.entry import State
from giftcard_gateway.telemetry import catalogue
from giftcard_gateway.telemetry.commits import OPERATION
from giftcard_gateway.telemetry.conventions import SCHEMA_URL, SCOPE
from giftcard_gateway.telemetry.durations import DATABASE_S, SECONDS, Durations
from giftcard_gateway.telemetry.exemplars import Exemplars

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.util.types import AttributeValue

    from giftcard_gateway.telemetry.catalogue import Instrument

_Key = tuple[str, ...]
Values: TypeAlias = "Mapping[_Key, float]"
"""A gauge's values, each by the values of its labels."""
_NUMBERS = frozenset({"http.response.status_code", "server.port", "cpython.gc.generation"})
"""Labels that are numbers to the conventions."""
SEVERITIES = ("warning", "critical")
RESULTS = ("kept", "refused", "failed")
"""What becomes of a webhook."""
RELOADS = ("applied", "unchanged", "refused")
"""What becomes of a configuration that is read again."""


class Metrics:
    """Every instrument, made once."""

    def __init__(
        self,
        provider: MeterProvider | None,
        now_ns: Callable[[], int],
        exemplars: Exemplars = Exemplars.OF_TRACES,
    ) -> None:
        """Without a provider nothing is measured."""
        self._provider = provider
        meter = (provider or NoOpMeterProvider()).get_meter(SCOPE, schema_url=SCHEMA_URL)
        self.calls = _durations(catalogue.CALLS, now_ns, exemplars=exemplars)
        """Calls we answered. Of the key's words the error's type is empty where all is well."""
        exchanges = _durations(catalogue.EXCHANGES, now_ns, exemplars=exemplars)
        self.exchange = exchanges.record
        """Measures one exchange with a provider; the key has the labels in the catalogue's order.

        The status is empty when no answer came, the error's type when all is well.
        """
        self._commits = _durations(catalogue.COMMITS, now_ns, DATABASE_S, exemplars)
        self._queue = _durations(catalogue.QUEUE, now_ns, DATABASE_S, exemplars)
        self._loop = _durations(catalogue.LOOP, now_ns, DATABASE_S, exemplars)
        self.durations = (self.calls, exchanges, self._commits, self._queue, self._loop)
        """The histograms, which readers have to `join`."""
        self._counts = {one: _Count(meter, one) for one in catalogue.COUNTED}
        self.reached = self._counts[catalogue.STATES].counted
        """How many transactions came into a state, by operation, provider and state."""
        self._read: dict[Instrument, Callable[[], Values]] = {}
        for one in (*catalogue.SHARED, *catalogue.WATCHED):
            _gauge(meter, one, self._read)

    def expect(
        self,
        operations: Mapping[str, Collection[str]],
        *,
        reasons: Collection[str],
        refusals: Collection[str],
        places: Collection[str],
        webhooks: Collection[str],
    ) -> None:
        """Have zeros of what may be counted.

        `operations` are by provider; `reasons` are of errors, `refusals` of those for who asked; `places` are
        where faults are told of; `webhooks` names the providers that have any.
        """
        self._zero(
            catalogue.STATES,
            ((op, one, state.value) for one, ops in operations.items() for op in ops for state in State),
        )
        self._zero(catalogue.UNRESOLVED, ((op, one) for one, ops in operations.items() for op in ops))
        self._zero(catalogue.WINDOWS, ((one, severity) for one in operations for severity in SEVERITIES))
        self._zero(catalogue.LEFT_OUT, ((one, "") for one in operations))
        self._zero(catalogue.ERRORS, ((reason, "") for reason in reasons))
        self._zero(catalogue.REFUSED, ((reason, "") for reason in refusals))
        self._zero(catalogue.OVERLOAD, [("", "")])
        self._zero(catalogue.FAULTS, ((place, "") for place in places))
        self._zero(catalogue.FORGOT, [()])
        self._zero(catalogue.RELOADS, ((result,) for result in RELOADS))
        self._zero(catalogue.WEBHOOKS, ((one, result) for one in webhooks for result in RESULTS))

    def batch(self, system: str, waited_s: float, took_s: float) -> None:
        """Measure a batch of writes: how long its first one waited, and how long it took; on any thread."""
        self._queue.record(waited_s)
        self._commits.record(took_s, system, OPERATION)

    def woke(self, late_s: float) -> None:
        """Measure how much too late the event loop woke up."""
        self._loop.record(late_s)

    def unresolved(self, operation: str, provider: str) -> None:
        """Count a transaction that only a person can end."""
        self._counts[catalogue.UNRESOLVED].add(operation, provider)

    def window(self, provider: str, severity: str) -> None:
        """Count a reversal that is late in its window; `severity` is one of SEVERITIES."""
        self._counts[catalogue.WINDOWS].add(provider, severity)

    def left_out(self, provider: str, place: str) -> None:
        """Count a place of an answer that could not be read and decides nothing."""
        self._counts[catalogue.LEFT_OUT].add(provider, place)

    def refused(self, reason: str, cause: str) -> None:
        """Count a call refused for who asked; both are words of ours."""
        self._counts[catalogue.REFUSED].add(reason, cause)

    def erred(self, reason: str, budget: str) -> None:
        """Count a call answered with an error; `budget` names the limit that was used up, if one was."""
        self._counts[catalogue.ERRORS].add(reason, budget)

    def crowded_out(self, method: str, cause: str) -> None:
        """Count a call refused for want of room; `cause` says of what."""
        self._counts[catalogue.OVERLOAD].add(method, cause)

    def fault(self, place: str, kind: str) -> None:
        """Count something that should not have happened."""
        self._counts[catalogue.FAULTS].add(place, kind)

    def webhook(self, provider: str, result: str) -> None:
        """Count a webhook; `result` is one of RESULTS, `provider` empty where none is meant that we know."""
        self._counts[catalogue.WEBHOOKS].add(provider, result)

    def reloaded(self, result: str) -> None:
        """Count that the configuration was read again; `result` is one of RELOADS."""
        self._counts[catalogue.RELOADS].add(result)

    def forgot(self) -> None:
        """Count that the journal lacks what was written there."""
        self._counts[catalogue.FORGOT].add()

    def set(self, gauge: Instrument, values: Values) -> None:
        """Say a gauge's values; they hold until said again."""
        self._read[gauge] = lambda: values

    def watch(self, gauge: Instrument, read: Callable[[], Values]) -> None:
        """Ask `read` for a gauge's values, from another thread, at every export."""
        self._read[gauge] = read

    def close(self) -> None:
        """Export once more and stop; may take a few seconds."""
        if self._provider is not None:
            self._provider.shutdown()

    def _zero(self, counter: Instrument, keys: Iterable[_Key]) -> None:
        for key in keys:
            self._counts[counter].counted[key] += 0


class _Count:
    """A counter that costs a dictionary's entry; the SDK reads it when it exports."""

    def __init__(self, meter: Meter, what: Instrument) -> None:
        self.counted: Counter[_Key] = Counter()
        self._what = what
        meter.create_observable_counter(what.name, [self._read], unit=what.unit, description=what.text)

    def add(self, *values: str) -> None:
        self.counted[values] += 1

    def _read(self, _: CallbackOptions) -> Iterable[Observation]:
        return [
            Observation(count, _attributes(self._what, key)) for key, count in tuple(self.counted.items())
        ]


def _gauge(meter: Meter, what: Instrument, reads: Mapping[Instrument, Callable[[], Values]]) -> None:
    def observe(_: CallbackOptions) -> Iterable[Observation]:
        if (read := reads.get(what)) is None:
            return []
        return [Observation(value, _attributes(what, key)) for key, value in read().items()]

    create = meter.create_observable_counter if what.kind == "counter" else meter.create_observable_gauge
    create(what.name, [observe], unit=what.unit, description=what.text)


def _durations(
    what: Instrument,
    now_ns: Callable[[], int],
    bounds_s: tuple[float, ...] = SECONDS,
    exemplars: Exemplars = Exemplars.OF_TRACES,
) -> Durations:
    def attributes(*key: str) -> dict[str, AttributeValue]:
        return _attributes(what, key)

    return Durations(what.name, what.text, attributes, now_ns, bounds_s=bounds_s, exemplars=exemplars)


def _attributes(what: Instrument, key: _Key) -> dict[str, AttributeValue]:
    return {
        label: int(value) if label in _NUMBERS else value
        for label, value in zip(what.labels, key, strict=True)
        if value
    }
