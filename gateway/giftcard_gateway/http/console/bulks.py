"""Acts on many that go on while their page is looked at, left and loaded again.

They are begun by one form and done by a task of this process, a few at once. What came of each is kept in the
session of whoever began them, and nowhere else but with the transactions and in the audit.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from giftcard import v1
from giftcard_gateway.http.console.rows import AT
from giftcard_gateway.http.console.visits import see

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime

    from aiohttp import web

    from giftcard_gateway.http.console.rows import ListedTransaction
    from giftcard_gateway.http.console.sessions import Session
    from giftcard_gateway.http.console.visits import Visit
    from giftcard_gateway.ledger.observer import Observer

AT_ONCE = 8
"""How many of one bulk are worked on at once."""


@dataclass(frozen=True, kw_only=True)
class PlannedAct:
    """One of many: what would be done with it, or what came of it."""

    row: ListedTransaction | None
    pick: str
    is_taken: bool
    words: str


@dataclass(kw_only=True)
class BulkRun:
    """One act on many, under way or ended."""

    key: str
    """What its address names it by."""
    words: str
    """What is done, as its button said."""
    picks: Sequence[str]
    began_at: datetime
    acts: dict[str, PlannedAct] = field(default_factory=dict)
    """What came of each, by its pick, once it is through."""

    @property
    def total(self) -> int:
        """Return how many were chosen."""
        return len(self.picks)

    @property
    def through(self) -> int:
        """Return how many are done or refused."""
        return len(self.acts)

    @property
    def refused(self) -> int:
        """Return how many were refused."""
        return sum(not act.is_taken for act in self.acts.values())

    @property
    def is_ended(self) -> bool:
        """Tell whether all are through."""
        return self.through == self.total


class BulkRuns:
    """All that are under way in this process."""

    def __init__(self, observer: Observer) -> None:
        """Tell `observer` of faults of ours."""
        self._observer = observer
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_stopping = False

    def begin(self, run: BulkRun, session: Session, act: Callable[[str], Awaitable[PlannedAct]]) -> None:
        """Begin to do `act` with each pick; ends when all are through."""
        task = asyncio.create_task(self._all(run, session, act))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Begin with no more, and wait until those in hand are through."""
        self._is_stopping = True
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _all(self, run: BulkRun, session: Session, act: Callable[[str], Awaitable[PlannedAct]]) -> None:
        room = asyncio.Semaphore(AT_ONCE)

        async def one(pick: str) -> None:
            async with room:
                run.acts[pick] = await self._one(pick, session, act)

        await asyncio.gather(*map(one, run.picks))

    async def _one(
        self, pick: str, session: Session, act: Callable[[str], Awaitable[PlannedAct]]
    ) -> PlannedAct:
        words = ""
        if session.is_over:
            words = "not begun, because its session is over"
        elif self._is_stopping:
            words = "not begun, because the gateway stops"
        if not words:
            try:
                return await act(pick)
            except Exception as fault:  # noqa: BLE001 - the others go on, and its text must not be shown
                self._observer.faulted("console", fault)
                words = "a fault of the gateway, whose log has more of it"
        return PlannedAct(row=None, pick=pick, is_taken=False, words=words)


async def show_run(visit: Visit) -> web.Response:
    """Show how far one is, or what came of it; refused ones first."""
    run = visit.session.bulks.get(visit.request.match_info["key"])
    if run is None:
        visit.session.notice = "That is not known here any more: the inbox has what still needs a person."
        return see("/")
    # Whose key is revoked sees nothing more, of what is kept here neither.
    await visit.call("ListProviders", v1.ListProvidersRequest(page_size=1), tenant="")
    acts = [_linked(visit, act) for pick in run.picks if (act := run.acts.get(pick))]
    return visit.page(
        "run.html",
        run=run,
        acts=sorted(acts, key=lambda act: act.is_taken),
        waiting=[pick.partition(AT)[0] for pick in run.picks if pick not in run.acts],
    )


def _linked(visit: Visit, act: PlannedAct) -> PlannedAct:
    """Return an act with its address for whom the person acts for now, which may have changed meanwhile."""
    row = act.row
    if row is None:
        return act
    return replace(act, row=replace(row, address=visit.address_of(row.transaction_id, row.tenant)))
