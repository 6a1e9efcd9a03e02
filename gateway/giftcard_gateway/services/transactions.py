"""TransactionService: reads, lists and watches transactions, and ends them by an operator's word.

What a filter takes is in `filters`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from giftcard import v1
from giftcard_gateway.errors import InvalidRequest, OperationUnsupported, ProviderNotFound, ShuttingDown
from giftcard_gateway.ledger.entry import State, StateChange
from giftcard_gateway.services.filters import Filter
from giftcard_gateway.services.later_texts import refuse_card_data
from giftcard_gateway.services.pages import key_of, size_of, token_of
from giftcard_gateway.wire.own_secrets import mask_echoes
from giftcard_gateway.wire.progress import progress_to
from giftcard_gateway.wire.transactions import cards_of, change_to, transaction_to
from giftcard_gateway.wire.values import seconds_from, time_from

if TYPE_CHECKING:
    from giftcard_gateway.journal.contract import Change
    from giftcard_gateway.ledger.entry import Entry
    from giftcard_gateway.rpc.call import RpcCall
    from giftcard_gateway.rpc.handlers import Implementation
    from giftcard_gateway.services.dependencies import Dependencies

_LONGEST_WAIT_S = 60.0
_BATCH = 128
"""Rows one query reads, whatever the page's size: ten milliseconds of decryption between two yields."""
_BUDGET = 4096
"""Rows one page may look at; a filter that takes few of them gets a short page and a token."""
_PAGE_BYTES = 3 * 1024 * 1024
"""Where a page ends, whatever its size: gRPC clients refuse messages above 4 MiB unless told otherwise."""
_FRAME = 8
"""Bytes that a message costs inside another, at most."""
_CHANGES = 200
_EARLIEST = datetime.min.replace(tzinfo=UTC)
_TICK_S = 1.0
"""How often an idle stream looks whether the process drains."""
_STATES = {
    v1.Resolution.RESOLUTION_CONFIRMED: State.CONFIRMED,
    v1.Resolution.RESOLUTION_REVERSED: State.REVERSED,
}


class Page:
    """The transactions of one answer, as many as its size and the bytes of a message allow."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._bytes = 0
        self._answer = v1.ListTransactionsResponse()

    @property
    def is_full(self) -> bool:
        """Tell whether it has as many transactions as were asked for."""
        return len(self._answer.transactions) == self.size

    def add(self, one: v1.Transaction) -> bool:
        """Take a transaction; False when it does not fit any more. The first always fits."""
        taken = self._answer.transactions
        size = one.ByteSize() + _FRAME
        if self.is_full or (taken and self._bytes + size > _PAGE_BYTES):
            return False
        taken.append(one)
        self._bytes += size
        return True

    def ending(self, token: str) -> v1.ListTransactionsResponse:
        """Return the answer, with the token of the next page or none."""
        self._answer.next_page_token = token
        return self._answer


class TransactionReads:
    """The calls of TransactionService."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._transactions = dependencies.transactions
        self._records = dependencies.records
        self._connections = dependencies.connections

    def calls(self) -> dict[str, Implementation]:
        """Return the implementations by the name of the RPC."""
        return {
            "GetTransaction": self.get,
            "ListTransactions": self.page,
            "WatchTransactions": self.watch,
            "ResolveTransaction": self.resolve,
            "ReviewResolution": self.review,
            "RedeliverAdvice": self.redeliver,
        }

    async def get(self, request: v1.GetTransactionRequest, call: RpcCall) -> v1.GetTransactionResponse:
        """Tell how a transaction stands, at once or when it has settled."""
        longest_s = min(seconds_from(request.wait), _LONGEST_WAIT_S)
        entry = await self._transactions.get(
            request.transaction_id.lower(), wait_s=call.wait_s(longest_s), by=call.identity
        )
        told = transaction_to(entry)
        told.progress.CopyFrom(progress_to(entry, self._window_s(entry)))
        mask_echoes(told.progress, cards_of(entry))
        return v1.GetTransactionResponse(transaction=told)

    def _window_s(self, entry: Entry) -> float | None:
        """Return how long the provider takes a reversal; None without an end, or where none is configured."""
        try:
            return self._connections.get(entry.provider).traits(entry.operation).reversal_window_s
        except (ProviderNotFound, OperationUnsupported):
            return None

    async def page(self, request: v1.ListTransactionsRequest, call: RpcCall) -> v1.ListTransactionsResponse:
        """List a page of transactions, newest first; it ends early when its budget is used up."""
        wanted = Filter(request.filter, self._records, call.identity)
        page = Page(size_of(request.page_size))
        batch = min(page.size + 1, _BATCH) if wanted.is_exact else _BATCH
        after = key_of(request.page_token, wanted.fingerprints)
        for _ in range(_BUDGET // _BATCH):
            entries = await self._records.list(wanted.query(after=after, limit=batch))
            for entry in entries:
                if page.is_full or (wanted.takes(entry) and not page.add(transaction_to(entry))):
                    return page.ending(token_of(after, wanted.fingerprints[0]) if after else "")
                after = entry.created_at, entry.transaction_id
            if len(entries) < batch:
                return page.ending("")
            if page.is_full:
                break
            # A batch may have taken milliseconds of the event loop: other calls have their turn now.
            await asyncio.sleep(0)
        return page.ending(token_of(after, wanted.fingerprints[0]) if after else "")

    async def watch(
        self, request: v1.WatchTransactionsRequest, call: RpcCall
    ) -> AsyncIterator[v1.WatchTransactionsResponse]:
        """Stream changes of state; ends when the process drains, and the cursor goes on elsewhere."""
        wanted = Filter(request.filter, self._records, call.identity)
        journal = self._records.journal
        is_at = request.WhichOneof("start") == "start_time"
        cursor = request.cursor
        if not cursor and not is_at:
            cursor = await journal.last_cursor()
        since = time_from(request.start_time) if is_at else _EARLIEST
        while not call.is_ending:
            changes = await self._changes(cursor, call.identity.only_tenant)
            for change in changes:
                cursor = change.cursor
                is_news = change.at >= since and not change.damaged
                entry = await self._records.show(change.transaction_id) if is_news else None
                if entry is not None and wanted.takes(entry, state=State(change.state)):
                    yield _told(entry, change)
            if not changes:
                await journal.wait_changed(_TICK_S)
        raise ShuttingDown

    async def _changes(self, cursor: str, tenant: str | None) -> Sequence[Change]:
        try:
            return await self._records.changes(after=cursor, limit=_CHANGES, tenant=tenant)
        except ValueError:
            raise InvalidRequest([("cursor", "is not a cursor this stream gave")]) from None

    async def resolve(
        self, request: v1.ResolveTransactionRequest, call: RpcCall
    ) -> v1.ResolveTransactionResponse:
        """End an UNRESOLVED transaction by an operator's word."""
        await refuse_card_data(self._records, call.identity, request)
        entry = await self._transactions.resolve(
            request.transaction_id.lower(),
            state=_STATES[request.resolution],
            note=request.note,
            by=call.identity,
        )
        return v1.ResolveTransactionResponse(transaction=transaction_to(entry))

    async def review(self, request: v1.ReviewResolutionRequest, call: RpcCall) -> v1.ReviewResolutionResponse:
        """Approve or refuse, as a second person, an end by hand."""
        await refuse_card_data(self._records, call.identity, request)
        entry = await self._transactions.review(
            request.transaction_id.lower(),
            state=_STATES[request.resolution],
            approves=request.review == v1.Review.REVIEW_APPROVED,
            note=request.note,
            by=call.identity,
        )
        return v1.ReviewResolutionResponse(transaction=transaction_to(entry))

    async def redeliver(
        self, request: v1.RedeliverAdviceRequest, call: RpcCall
    ) -> v1.RedeliverAdviceResponse:
        """Try at once what a transaction owes."""
        await refuse_card_data(self._records, call.identity, request)
        entry = await self._transactions.redeliver(
            request.transaction_id.lower(), wait_s=call.wait_s(), by=call.identity, note=request.note
        )
        return v1.RedeliverAdviceResponse(transaction=transaction_to(entry))


def _told(entry: Entry, change: Change) -> v1.WatchTransactionsResponse:
    known = [one for one in entry.changes if one.state == change.state and one.at == change.at]
    step = known[-1] if known else StateChange(state=State(change.state), at=change.at, cause="")
    told = change_to(step)
    mask_echoes(told, cards_of(entry))
    return v1.WatchTransactionsResponse(transaction=transaction_to(entry), change=told, cursor=change.cursor)
