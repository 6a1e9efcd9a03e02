"""The inbox: what needs a person, with the least time left first.

UNRESOLVED needs one by its nature. What is owed for longer than `overdue_s` is told too, for somebody should
know why: a provider that does not answer, a process that is gone, an approval that nobody decided in time.
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
_APPROVED = v1.TransactionState.TRANSACTION_STATE_APPROVED
_EARLIEST, _LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
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
    overdue_at = visit.now - timedelta(seconds=visit.settings.overdue_s)
    unresolved, is_more = await _read(visit, [v1.TransactionState.TRANSACTION_STATE_UNRESOLVED])
    owed, is_more_owed = await _read(visit, _OWED, before=overdue_at)
    # Nobody is late before the shortest time that a provider's operation leaves; what is younger is not read.
    late, is_more_late = await _read(
        visit, [_APPROVED], before=overdue_at, begun_before=overdue_at - _shortest(providers)
    )
    order = visit.request.query.get("sort", "")
    order = order if order in _ORDERS else "window"
    rows = [row_of(visit, one, windows) for one in (*unresolved, *owed, *late)]
    rows.sort(key=_ORDERS[order])
    return visit.page(
        "inbox.html",
        rows=rows,
        runs=list(reversed(visit.session.bulks.values())),
        order=order,
        orders=list(_ORDERS),
        is_more=is_more or is_more_owed or is_more_late,
        most=_MOST,
        unresolved_count=sum(one.unresolved_count for one in providers),
    )


def _shortest(providers: Sequence[v1.Provider]) -> timedelta:
    """Return how long an approval may wait for its decision at the least."""
    waits = [
        support.confirm_within.ToTimedelta()
        for one in providers
        for support in one.operations
        if support.HasField("confirm_within")
    ]
    return min(waits, default=timedelta())


async def _read(
    visit: Visit,
    states: Sequence[v1.TransactionState.ValueType],
    *,
    before: datetime = _LATEST,
    begun_before: datetime = _LATEST,
) -> tuple[list[v1.Transaction], bool]:
    """Return the transactions in some states that have been late since `before`; and if there are more.

    What began later than `begun_before` is not even read: it cannot be late.
    """
    wanted = v1.TransactionFilter(states=states)
    if (newest := min(before, begun_before)) < _LATEST:
        wanted.created_before.FromDatetime(newest)
    found: list[v1.Transaction] = []
    token = ""
    for _ in range(_MOST_PAGES):
        page = await visit.call(
            "ListTransactions",
            v1.ListTransactionsRequest(filter=wanted, page_size=_MOST, page_token=token),
        )
        found += [one for one in page.transactions if _late_since(one) <= before]
        if not (token := page.next_page_token) or len(found) >= _MOST:
            break
    return found[:_MOST], bool(token) or len(found) > _MOST


def _late_since(one: v1.Transaction) -> datetime:
    """Return since when something is late: its time to be decided, or else its last change."""
    return time_of(one.confirm_by) or time_of(one.update_time) or _EARLIEST
