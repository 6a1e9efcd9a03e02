"""Assembles a gateway: makes every part once, in order, and stops them in reverse.

Reads like a recipe on purpose. Tests use it with other ingredients.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from giftcard_gateway.access.cells import cell_of
from giftcard_gateway.access.guesses import Guesses
from giftcard_gateway.access.machines import Machines
from giftcard_gateway.access.opening import open_signing_in
from giftcard_gateway.access.shares import Shares
from giftcard_gateway.audit.records import NUMBERS_ERASED, PURGED, AuditRecord, exported
from giftcard_gateway.audit.trail import Trail
from giftcard_gateway.config import exposure
from giftcard_gateway.config.settings import DEFAULT_CELL
from giftcard_gateway.journal.keys_in_use import KeysInUse
from giftcard_gateway.journal.microseconds import to_us
from giftcard_gateway.journal.stores import open_journal
from giftcard_gateway.pipeline.assembly import assemble
from giftcard_gateway.pipeline.hourly import every_hour, must_not_be_ahead, purge
from giftcard_gateway.pipeline.pauses import Pauses
from giftcard_gateway.pipeline.retention import Erasure
from giftcard_gateway.process.at_home import must_be_at_home
from giftcard_gateway.process.connecting import connect
from giftcard_gateway.process.measuring import Measuring
from giftcard_gateway.process.readiness import Readiness
from giftcard_gateway.process.reloading import Reloading
from giftcard_gateway.process.sealing import open_seal
from giftcard_gateway.providers.connections import Connections
from giftcard_gateway.providers.routing import Router
from giftcard_gateway.rpc.admission import Admission
from giftcard_gateway.rpc.guard import Guard
from giftcard_gateway.rpc.server import Server
from giftcard_gateway.services import Dependencies, handlers, service_names

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from giftcard_gateway.access.signing_in import SigningIn
    from giftcard_gateway.clock import Clock
    from giftcard_gateway.config.origin import SettingsOrigin
    from giftcard_gateway.config.settings import Settings
    from giftcard_gateway.http.console.edge import ConsoleEdge
    from giftcard_gateway.http.scraping import ScrapeEdge
    from giftcard_gateway.http.webhooks import WebhookEdge
    from giftcard_gateway.journal.contract import Journal
    from giftcard_gateway.journal.notes import AuditRow
    from giftcard_gateway.pipeline.retention import Retention
    from giftcard_gateway.rpc.local import Handlers
    from giftcard_gateway.telemetry import Telemetry

_log = logging.getLogger(__name__)
_LAST_WORD_S = 1.0
"""What is left of the drain when callers who still wait are answered with the present state."""


class App:
    """One gateway process: assembled by the constructor, alive between `start` and `stop`."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        telemetry: Telemetry,
        *,
        name: str,
        signing_in: SigningIn | None = None,
        journal: Journal | None = None,
        connections: Connections | None = None,
        origin: SettingsOrigin | None = None,
    ) -> None:
        """Put the parts together; nothing is opened yet. `name` tells this process from its replicas.

        `journal` and `connections` take the place of those that the settings name. With an `origin` the
        settings are read again from there when it is asked for.
        """
        self.settings = settings
        self.clock = clock
        self.telemetry = telemetry
        self.cell = cell_of(settings)
        self.journal = journal or open_journal(settings.journal)
        self.connections = connections or _connections(settings, clock, telemetry)
        self.router = Router(settings.rules(), settings.routing.default)
        self.seal = open_seal(settings, clock)
        self.trail = Trail(self.journal, self.seal, clock, name=name, copy=self._copy_audit)
        self.pipeline = assemble(
            name=name,
            journal=self.journal,
            seal=self.seal,
            connections=self.connections,
            router=self.router,
            clock=clock,
            observer=telemetry.observer,
            keeps_numbers=settings.journal.keeps_numbers,
        )
        self.pauses = Pauses(self.journal, self.connections, clock)
        self.pipeline.transactions.reviews_within = settings.access.reviews_within
        self.keys_in_use = KeysInUse(self.journal, self.seal, settings.seal.do_without)
        self.measuring = self._measuring()
        self.signing_in = signing_in or open_signing_in(settings, self._keys(), clock)
        self.admission = _admission(settings, clock)
        self.dependencies = self._dependencies()
        self.scrapes = self._scrapes()
        self.webhooks = None if settings.webhooks.listen is None else self._webhooks()
        served = handlers(self.dependencies)
        self.server = Server(
            settings.server, served, service_names(), guard=self._guard(), cell=settings.server.cell
        )
        listen = settings.console.listen
        self.console = None if listen is None else self._console(listen, served)
        self.readiness = self._readiness()
        self.measuring.watch(self.server, self.admission, self.readiness)
        self.reloading = None if origin is None else Reloading(self, origin)
        self._background: list[asyncio.Task[None]] = []

    def _keys(self) -> Journal:
        """Return the journal that API keys are read from, beside whoever has it open."""
        is_elsewhere = self.cell is not None and self.cell.name != DEFAULT_CELL
        return open_journal(self.settings.keys_at) if is_elsewhere else self.journal

    def _guard(self) -> Guard:
        """Return what stands before reflection and the other services that are not ours."""
        return Guard(
            self.signing_in,
            self.dependencies.shares,
            self.admission,
            self.telemetry.observer,
            machines=self.dependencies.machines,
            open_reflection=self.settings.access.open_reflection,
        )

    def _readiness(self) -> Readiness:
        """Return what says whether calls may come."""
        return Readiness(
            journal=self.journal,
            heartbeat=self.pipeline.heartbeat,
            server=self.server,
            admission=self.admission,
            clock=self.clock,
            observer=self.telemetry.observer,
        )

    def _measuring(self) -> Measuring:
        """Return what keeps the gauges."""
        return Measuring(
            self.telemetry,
            self.clock,
            journal=self.journal,
            connections=self.connections,
            pipeline=self.pipeline,
            keys_in_use=self.keys_in_use,
        )

    def _scrapes(self) -> ScrapeEdge | None:
        """Return the edge for Prometheus, where it scrapes; only then is an HTTP server loaded for it."""
        if self.telemetry.scraping is None:
            return None
        from giftcard_gateway.http.scraping import ScrapeEdge  # noqa: PLC0415 - see above

        return ScrapeEdge(self.telemetry.scraping)

    def _webhooks(self) -> WebhookEdge:
        """Return the edge for providers' events; only who has one waits for an HTTP server to be loaded."""
        from giftcard_gateway.http.webhooks import WebhookEdge  # noqa: PLC0415 - see above

        return WebhookEdge(
            self.settings.webhooks,
            connections=self.connections,
            events=self.pipeline.events,
            clock=self.clock,
            observer=self.telemetry.observer,
            ipv6_prefix=self.settings.limits.ipv6_prefix,
            cell=self.cell,
        )

    def _console(self, listen: str, served: Handlers) -> ConsoleEdge:
        """Return the page for people; only who has one waits for a server and templates to be loaded."""
        from giftcard_gateway.http.console.edge import ConsoleEdge  # noqa: PLC0415 - see above
        from giftcard_gateway.rpc.local import LocalCalls  # noqa: PLC0415 - see above

        return ConsoleEdge(
            self.settings.console,
            listen,
            calls=LocalCalls(served),
            signing_in=self.signing_in,
            clock=self.clock,
            observer=self.telemetry.observer,
        )

    def _dependencies(self) -> Dependencies:
        """Return what the services work with."""
        limits, indexes = self.settings.limits, self.pipeline.records.indexes
        return Dependencies(
            transactions=self.pipeline.transactions,
            connections=self.connections,
            router=self.router,
            records=self.pipeline.records,
            events=self.pipeline.events,
            reconciliation=self.pipeline.reconciliation,
            clock=self.clock,
            telemetry=self.telemetry,
            pauses=self.pauses,
            machines=Machines(self.settings.server.trusted_proxies),
            signing_in=self.signing_in,
            trail=self.trail,
            shares=Shares(limits, self.clock),
            cell=self.cell,
            guesses=Guesses(limits, self.clock, indexes),
            admission=self.admission,
        )

    async def start(self) -> None:
        """Open the journal, listen, and begin to finish what was left open.

        Raises SchemaUnknown, JournalBusy, JournalClosed, TenantMoved, CellUnread,
        KeysUnknown or PortTaken, with a sentence each.
        """
        for warning in exposure.warnings(self.settings):
            _log.warning(warning)
        await self.journal.start()
        if self.cell is not None:
            await must_be_at_home(self.journal, self.settings, self.cell)
        await self.keys_in_use.must_be_known()
        await self.trail.start()
        # Before any call: what is approved without knowing of earlier outages would be put off for them all.
        await self.pipeline.heartbeat.beat()
        await self.pauses.read()
        if self.signing_in.keys is not None:
            await self.signing_in.keys.read()
        await self.server.start()
        if self.webhooks is not None:
            await self.webhooks.start(is_port_shared=self.settings.server.workers > 1)
        if self.console is not None:
            await self.console.start()
        if self.scrapes is not None:
            await self.scrapes.start()
        self._background = [
            asyncio.create_task(self.admission.run()),
            asyncio.create_task(self.pipeline.recovery.run()),
            asyncio.create_task(self.pipeline.events.run()),
            asyncio.create_task(self.measuring.run()),
            asyncio.create_task(self.measuring.wake()),
            asyncio.create_task(self.readiness.run()),
            asyncio.create_task(self.trail.run()),
            asyncio.create_task(self.pauses.run()),
        ]
        if passes := self._hourly():
            hourly = every_hour(passes, self.clock, self.telemetry.observer)
            self._background.append(asyncio.create_task(hourly))
        if self.reloading is not None:
            self._background.append(asyncio.create_task(self.reloading.run()))
        if self.signing_in.keys is not None:
            self._background.append(asyncio.create_task(self.signing_in.keys.run()))
        await self.server.serve()

    async def leave(self, hurried: asyncio.Event) -> None:
        """Have callers sent elsewhere, and serve those who come yet, for `server.lame_duck_s` at most.

        Returns when the time is over, or at once when `hurried` is set. Health never says SERVING again.
        """
        if (lame_duck_s := self.settings.server.lame_duck_s) and not hurried.is_set():
            await self.server.leave()
            _log.info("stopping: calls are served for %g s yet, and health says NOT_SERVING", lame_duck_s)
            with suppress(TimeoutError):
                async with asyncio.timeout(lame_duck_s):
                    await hurried.wait()

    async def stop(self) -> None:
        """Refuse new work, let money work in flight finish and be recorded, and put everything away."""
        drain_s = self.settings.server.drain_s
        self.admission.close()
        await self.server.pause()
        # gRPC ends what is left with UNAVAILABLE, which no money call may hear once it was sent (rule 15).
        last_word = asyncio.get_running_loop().call_later(
            drain_s - min(_LAST_WORD_S, drain_s / 2), self.pipeline.transactions.release
        )
        await self.server.drain(drain_s, self.admission.empty())
        last_word.cancel()
        if self.webhooks is not None:
            await self.webhooks.stop()
        if self.console is not None:
            await self.console.stop()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self.pipeline.driver.drain(drain_s)
        for connection in self.connections:
            await connection.provider.exchange.aclose()
        if self.reloading is not None:
            await self.reloading.close()
        await self.signing_in.close()
        await self.trail.close()
        await self.journal.close()
        if self.scrapes is not None:
            await self.scrapes.stop()

    def _copy_audit(self, row: AuditRow) -> None:
        if self.telemetry.audit_logs.is_on:
            self.telemetry.audit_logs.tell(exported(row), at_ns=to_us(row.at) * 1000)

    def _hourly(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """Return what is done to the journal once an hour."""
        passes: dict[str, Callable[[], Awaitable[None]]] = {"tend": self._tend}
        if (retention := self.pipeline.retention) is not None:
            passes["retention"] = partial(self._erase, retention)
        if self.settings.journal.purges:
            passes["purge"] = self._purge
        return passes

    async def _tend(self) -> None:
        await self.journal.tend(self.clock.now())

    async def _erase(self, retention: Retention) -> None:
        await must_not_be_ahead(self.journal, self.clock)
        done, before = Erasure(), retention.before()
        try:
            await retention.round(done)
        finally:
            self._tell_gone(NUMBERS_ERASED, before, done.erased)

    async def _purge(self) -> None:
        await must_not_be_ahead(self.journal, self.clock)
        before = self.clock.now() - timedelta(days=self.settings.journal.retention_days)
        await purge(self.journal, before, self.clock, partial(self._tell_gone, PURGED, before))

    def _tell_gone(self, act: str, before: datetime, count: int) -> None:
        if count:
            about = f"finished before {before:%Y-%m-%d}"
            self.trail.tell(AuditRecord(at=self.clock.now(), act=act, count=count, about=about))


def _admission(settings: Settings, clock: Clock) -> Admission:
    server = settings.server
    return Admission(
        server.max_concurrent_calls, server.max_streams, at_once=server.calls_at_once, clock=clock
    )


def _connections(settings: Settings, clock: Clock, telemetry: Telemetry) -> Connections:
    return Connections(
        connect(provider_id, stanza, clock, telemetry) for provider_id, stanza in settings.providers.items()
    )
