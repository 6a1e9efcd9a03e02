"""The journal of a simulated world: the real SQLite one in memory, seen by each process through a door.

The door is where a process can stop, where the journal can be away, and where an auditor reads along:
every write and every claim is judged against the rules of one hand at a time (rule 14).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from giftcard_gateway.journal.contract import Due, JournalClosed, Row
from giftcard_gateway.journal.sqlite import file, schema
from giftcard_gateway.ledger.entry import UNSETTLED, State
from giftcard_gateway.ledger.grace import Outage
from giftcard_gateway.ledger.lifecycle import ALLOWED
from tests.world.journal import InlineSqlite

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from tests.crash.life import Life
    from tests.crash.weather import Weather

T = TypeVar("T")


def _reach(state: State) -> frozenset[State]:
    """Return the states `state` can become while nobody resolves it, itself included.

    What is tried again from UNRESOLVED owes what it owed before, so that it comes to no new state.
    """
    found = {state}
    frontier = [state]
    while frontier:
        here = frontier.pop()
        again = UNSETTLED if here is state else frozenset[State]()
        for after in ALLOWED[here] if here is not State.UNRESOLVED else again:
            if after not in found:
                found.add(after)
                frontier.append(after)
    return frozenset(found)


REACH = {state: _reach(state) for state in State}
"""What each state can become, itself included."""

ENDED = frozenset({State.DECLINED, State.FAILED, State.CONFIRMED, State.REVERSED, State.UNRESOLVED})
"""States in which the gateway does nothing more by itself."""


class Store(InlineSqlite):
    """The real journal in memory, opened from a copy so that a world costs little."""

    def __init__(self) -> None:
        """Be empty once started."""
        super().__init__(file.MEMORY)

    def _open_file(self) -> None:
        connection = file.connect(file.MEMORY, synchronous="OFF")
        connection.deserialize(_empty_journal())
        self._connections = [connection]

    def reopen(self) -> None:
        """Do what the start of the next process does to a file that a dead one left."""
        file.free_drivers(self._connections[0])

    def rows(self) -> list[Row]:
        """Return every row, in no order that matters."""
        connection = self._connections[0]
        ids = [each for (each,) in connection.execute("SELECT transaction_id FROM transactions")]
        return list(file.read_rows(connection, ids).values())


@cache
def _empty_journal() -> bytes:
    connection = file.connect(file.MEMORY, synchronous="OFF")
    schema.upgrade(connection)
    try:
        return connection.serialize()
    finally:
        connection.close()


class Auditor:
    """Keeps its own copy of every row's columns, and judges who wrote what over which row."""

    def __init__(self, blame: Callable[[str, str], None], now: Callable[[], datetime]) -> None:
        """Report each broken rule to `blame(transaction_id, sentence)`."""
        self._blame = blame
        self._now = now
        self.rows: dict[str, Row] = {}
        self.held: set[tuple[str, str, str]] = set()
        """Which process ever held which transaction in which state: what it may act on, even late."""
        self.reversal_accepted: set[str] = set()
        """Transactions whose reversal a caller was promised."""

    def resync(self, rows: Sequence[Row]) -> None:
        """Take over what the start of a process changed."""
        self.rows = {row.transaction_id: row for row in rows}

    def opened(self, row: Row) -> None:
        """Hear of a new row."""
        self._keep(row)

    def written(self, row: Row, writer: str) -> None:
        """Hear of a row that was replaced by `writer`."""
        before = self.rows[row.transaction_id]
        self._keep(row)
        was, now = State(before.state), State(row.state)
        if row.version != before.version + 1:
            self._blame(row.transaction_id, f"{writer} wrote version {row.version} over {before.version}")
        if row.fence < before.fence:
            self._blame(row.transaction_id, f"{writer} lowered the fence")
        if now not in REACH[was]:
            self._blame(row.transaction_id, f"{writer} wrote {now} over {was}")
        is_retried = now in UNSETTLED and row.fence > before.fence
        if was is State.UNRESOLVED and now is not was and not is_retried:
            self._blame(row.transaction_id, f"{writer} wrote {now} over {was} under the old fence")
        # A caller's decision may come first even while somebody decides for a caller who is late.
        is_decision = was is State.APPROVED and row.fence > before.fence
        is_taken = before.driver not in {"", writer} and (now is not was or row.fence != before.fence)
        if is_taken and not is_decision:
            self._blame(row.transaction_id, f"{writer} wrote {now} while {before.driver} held it")
        if now is State.APPROVED and was is not now and row.transaction_id in self.reversal_accepted:
            self._blame(row.transaction_id, "approved although a reversal was promised to the caller")

    def _keep(self, row: Row) -> None:
        self.rows[row.transaction_id] = row
        self.held.add((row.transaction_id, row.driver, row.state))

    def claimed(self, rows: Sequence[Row], claimer: str) -> None:
        """Hear of rows that were taken by `claimer`."""
        now = self._now()
        for row in rows:
            before = self.rows[row.transaction_id]
            self._keep(row)
            if before.due_at is None or before.due_at > now:
                self._blame(
                    row.transaction_id, f"{claimer} claimed it from {before.driver or 'nobody'} early"
                )
            if row.fence <= before.fence:
                self._blame(row.transaction_id, f"{claimer} claimed it under an old fence")


class Door:
    """What one process sees of the store: the part of a Journal that the pipeline uses."""

    is_shared = True

    def __init__(self, store: Store, life: Life, auditor: Auditor, weather: Weather) -> None:
        """Let `life` through while it lives."""
        self._store = store
        self._life = life
        self._auditor = auditor
        self._weather = weather

    async def open(self, row: Row) -> Row | None:
        """Insert a row; see Journal.open."""

        async def act() -> Row | None:
            recorded = await self._store.open(row)
            if recorded is None:
                self._auditor.opened(row)
            return recorded

        return await self._pass("opening", row.transaction_id, act)

    async def write(self, row: Row) -> bool:
        """Replace a row; see Journal.write."""

        async def act() -> bool:
            is_known = self._auditor.rows[row.transaction_id].version >= row.version
            is_written = await self._store.write(row)
            if is_written and not is_known:
                self._auditor.written(row, self._life.name)
            return is_written

        return await self._pass(f"writing {row.state}", row.transaction_id, act)

    async def get(self, transaction_id: str) -> Row | None:
        """Return a row; see Journal.get."""
        await self._look()
        return await self._store.get(transaction_id)

    async def claim(
        self,
        *,
        now: datetime,
        lease_until: datetime,
        driver: str,
        limit: int,
        provider: str,
        states: Sequence[str],
        heads: Collection[bytes] | None = None,
    ) -> Sequence[Row]:
        """Take what is due; see Journal.claim."""

        async def act() -> Sequence[Row]:
            rows = await self._store.claim(
                now=now,
                lease_until=lease_until,
                driver=driver,
                limit=limit,
                provider=provider,
                states=states,
                heads=heads,
            )
            self._auditor.claimed(rows, driver)
            return rows

        return await self._pass("claiming", "", act)

    async def next_due(self) -> Sequence[Due]:
        """Return the earliest due times; see Journal.next_due."""
        await self._look()
        return await self._store.next_due()

    async def beat(self, now: datetime, *, silence: timedelta) -> Outage | None:
        """Note that this process can write; see Journal.beat."""
        await self._look()
        return await self._store.beat(now, silence=silence)

    async def wait_changed(self, timeout_s: float) -> None:
        """Wait for the next write; see Journal.wait_changed."""
        await self._life.point("waiting for a change")
        await self._store.wait_changed(timeout_s)

    async def _look(self) -> None:
        await self._life.point("reading")
        if self._weather.is_journal_away():
            raise JournalClosed("the journal is away")

    async def _pass(self, place: str, subject: str, act: Callable[[], Awaitable[T]]) -> T:
        await self._life.point(f"before {place}", subject)
        if self._weather.is_journal_away():
            self._weather.chronicle.fault("journal away", subject, f"{self._life.name} {place}")
            raise JournalClosed("the journal is away")
        await self._linger()
        done = await act()
        await self._linger()
        await self._life.point(f"after {place}", subject)
        if self._weather.loses_acknowledgement():
            self._weather.chronicle.fault("journal cut after a write", subject, f"{self._life.name} {place}")
            raise JournalClosed("the journal went away before it could say that it wrote")
        return done

    async def _linger(self) -> None:
        lag_s = self._weather.lag_s()
        if lag_s:
            await asyncio.sleep(lag_s)
            await self._life.point("hearing of time")
