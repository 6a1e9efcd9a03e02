"""EventService: the events that providers' webhooks brought, as a resumable stream."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from giftcard import v1
from giftcard_gateway.errors import InvalidRequest, RecordAltered, ShuttingDown
from giftcard_gateway.services.reads import reached
from giftcard_gateway.wire.reports import event_to
from giftcard_gateway.wire.values import time_from

if TYPE_CHECKING:
    from collections.abc import Sequence

    from giftcard_gateway.journal.contract import EventRow
    from giftcard_gateway.rpc.call import RpcCall
    from giftcard_gateway.rpc.handlers import Implementation
    from giftcard_gateway.services.dependencies import Dependencies

_BATCH = 200
_EARLIEST = datetime.min.replace(tzinfo=UTC)
_TICK_S = 1.0
"""How often an idle stream looks whether the process drains."""


class EventStreams:
    """Streams webhook events; resumable by cursor."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._connections = dependencies.connections
        self._journal = dependencies.records.journal
        self._events = dependencies.events

    def calls(self) -> dict[str, Implementation]:
        """Return the implementations by the name of the RPC."""
        return {"StreamEvents": self.stream}

    async def stream(
        self, request: v1.StreamEventsRequest, call: RpcCall
    ) -> AsyncIterator[v1.StreamEventsResponse]:
        """Stream events; ends when the process drains, and the cursor goes on elsewhere."""
        providers = {reached(self._connections, one, call).provider_id for one in request.providers}
        may_use = call.identity.providers
        providers |= set(may_use or ()) if not providers else set()
        is_closed = may_use is not None and not may_use
        names = set(request.names)
        is_at = request.WhichOneof("start") == "start_time"
        since = time_from(request.start_time) if is_at else _EARLIEST
        cursor = request.cursor
        if not cursor and not is_at:
            cursor = await self._journal.last_event_cursor()
        while not call.is_ending:
            rows = await self._rows(cursor, providers, call.identity.only_tenant)
            for row in rows:
                cursor = row.cursor
                is_wanted = row.provider in providers if providers else not is_closed
                if is_wanted and (not names or row.name in names) and row.received_at >= since:
                    told = await self._told(row, call)
                    if told is not None:
                        yield told
            if not rows:
                await self._journal.wait_changed(_TICK_S)
        raise ShuttingDown

    async def _rows(self, cursor: str, providers: set[str], tenant: str | None) -> Sequence[EventRow]:
        only = next(iter(providers)) if len(providers) == 1 else None
        try:
            return await self._journal.events(after=cursor, limit=_BATCH, provider=only, tenant=tenant)
        except ValueError:
            raise InvalidRequest([("cursor", "is not a cursor this stream gave")]) from None

    async def _told(self, row: EventRow, call: RpcCall) -> v1.StreamEventsResponse | None:
        """Return an event as it is told, None where it may be of a transaction the caller may not touch."""
        try:
            event = self._events.open(row)
            entry = await self._events.spoken_of(row.provider, event)
        except RecordAltered:
            # Of the event or of its transaction the observer was told; it must not hold up those after it.
            return None
        if entry is not None:
            is_told = call.identity.may_touch(entry)
        else:
            is_owner = call.identity.is_of(self._connections.owner(row.provider))
            is_told = is_owner and not call.identity.is_of_some
        if not is_told:
            return None
        told = event_to(event, provider=row.provider, received_at=row.received_at, entry=entry)
        return v1.StreamEventsResponse(event=told, cursor=row.cursor)
