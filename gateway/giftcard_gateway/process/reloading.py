"""Takes a changed configuration while serving, whole or not at all.

It is read and checked as at a start, and everything that is new is made, before anything is changed; then all
of it changes between two turns of the event loop. Who holds a connection to a provider goes on with it: it
is closed once nobody does. What is promised is delivered by the connection of the day.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING

from giftcard_gateway.audit.records import CONFIG_REFUSED, CONFIG_RELOADED, AuditRecord
from giftcard_gateway.config.changes import changed, fixed, taken
from giftcard_gateway.config.origin import RereadRefused, Watch
from giftcard_gateway.journal.contract import JournalClosed
from giftcard_gateway.process.connecting import connect, described

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from giftcard_adapters.exchange import Exchange
    from giftcard_gateway.config import Settings
    from giftcard_gateway.config.origin import SettingsOrigin
    from giftcard_gateway.process.app import App
    from giftcard_gateway.process.connecting import Described
    from giftcard_gateway.providers.connections import Connection

_log = logging.getLogger(__name__)
_MOST_TOLD = 1000
"""Characters of what changed, or why not, in a record of the audit."""


class Reloading:
    """Reads the configuration of one process again when it is asked to, or when its files changed."""

    def __init__(self, app: App, origin: SettingsOrigin) -> None:
        """Begin with what the process was started with."""
        self._app = app
        self._origin = origin
        self._in_force = origin.as_read
        self._made_from: Mapping[str, Described] = {
            name: described(stanza) for name, stanza in origin.as_read.providers.items()
        }
        self._watch = Watch((origin.file,))
        server = origin.as_read.server
        # Of several workers the one who started them looks, and asks all of them at once.
        self._watch_s = server.watch_s if server.workers == 1 else 0.0
        self._asked = asyncio.Event()
        self._left: set[Exchange] = set()
        """Of connections that others took the place of, while somebody still holds those."""
        self._closing: set[asyncio.Task[None]] = set()

    def ask(self) -> None:
        """Have it read again soon."""
        self._asked.set()

    async def run(self) -> None:
        """Read again whenever there is a reason to, until cancelled."""
        if self._watch_s:
            await self._look_once()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._watch_s or None):
                    await self._asked.wait()
            if self._asked.is_set() or self._watch.has_changed():
                self._asked.clear()
                await self._try()

    async def _look_once(self) -> None:
        """Learn which files there are to look at; whatever changed since the start is a change."""
        try:
            found = await asyncio.to_thread(self._origin.read)
        except RereadRefused:
            self.ask()  # it says what is wrong, and learns where that is mended
            return
        self._watch.took(found.seen)
        if changed(self._in_force, found.settings):
            self.ask()

    async def _try(self) -> None:
        try:
            await self.reload()
        except Exception as fault:  # noqa: BLE001 - whatever fails, what was in force stays so
            self._app.telemetry.observer.faulted("reload", fault)
            self._watch.took()

    async def reload(self) -> None:
        """Read once, and take it or refuse it."""
        try:
            found = await asyncio.to_thread(self._origin.read, self._watch.files)
        except RereadRefused as fault:
            self._watch.took(fault.seen)
            self._refuse(fault.sentences)
            return
        self._watch.took(found.seen)
        after = found.settings
        made_from: dict[str, Described] = {}
        made: dict[str, Connection] = {}
        faults = [*fixed(self._in_force, after), *await self._vanished(after)]
        for name, stanza in () if faults else after.providers.items():
            try:
                made_from[name] = described(stanza)
                if made_from[name] != self._made_from.get(name):
                    made[name] = connect(name, stanza, self._app.clock, self._app.telemetry)
            except OSError:
                faults.append(f"providers.{name}.tls has a file that cannot be used any more")
        if faults:
            self._refuse(faults)
            return
        told = changed(self._in_force, after) + [
            f"providers.{name}.tls"
            for name in made
            if name in self._made_from and made_from[name].stanza == self._made_from[name].stanza
        ]
        if told:
            self._take(after, made)
            self._made_from = made_from
        self._tell(told)

    def _take(self, after: Settings, made: Mapping[str, Connection]) -> None:
        """Change everything. Nothing else runs meanwhile, and nothing here can fail."""
        app, before = self._app, {one.provider_id: one for one in self._app.connections}
        for name, connection in made.items():
            if name in before:
                connection.follow(before[name])
            else:
                connection.on_left_out = app.telemetry.observer.left_out
        app.connections.renew(made.get(name) or before[name] for name in after.providers)
        # One that left while it was paused, and comes again, is paused before anything is sent to it.
        app.pauses.heed()
        app.router.renew(after.rules(), after.routing.default)
        app.dependencies.shares.renew(after.limits)
        app.dependencies.guesses.renew(after.limits)
        app.signing_in.renew(after.access.certificates, after.limits)
        app.measuring.expect()
        app.settings = taken(app.settings, after)
        self._in_force = after
        for name, connection in before.items():
            if name in made or name not in after.providers:
                self._leave(connection)

    def _leave(self, connection: Connection) -> None:
        """Close what a connection has open once nobody holds it any more."""
        exchange, loop = connection.provider.exchange, asyncio.get_running_loop()
        self._left.add(exchange)

        def close() -> None:
            closing = loop.create_task(self._close(exchange))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

        # It may be let go of by the garbage collector, which runs on any thread.
        weakref.finalize(connection, _on_loop, loop, close).atexit = False

    async def _close(self, exchange: Exchange) -> None:
        self._left.discard(exchange)
        await exchange.aclose()

    async def close(self) -> None:
        """Close what is still open of connections that others took the place of."""
        for exchange in tuple(self._left):
            await self._close(exchange)

    async def _vanished(self, after: Settings) -> Sequence[str]:
        """Say which providers cannot leave the configuration yet."""
        app = self._app
        gone = [one for one in app.connections if one.provider_id not in after.providers]
        if not gone:
            return ()
        try:
            backlog = await app.journal.backlog()
        except JournalClosed:
            return [f"providers.{gone[0].provider_id} cannot leave while the journal is away"]
        faults = []
        for one in gone:
            count = sum(each.count for each in backlog if each.provider == one.provider_id)
            if one.is_enabled:
                faults.append(
                    f"providers.{one.provider_id} cannot leave while it is switched on:"
                    " first set enabled = false, and let it end what is open"
                )
            elif count or one.in_flight or one.reads_in_flight:
                open_now = max(count, one.in_flight + one.reads_in_flight)
                faults.append(
                    f"providers.{one.provider_id} cannot leave while something of it is open ({open_now}"
                    " now): leave it in, with enabled = false"
                )
        return faults

    def _tell(self, told: Sequence[str]) -> None:
        metrics = self._app.telemetry.metrics
        if not told:
            metrics.reloaded("unchanged")
            _log.info("the configuration was read again, and nothing in it is new")
            return
        metrics.reloaded("applied")
        _log.info("the configuration was read again and is in force", extra={"changed": ", ".join(told)})
        self._record(CONFIG_RELOADED, ", ".join(told))

    def _refuse(self, sentences: Sequence[str]) -> None:
        why = "; ".join(sentences)
        self._app.telemetry.metrics.reloaded("refused")
        _log.error("the configuration was read again and refused: the one before stays", extra={"why": why})
        self._record(CONFIG_REFUSED, why)

    def _record(self, act: str, about: str) -> None:
        self._app.trail.tell(AuditRecord(at=self._app.clock.now(), act=act, about=about[:_MOST_TOLD]))


def _on_loop(loop: asyncio.AbstractEventLoop, work: object) -> None:
    with suppress(RuntimeError):  # the loop has ended, and what was open with it
        loop.call_soon_threadsafe(work)  # type: ignore[arg-type]  # what `finalize` passes on has no type
