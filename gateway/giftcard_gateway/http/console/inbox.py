"""The inbox: what needs a person, with the least time left first.

UNRESOLVED needs one by its nature. What is owed for longer than `overdue_s` is told too, for somebody should
know why: a provider that does not answer, a process that is gone, a promise past its time.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from giftcard import v1
from giftcard_gateway.http.console.providers import read_providers
from giftcard_gateway.http.console.rows import ListedTransaction, row_of, windows_of
from giftcard_gateway.http.console.words import time_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web

    from giftcard_gateway.http.console.visits import Visit

_MOST = 200
"""Lines of each kind; the rest is found by a search."""
_MOST_PAGES = 5
"""Pages read for them: a page may be short."""
_OWED = (
    v1.TransactionState.TRANSACTION_STATE_PENDING,
    v1.TransactionState.TRANSACTION_STATE_CONFIRMING,
    v1.TransactionState.TRANSACTION_STATE_REVERSING,
)
_LATEST = datetime.max.replace(tzinfo=UTC)
_ORDERS: dict[str, Callable[[ListedTransaction], Any]] = {
    "window": lambda row: (row.window_end_at or _LATEST, row.created_at),
    "age": lambda row: row.created_at,
    "amount": lambda row: -row.worth,
    "provider": lambda row: (row.provider, row.created_at),
    "reason": lambda row: (row.state, row.reason, row.created_at),
}


async def show_inbox(visit: Visit) -> web.Response:
    """Show what needs a person."""
    providers = await read_providers(visit)
    windows = windows_of(providers)
    unresolved, is_more = await _read(visit, [v1.TransactionState.TRANSACTION_STATE_UNRESOLVED], overdue_s=0)
    owed, is_more_owed = await _read(visit, _OWED, overdue_s=visit.settings.overdue_s)
    order = visit.request.query.get("sort", "")
    order = order if order in _ORDERS else "window"
    rows = [row_of(visit, one, windows) for one in (*unresolved, *owed)]
    rows.sort(key=_ORDERS[order])
    return visit.page(
        "inbox.html",
        rows=rows,
        order=order,
        orders=list(_ORDERS),
        is_more=is_more or is_more_owed,
        most=_MOST,
        unresolved_count=sum(one.unresolved_count for one in providers),
    )


async def _read(
    visit: Visit, states: Sequence[v1.TransactionState.ValueType], *, overdue_s: float
) -> tuple[list[v1.Transaction], bool]:
    """Return the transactions in some states that have not moved for so long, and whether there are more."""
    before = visit.now - timedelta(seconds=overdue_s)
    wanted = v1.TransactionFilter(states=states)
    if overdue_s:
        wanted.created_before.FromDatetime(before)
    found: list[v1.Transaction] = []
    token = ""
    for _ in range(_MOST_PAGES):
        page = await visit.call(
            "ListTransactions",
            v1.ListTransactionsRequest(filter=wanted, page_size=_MOST, page_token=token),
        )
        found += [one for one in page.transactions if (time_of(one.update_time) or before) <= before]
        if not (token := page.next_page_token) or len(found) >= _MOST:
            break
    return found[:_MOST], bool(token) or len(found) > _MOST
