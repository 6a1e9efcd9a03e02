"""Writes the audit of one process: acts before they are answered, refusals counted by the ten seconds.

An act is queued before its decision is written, so in a journal that writes in order its record is durable
no later than the decision. Nothing here delays or refuses a call: when the journal is away, records wait in
memory, and those that find no room any more are counted and told of.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from giftcard_gateway.audit.records import BEGAN, LOST, NOTED, REFUSED, AuditRecord, Head, chained
from giftcard_gateway.journal.contract import JournalClosed
from giftcard_gateway.journal.notes import AuditRow

if TYPE_CHECKING:
    from giftcard_gateway.clock import Clock
    from giftcard_gateway.journal.contract import Journal
    from giftcard_gateway.seal import Seal

_log = logging.getLogger("giftcard_gateway.audit")

_MOST = 10_000
"""Records that wait for the journal, some 4 MB."""
_BATCH = 500
_AGAIN_S = 0.5
_WINDOW_S = 10.0
"""Refusals that are alike within so many seconds are one record with a count."""
_KINDS = 1_000
"""Kinds of refusals told apart in one window; the rest of them are one record."""
_NOTE_EVERY = 6
"""Windows between two notes of how far the other chains are: a minute."""
_HEADS = 200
"""Chains whose ends are noted, the newest: those before were noted by the ones between."""
_ANSWER_S = 1.0
"""How long an answer waits for its record, which is durable in milliseconds unless the journal is away."""


class Trail:
    """The chain of one process. `start` must come first; `run` goes on until it is cancelled."""

    def __init__(
        self,
        journal: Journal,
        seal: Seal,
        clock: Clock,
        *,
        name: str,
        copy: Callable[[AuditRow], None] = lambda _: None,
    ) -> None:
        self._journal = journal
        self._copy = copy
        """Takes each record once it is durable."""
        self._seal = seal
        self._clock = clock
        self.chain = _chain(clock, name)
        self._number = 0
        self._mac = b""
        self._waiting: deque[tuple[AuditRecord, asyncio.Future[None]]] = deque()
        self._rides = True
        """Whether all that wait may wait for a write to go with."""
        self._refused: dict[tuple[str, ...], AuditRecord] = {}
        self._noted: dict[str, Head] = {}
        self._flushing: asyncio.Task[None] | None = None
        self.lost = self._untold = 0
        """Records that could not be written, and those of them that the chain does not tell of yet."""

    async def start(self) -> None:
        """Begin the chain with a note of how far the others are; raise JournalClosed."""
        self._noted = await _heads(self._journal)
        self.tell(AuditRecord(at=self._clock.now(), act=BEGAN, heads=self._noted))

    async def run(self) -> None:
        """Write refusals every few seconds, and now and then how far the other chains are."""
        windows = 0
        while True:
            await self._clock.sleep(_WINDOW_S)
            self.tell_refusals()
            windows += 1
            if windows % _NOTE_EVERY == 0:
                await self._note()

    def tell(self, record: AuditRecord, *, rides: bool = False) -> asyncio.Future[None]:
        """Queue a record; the future is done when it is durable.

        With `rides` it waits a moment for a write of its call, so that one commit carries both.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        if len(self._waiting) >= _MOST:
            self._lose(1)
            done.set_result(None)
            return done
        if self._untold:
            self._waiting.append((AuditRecord(at=record.at, act=LOST, count=self._untold), _done()))
            self._untold = 0
        self._waiting.append((record, done))
        if not rides:
            self._rides = False
        if self._flushing is None:
            self._flushing = loop.create_task(self._flush())
        return done

    async def told(self, done: asyncio.Future[None]) -> None:
        """Wait until a record is durable, but not for a journal that is away."""
        if not done.done():
            await asyncio.wait({done}, timeout=_ANSWER_S)

    def refused(self, record: AuditRecord) -> None:
        """Count a refusal; it is written with those like it."""
        kind: tuple[str, ...] = (
            *(record.by, record.person, record.tenant, record.for_tenant),
            *(record.machine, record.about, record.reason),
        )
        if kind not in self._refused and len(self._refused) >= _KINDS:
            kind, record = (), AuditRecord(at=record.at, act=REFUSED, reason="OTHERS")
        known = self._refused.get(kind)
        self._refused[kind] = (
            record if known is None else msgspec.structs.replace(known, count=known.count + 1)
        )

    def tell_refusals(self) -> None:
        """Queue the refusals counted so far."""
        refused, self._refused = self._refused, {}
        for record in refused.values():
            self.tell(record)

    async def close(self) -> None:
        """Write what waits, if the journal takes it at once."""
        self.tell_refusals()
        # The task takes itself out of `_flushing` when it is done, which is while we wait for it.
        if (flushing := self._flushing) is not None:
            await asyncio.wait({flushing}, timeout=_ANSWER_S)
            flushing.cancel()

    async def _note(self) -> None:
        """Note the heads that moved since the last note."""
        try:
            heads = await _heads(self._journal)
        except JournalClosed:
            return
        heads.pop(self.chain, None)
        moved = {chain: head for chain, head in heads.items() if self._noted.get(chain) != head}
        if moved:
            self._noted = heads
            self.tell(AuditRecord(at=self._clock.now(), act=NOTED, heads=moved))

    async def _flush(self) -> None:
        while self._waiting:
            batch = [self._waiting[place] for place in range(min(len(self._waiting), _BATCH))]
            rows = self._rows([record for record, _ in batch])
            rides, self._rides = self._rides, True
            try:
                await self._journal.add_audit(rows, rides=rides)
            except JournalClosed:
                # The same rows again: one that was written after all is not written twice.
                await self._clock.sleep(_AGAIN_S)
                continue
            except Exception as fault:  # noqa: BLE001 - whatever is wrong with these, the next must be written
                _log.error(
                    "records of the audit cannot be written", extra={"error_type": type(fault).__qualname__}
                )
                self._lose(len(batch))
            else:
                self._number, self._mac = rows[-1].number, rows[-1].mac
                for row in rows:
                    self._copy(row)
            for record, done in batch:
                self._waiting.popleft()
                if not done.done():
                    done.set_result(None)
                if _log.isEnabledFor(logging.DEBUG):
                    _log.debug(record.act, extra=_words(record))
        self._flushing = None

    def _lose(self, count: int) -> None:
        """Count records that are not in the chain; the next that is says how many."""
        if not self.lost:
            _log.error("records of the audit are lost; the chain will say how many")
        self.lost += count
        self._untold += count

    def _rows(self, records: list[AuditRecord]) -> list[AuditRow]:
        rows: list[AuditRow] = []
        mac = self._mac
        for number, record in enumerate(records, self._number + 1):
            row = chained(record, chain=self.chain, number=number, before=mac, seal=self._seal)
            rows.append(row)
            mac = row.mac
        return rows


async def _heads(journal: Journal) -> dict[str, Head]:
    return {
        row.chain: Head(number=row.number, mac=row.mac.hex()) for row in await journal.audit_heads(_HEADS)
    }


def _chain(clock: Clock, name: str) -> str:
    """Return a new chain's name; by name, chains are in the order of their beginnings."""
    return f"{clock.now():%Y%m%dT%H%M%S}-{name}/{clock.uuid4()}"


def _done() -> asyncio.Future[None]:
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    done.set_result(None)
    return done


def _words(record: AuditRecord) -> dict[str, object]:
    """Return what a log line says of a record besides its act."""
    said: dict[str, object] = msgspec.to_builtins(record)
    return {f"audit.{name}": value for name, value in said.items() if name not in {"act", "at", "heads"}}


async def tell_once(journal: Journal, seal: Seal, clock: Clock, record: AuditRecord) -> None:
    """Write down what a command did, in a chain of its own; raise JournalClosed."""
    heads = {
        row.chain: Head(number=row.number, mac=row.mac.hex()) for row in await journal.audit_heads(_HEADS)
    }
    chain = _chain(clock, "command")
    noted = msgspec.structs.replace(record, heads=heads)
    await journal.add_audit([chained(noted, chain=chain, number=1, before=b"", seal=seal)])
