"""Keeps the gauges of one process, and counts now and then what all of its replicas have open.

Every replica tells the same of the journal they share, read off its indexes each ten seconds: it is told as
long as any is alive, and who looks at several takes the highest (docs/metrics.md).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from giftcard_adapters.contract import has, traits_of
from giftcard_adapters.values.operations import Operation
from giftcard_gateway.errors import CredentialsInvalid, OutOfReach, ScopeMissing
from giftcard_gateway.journal.contract import JournalClosed
from giftcard_gateway.journal.rows import OPEN_STATES
from giftcard_gateway.ledger.entry import State
from giftcard_gateway.rpc.status import CODES, INTERNAL
from giftcard_gateway.telemetry import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from giftcard_gateway.clock import Clock
    from giftcard_gateway.journal.contract import Backlog, Due, Journal
    from giftcard_gateway.journal.keys_in_use import KeysInUse
    from giftcard_gateway.pipeline.assembly import Pipeline
    from giftcard_gateway.process.readiness import Readiness
    from giftcard_gateway.providers.connections import Connection, Connections
    from giftcard_gateway.rpc.admission import Admission
    from giftcard_gateway.rpc.server import Server
    from giftcard_gateway.telemetry import Telemetry
    from giftcard_gateway.telemetry.metrics import Values

_COUNT_EVERY_S = 10.0
_LOOK_EVERY_S = 600.0
"""How often every open document is looked at for its key, which costs as much as there are of them.

Whether a key is noted as in use that is not here is seen each time.
"""
_WAKE_EVERY_S = 1.0
_CIRCUIT = {"CLOSED": 0, "HALF_OPEN": 1, "OPEN": 2}
PLACES = (
    *("advance", "backlog", "balances", "deliver", "events", "exchange", "in_doubt", "lease", "readiness"),
    *("purge", "recovery", "reload", "retention", "seal", "webhook"),
)
"""Where faults are told of, but for the calls, which are told by their names."""


class Measuring:
    """Reads off the parts of a gateway what its metrics tell."""

    def __init__(
        self,
        telemetry: Telemetry,
        clock: Clock,
        *,
        journal: Journal,
        connections: Connections,
        pipeline: Pipeline,
        keys_in_use: KeysInUse,
    ) -> None:
        """Have zeros told of what is configured, and begin to listen to the journal."""
        self._telemetry = telemetry
        self._metrics = telemetry.metrics
        self._clock = clock
        self._journal = journal
        self._connections = connections
        self._pipeline = pipeline
        self._keys_in_use = keys_in_use
        self._missing: Mapping[str, int] = {}
        self._look_at_s = clock.monotonic_s()
        self.expect()
        journal.on_batch, journal.caller = telemetry.committed, telemetry.caller

    def watch(self, server: Server, admission: Admission, readiness: Readiness) -> None:
        """Have each export read what these parts are doing."""
        self._server = server
        connections, journal = self._connections, self._journal
        watch = self._metrics.watch
        watch(
            catalogue.CIRCUIT, lambda: {_place(one): _CIRCUIT[one.circuit.state.value] for one in connections}
        )
        watch(catalogue.PAUSED, lambda: {_place(one): float(one.pause is not None) for one in connections})
        watch(
            catalogue.PROVIDER_CALLS,
            lambda: {
                (one.provider_id, lane): count
                for one in connections
                for lane, count in (("money", one.in_flight), ("reads", one.reads_in_flight))
            },
        )
        watch(catalogue.PROVIDER_LIMIT, lambda: {_place(one): one.terms.max_in_flight for one in connections})
        watch(catalogue.IN_FLIGHT, lambda: {("calls",): admission.calls, ("streams",): admission.streams})
        watch(
            catalogue.LIMIT, lambda: {("calls",): admission.most_calls, ("streams",): admission.most_streams}
        )
        watch(catalogue.DRIVEN, lambda: {(): self._pipeline.driver.load})
        watch(catalogue.AWAY, lambda: {(): readiness.away_s})
        watch(catalogue.WEBHOOKS_WAITING, lambda: {(): self._pipeline.events.waiting})
        watch(catalogue.POOL, lambda: _pool(journal))
        watch(catalogue.POOL_MOST, lambda: {("journal",): pool.most} if (pool := journal.pool) else {})

    async def run(self) -> None:
        """Count what is open, apart from the calls that open it, until cancelled."""
        while True:
            try:
                await self.count()
            except JournalClosed:
                pass
            except Exception as fault:  # noqa: BLE001 - whatever fails, it must be counted again
                self._telemetry.observer.faulted("backlog", fault)
            await self._clock.sleep(_COUNT_EVERY_S)

    async def wake(self) -> None:
        """Measure how late the event loop wakes us, until cancelled."""
        while True:
            before_s = self._clock.monotonic_s()
            await self._clock.sleep(_WAKE_EVERY_S)
            self._metrics.woke(max(0.0, self._clock.monotonic_s() - before_s - _WAKE_EVERY_S))

    async def count(self) -> None:
        """Count once what is open, damaged, or sealed under keys that are not here."""
        now = self._clock.now()
        backlog, dues = await self._journal.backlog(), await self._journal.next_due()
        places = [(one.provider_id, state) for one in self._connections for state in OPEN_STATES]
        counts: dict[tuple[str, ...], float] = dict.fromkeys(places, 0.0)
        ages = counts | {(one.provider, one.state): _since(one.oldest_at, now) for one in backlog}
        counts |= {(one.provider, one.state): one.count for one in backlog}
        self._metrics.set(catalogue.BACKLOG, counts)
        self._metrics.set(catalogue.BACKLOG_AGE, ages)
        self._metrics.set(catalogue.LAG, {_place(one): 0.0 for one in self._connections} | lags(dues, now))
        self._metrics.set(catalogue.WINDOW_LEFT, windows_left(self._connections, backlog, now))
        damaged = await self._journal.damaged()
        self._telemetry.observer.damaged(damaged)
        missing = await self._look_for_keys()
        await self._server.tell_seal(is_whole=not missing and not damaged)

    async def _look_for_keys(self) -> Mapping[str, int]:
        """Say which keys are in use that are not here; nothing else changes while we serve."""
        unknown = await self._keys_in_use.unknown()
        self._pipeline.records.is_half_blind = any(key.kind == "hash" for key in unknown)
        now_s = self._clock.monotonic_s()
        if unknown or self._missing or now_s >= self._look_at_s:
            self._missing = {key.name: 0 for key in unknown} | dict(await self._pipeline.records.missing())
            self._look_at_s = now_s + _LOOK_EVERY_S
        self._telemetry.observer.sealed_elsewhere(self._missing)
        return self._missing

    def expect(self) -> None:
        """Have zeros told of what is configured now, and since when it is."""
        self._metrics.set(catalogue.CONFIG_READ, {(): self._clock.now().timestamp()})
        self._metrics.expect(
            {
                one.provider_id: [
                    each.value for each in Operation if traits_of(one.provider, each) is not None
                ]
                for one in self._connections
            },
            reasons=sorted({kind.reason for kind in CODES} | {INTERNAL}),
            refusals=[CredentialsInvalid.reason, ScopeMissing.reason, OutOfReach.reason, "HANDSHAKE_FAILED"],
            places=PLACES,
            webhooks=[one.provider_id for one in self._connections if has(one.provider, "read_webhook")],
        )


def _place(connection: Connection) -> tuple[str, ...]:
    return (connection.provider_id,)


def _since(then: datetime, now: datetime) -> float:
    return max(0.0, (now - then).total_seconds())


def lags(dues: Sequence[Due], now: datetime) -> dict[tuple[str, ...], float]:
    """Return for how many seconds each provider's work has been due."""
    late: dict[tuple[str, ...], float] = {}
    for due in dues:
        late[due.provider,] = max(late.get((due.provider,), 0.0), _since(due.due_at, now))
    return late


def windows_left(
    connections: Iterable[Connection], backlog: Sequence[Backlog], now: datetime
) -> dict[tuple[str, ...], float]:
    """Return how many seconds each provider still takes the oldest of its reversals that are not through."""
    windows = {one.provider_id: _shortest_window(one) for one in connections}
    return {
        (one.provider,): (one.oldest_at + window - now).total_seconds()
        for one in backlog
        if one.state == State.REVERSING and (window := windows.get(one.provider)) is not None
    }


def _shortest_window(connection: Connection) -> timedelta | None:
    traits = [traits_of(connection.provider, operation) for operation in Operation]
    windows = [one.reversal_window_s for one in traits if one and one.reversal_window_s is not None]
    return timedelta(seconds=min(windows)) if windows else None


def _pool(journal: Journal) -> Values:
    pool = journal.pool
    return {("journal", "used"): pool.used, ("journal", "idle"): pool.idle} if pool else {}
