"""Providers that an operator paused: nothing new goes to them, and all that is open goes on to its end.

A pause stands in the journal, so that every process keeps it within a second, and after a restart too.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from giftcard_gateway.journal.notes import PauseRow
from giftcard_gateway.journal.reread import keep_reading
from giftcard_gateway.providers.pause import ProviderPause

if TYPE_CHECKING:
    from collections.abc import Sequence

    from giftcard_gateway.clock import Clock
    from giftcard_gateway.journal.contract import Journal
    from giftcard_gateway.providers.connections import Connection, Connections

_log = logging.getLogger(__name__)


_DECODE = msgspec.json.Decoder(ProviderPause).decode


class Pauses:
    """The pauses of all providers, as the journal has them."""

    def __init__(self, journal: Journal, connections: Connections, clock: Clock) -> None:
        """Know of none before `read`."""
        self._journal = journal
        self._connections = connections
        self._clock = clock
        self._documents: dict[str, bytes] = {}
        self._pauses: dict[str, ProviderPause] = {}
        # One at a time: what was read before a pause was written must not be taken for what is said since.
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Keep the connections paused that should be, until cancelled."""
        await keep_reading(self.read, self._clock, _log, "pauses of providers")

    async def read(self) -> None:
        """Read once; raise JournalClosed."""
        async with self._turn:
            await self._read()

    async def _read(self) -> None:
        rows = await self._journal.pauses()
        documents = {row.provider: row.document for row in rows}
        if documents != self._documents:
            self._pauses, self._documents = _in_force(rows), documents
        self.heed()

    def heed(self) -> None:
        """Keep those connections paused of which that was read last; one may be new since, by a reload."""
        for connection in self._connections:
            self._set(connection, self._pauses.get(connection.provider_id))

    async def pause(self, connection: Connection, *, by: str, note: str) -> bool:
        """Send nothing new to a provider; one that is paused stays so as it is. Tell whether it was not.

        Raises JournalClosed.
        """
        async with self._turn:
            await self._read()
            if connection.provider_id in self._pauses:
                return False
            await self._put(connection, ProviderPause(since=self._clock.now(), by=by, note=note))
            return True

    async def resume(self, connection: Connection) -> bool:
        """Send to a provider again; tell whether it was paused. Raises JournalClosed."""
        async with self._turn:
            await self._read()
            if (pause := self._pauses.get(connection.provider_id)) is None:
                return False
            await self._put(connection, msgspec.structs.replace(pause, until=self._clock.now()))
            return True

    async def _put(self, connection: Connection, pause: ProviderPause) -> None:
        row = PauseRow(provider=connection.provider_id, document=msgspec.json.encode(pause))
        await self._journal.put_pause(row)
        await self._read()

    def _set(self, connection: Connection, pause: ProviderPause | None) -> None:
        if pause == connection.pause:
            return
        connection.pause = pause
        about = {"provider": connection.provider_id}
        if pause is None:
            _log.info("the provider takes new transactions again", extra=about)
        else:
            _log.warning("the provider is paused: nothing new goes to it", extra=about | {"by": pause.by})


def _in_force(rows: Sequence[PauseRow]) -> dict[str, ProviderPause]:
    pauses = {row.provider: _pause_in(row) for row in rows}
    return {provider: pause for provider, pause in pauses.items() if pause.until is None}


def _pause_in(row: PauseRow) -> ProviderPause:
    """Return what a row says; where nobody can tell, the provider is paused until somebody says more."""
    try:
        pause = _DECODE(row.document)
        if pause.since.tzinfo is not None:
            return pause
    except (ValueError, msgspec.MsgspecError):
        pass
    _log.error(
        "what is said of a provider's pause is damaged: it is paused", extra={"provider": row.provider[:63]}
    )
    return ProviderPause(since=datetime.fromtimestamp(0, UTC), by="", note="What was said of it is damaged.")
