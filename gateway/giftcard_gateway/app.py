"""The assembly: every part made once, in order, handed what it needs, and put away in reverse.

Reads like a recipe on purpose. Tests assemble the same parts with other ingredients.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from giftcard_adapters.stanza import find_adapter, open_provider
from giftcard_adapters.transport import open_transport
from giftcard_gateway.connections import Connection, Connections
from giftcard_gateway.driver import Driver
from giftcard_gateway.journal.stores import open_journal
from giftcard_gateway.records import Records
from giftcard_gateway.recovery import Recovery
from giftcard_gateway.routing import Router
from giftcard_gateway.seal import Seal
from giftcard_gateway.server import Server
from giftcard_gateway.services import Bundle, handlers, service_names
from giftcard_gateway.transactions import Transactions

if TYPE_CHECKING:
    from giftcard_gateway.clock import Clock
    from giftcard_gateway.config.settings import Provider as ProviderSettings
    from giftcard_gateway.config.settings import Settings
    from giftcard_gateway.journal.journal import Journal
    from giftcard_gateway.telemetry import Telemetry


class App:
    """One gateway process: assembled by the constructor, alive between `start` and `stop`."""

    def __init__(self, settings: Settings, clock: Clock, telemetry: Telemetry, *, name: str) -> None:
        """Put the parts together; nothing is opened yet. `name` tells this process from its replicas."""
        self.settings = settings
        self.journal: Journal = open_journal(settings.journal)
        self.connections = Connections(
            _connection(provider_id, stanza, clock, telemetry)
            for provider_id, stanza in settings.providers.items()
        )
        records = Records(self.journal, _seal(settings, clock))
        router = Router(settings.rules(), settings.routing.default)
        self.driver = Driver(
            name=name,
            records=records,
            connections=self.connections,
            router=router,
            clock=clock,
            observer=telemetry.observer,
        )
        self.recovery = Recovery(
            records=records,
            connections=self.connections,
            driver=self.driver,
            clock=clock,
            observer=telemetry.observer,
        )
        transactions = Transactions(
            records=records,
            connections=self.connections,
            router=router,
            driver=self.driver,
            clock=clock,
            observer=telemetry.observer,
        )
        self.bundle = Bundle(
            transactions=transactions,
            connections=self.connections,
            router=router,
            records=records,
            clock=clock,
            telemetry=telemetry,
        )
        self.server = Server(settings.server, handlers(self.bundle), service_names())
        self._sweep: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the journal, listen, and begin to finish what was left open.

        Raises SchemaUnknown, JournalBusy, JournalClosed or PortTaken, each with a sentence.
        """
        await self.journal.start()
        await self.server.start()
        self._sweep = asyncio.create_task(self.recovery.run())
        await self.server.serve()

    async def stop(self) -> None:
        """Refuse new work, let money work in flight finish and be recorded, and put everything away."""
        drain_s = self.settings.server.drain_s
        await self.server.pause()
        await self.server.drain(drain_s)
        if self._sweep is not None:
            self._sweep.cancel()
            with suppress(asyncio.CancelledError):
                await self._sweep
        await self.driver.drain(drain_s)
        for connection in self.connections:
            await connection.provider.exchange.aclose()
        await self.journal.close()


def _seal(settings: Settings, clock: Clock) -> Seal:
    return Seal(
        keys=settings.seal.key_bytes(),
        active=settings.seal.active,
        hash_key=settings.seal.hash_key_bytes(),
        random_bytes=clock.random_bytes,
    )


def _connection(provider_id: str, stanza: ProviderSettings, clock: Clock, telemetry: Telemetry) -> Connection:
    transport = open_transport(stanza.engine, limits=stanza.limits, tls=stanza.tls)
    provider = open_provider(
        find_adapter(stanza.adapter),
        stanza.settings,
        transport=telemetry.traced(transport, provider_id),
        moment=clock.moment,
    )
    return Connection(provider_id, provider, stanza.terms, clock, is_enabled=stanza.enabled)
