"""TransactionService: reading, watching, and ending by hand. What a filter takes is in `filters`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from giftcard import v1
from giftcard_gateway.errors import InvalidRequest, ShuttingDown
from giftcard_gateway.ledger.entry import Entry, State, StateChange
from giftcard_gateway.services.filters import Filter
from giftcard_gateway.services.pages import key_of, size_of, token_of
from giftcard_gateway.wire.transactions import change_to, transaction_to
from giftcard_gateway.wire.values import seconds_from, time_from

if TYPE_CHECKING:
    from giftcard_gateway.journal.contract import Change
    from giftcard_gateway.rpc.call import RpcCall
    from giftcard_gateway.rpc.handlers import Implementation
    from giftcard_gateway.services.dependencies import Dependencies

_LONGEST_WAIT_S = 60.0
_SCANNED = 5000
"""Rows one page looks at; a filter that takes few of them gets a short page and a token."""
_CHANGES = 200
_EARLIEST = datetime.min.replace(tzinfo=UTC)
_TICK_S = 1.0
"""How often an idle stream looks whether the process drains."""
_STATES = {
    v1.Resolution.RESOLUTION_CONFIRMED: State.CONFIRMED,
    v1.Resolution.RESOLUTION_REVERSED: State.REVERSED,
}


class TransactionReads:
    """Five calls about transactions of any operation."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._transactions = dependencies.transactions
        self._records = dependencies.records

    def calls(self) -> dict[str, Implementation]:
        """Return the implementations by the name of the RPC."""
        return {
            "GetTransaction": self.get,
            "ListTransactions": self.page,
            "WatchTransactions": self.watch,
            "ResolveTransaction": self.resolve,
            "RedeliverAdvice": self.redeliver,
        }

    async def get(self, request: v1.GetTransactionRequest, call: RpcCall) -> v1.GetTransactionResponse:
        """Tell how a transaction stands, at once or when it has settled."""
        longest_s = min(seconds_from(request.wait), _LONGEST_WAIT_S)
        entry = await self._transactions.get(request.transaction_id.lower(), wait_s=call.wait_s(longest_s))
        return v1.GetTransactionResponse(transaction=transaction_to(entry))

    async def page(self, request: v1.ListTransactionsRequest, _call: RpcCall) -> v1.ListTransactionsResponse:
        """List a page of transactions, newest first."""
        wanted = Filter(request.filter, self._records)
        size = size_of(request.page_size)
        after = key_of(request.page_token, wanted.fingerprint)
        found: list[Entry] = []
        for _ in range(0, _SCANNED, size):
            rows = await self._records.list(wanted.query(after=after, limit=size + 1))
            for place, entry in enumerate(rows):
                after = entry.created_at, entry.transaction_id
                if wanted.takes(entry):
                    found.append(entry)
                if len(found) == size:
                    is_last = place + 1 == len(rows) <= size
                    return self._page(found, "" if is_last else token_of(after, wanted.fingerprint))
            if len(rows) <= size:
                return self._page(found, "")
        return self._page(found, token_of(after, wanted.fingerprint) if after else "")

    def _page(self, entries: list[Entry], token: str) -> v1.ListTransactionsResponse:
        return v1.ListTransactionsResponse(
            transactions=list(map(transaction_to, entries)), next_page_token=token
        )

    async def watch(
        self, request: v1.WatchTransactionsRequest, call: RpcCall
    ) -> AsyncIterator[v1.WatchTransactionsResponse]:
        """Stream changes of state; ends when the process drains, and the cursor goes on elsewhere."""
        wanted = Filter(request.filter, self._records)
        journal = self._records.journal
        is_at = request.WhichOneof("start") == "start_time"
        cursor = request.cursor
        if not cursor and not is_at:
            cursor = await journal.last_cursor()
        since = time_from(request.start_time) if is_at else _EARLIEST
        while not call.is_ending:
            changes = await self._changes(cursor)
            for change in changes:
                cursor = change.cursor
                is_news = change.at >= since
                entry = await self._records.show(change.transaction_id) if is_news else None
                if entry is not None and wanted.takes(entry, state=State(change.state)):
                    yield _told(entry, change)
            if not changes:
                await journal.wait_changed(_TICK_S)
        raise ShuttingDown

    async def _changes(self, cursor: str) -> list[Change]:
        try:
            return list(await self._records.journal.changes(after=cursor, limit=_CHANGES))
        except ValueError:
            raise InvalidRequest([("cursor", "is not a cursor this stream gave")]) from None

    async def resolve(
        self, request: v1.ResolveTransactionRequest, _call: RpcCall
    ) -> v1.ResolveTransactionResponse:
        """End an UNRESOLVED transaction by an operator's word."""
        entry = await self._transactions.resolve(
            request.transaction_id.lower(), state=_STATES[request.resolution], note=request.note
        )
        return v1.ResolveTransactionResponse(transaction=transaction_to(entry))

    async def redeliver(
        self, request: v1.RedeliverAdviceRequest, call: RpcCall
    ) -> v1.RedeliverAdviceResponse:
        """Try at once what a transaction owes."""
        entry = await self._transactions.redeliver(request.transaction_id.lower(), wait_s=call.wait_s())
        return v1.RedeliverAdviceResponse(transaction=transaction_to(entry))


def _told(entry: Entry, change: Change) -> v1.WatchTransactionsResponse:
    known = [one for one in entry.changes if one.state == change.state and one.at == change.at]
    step = known[-1] if known else StateChange(state=State(change.state), at=change.at, cause="")
    return v1.WatchTransactionsResponse(
        transaction=transaction_to(entry), change=change_to(step), cursor=change.cursor
    )
