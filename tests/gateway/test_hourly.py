"""A gateway erases card numbers and purges by itself, once an hour, and says so in its audit."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from giftcard_adapters.codec import pack
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Redeem
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.access.identities import LOCAL
from giftcard_gateway.audit.records import NUMBERS_ERASED, PURGED, exported
from giftcard_gateway.config.settings import Routing
from giftcard_gateway.journal.contract import Journal, JournalClosed
from giftcard_gateway.journal.settings import JournalSettings
from giftcard_gateway.journal.sqlite.journal import Sqlite
from giftcard_gateway.ledger.entry import State
from giftcard_gateway.pipeline.hourly import purge
from giftcard_gateway.providers.connections import Connection, Connections, Terms
from tests.patience import PATIENCE_S
from tests.world.app import open_app, settings
from tests.world.clock import ShiftedClock
from tests.world.journal import InlineSqlite
from tests.world.provider import Scripted

if TYPE_CHECKING:
    from pathlib import Path

    from giftcard_gateway.process.app import App

NUMBER = "6045120000000017"
HOUR_S = 3600.0


class Hourly(ShiftedClock):
    """A clock whose hours pass when the test says so; all that is shorter passes as it does."""

    def __init__(self) -> None:
        """Begin in the first hour."""
        super().__init__()
        self._hour, self._asleep = asyncio.Event(), asyncio.Event()

    async def sleep(self, delay_s: float) -> None:
        """Wait for the next hour, or for a time."""
        if delay_s < HOUR_S:
            await super().sleep(delay_s)
        else:
            self._asleep.set()
            await self._hour.wait()
            self._hour.clear()

    async def strikes(self) -> None:
        """Let an hour pass; return when what is done every hour is done, and waits for the next."""
        await asyncio.wait_for(self._asleep.wait(), PATIENCE_S)
        self._asleep.clear()
        self._hour.set()
        await asyncio.wait_for(self._asleep.wait(), PATIENCE_S)


async def told(journal: JournalSettings, act: str) -> list[int]:
    """Return the counts of the audit's records of an act."""
    rows = await Sqlite.at(journal).audit(after=("", 0), limit=500)
    return [said.get("count", 1) for row in rows if (said := exported(row))["act"] == act]


async def confirmed(app: App, clock: Hourly) -> str:
    """Play a redemption to its end; return its id."""
    ask = Redeem(
        transaction_id=clock.uuid4(),
        requested_at=clock.now(),
        amount=Money("ZAR", 100),
        card=CardRef(number=Secret(NUMBER)),
    )
    transactions = app.pipeline.transactions
    await transactions.begin(ask, wait_s=PATIENCE_S, by=LOCAL)
    await transactions.confirm(ask.operation, ask.transaction_id, wait_s=PATIENCE_S, by=LOCAL)
    return ask.transaction_id


async def test_what_became_due_is_erased_within_the_hour(tmp_path: Path) -> None:
    """A number is kept while it may be; in the hour after that it is gone, and the audit says so."""
    clock = Hourly()
    journal = JournalSettings(url=Secret(f"sqlite:///{tmp_path}/journal.db"), card_number_retention_days=30)
    connections = Connections([Connection("first", Scripted.open(clock), Terms(), clock)])
    table = settings(journal=journal, routing=Routing(default="first"))
    async with open_app(table, clock, connections=connections) as app:
        transaction_id = await confirmed(app, clock)
        clock.skip(days=29)
        await clock.strikes()
        assert NUMBER.encode() in pack(await app.pipeline.records.get(transaction_id))
        clock.skip(days=2)
        await clock.strikes()
        entry = await app.pipeline.records.get(transaction_id)
        await clock.strikes()
    assert entry is not None
    assert entry.state is State.CONFIRMED
    assert NUMBER.encode() not in pack(entry)
    assert await told(journal, NUMBERS_ERASED) == [1]


async def test_a_journal_is_made_ready_every_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A serving gateway tells its journal the time once an hour, for what is written in months to come."""
    clock, heard = Hourly(), list[datetime]()

    async def tend(_: Journal, now: datetime) -> None:
        heard.append(now)

    monkeypatch.setattr(Journal, "tend", tend)
    journal = JournalSettings(url=Secret(f"sqlite:///{tmp_path}/journal.db"), purges=False)
    connections = Connections([Connection("first", Scripted.open(clock), Terms(), clock)])
    table = settings(journal=journal, routing=Routing(default="first"))
    async with open_app(table, clock, connections=connections):
        await clock.strikes()
        clock.skip(days=40)
        await clock.strikes()
    assert [one - heard[0] >= timedelta(days=40) for one in heard] == [False, False, True]


@pytest.mark.parametrize("purges", [True, False])
async def test_what_is_old_is_purged_within_the_hour(tmp_path: Path, *, purges: bool) -> None:
    """What ended longer ago than the retention goes by itself, and the audit says so; unless that is off."""
    clock = Hourly()
    url = Secret(f"sqlite:///{tmp_path}/journal.db")
    journal = JournalSettings(url=url, purges=purges, retention_days=100, card_number_retention_days=99)
    connections = Connections([Connection("first", Scripted.open(clock), Terms(), clock)])
    table = settings(journal=journal, routing=Routing(default="first"))
    async with open_app(table, clock, connections=connections) as app:
        old = await confirmed(app, clock)
        clock.skip(days=60)
        young = await confirmed(app, clock)
        clock.skip(days=39)
        await clock.strikes()
        assert await app.pipeline.records.get(old) is not None
        clock.skip(days=2)
        await clock.strikes()
        assert (await app.pipeline.records.get(old) is None) is purges
        assert await app.pipeline.records.get(young) is not None
    assert await told(journal, PURGED) == ([1] if purges else [])


@pytest.mark.parametrize("ending", [JournalClosed("gone"), asyncio.CancelledError()], ids=["away", "stop"])
async def test_what_was_purged_is_told_though_it_is_cut_short(
    ending: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The audit hears of every batch deleted before the journal went away, or the process was to stop."""
    batches = iter([200, 200])

    async def delete(**_: object) -> int:
        if (done := next(batches, None)) is None:
            raise ending
        return done

    journal = InlineSqlite(":memory:")
    monkeypatch.setattr(journal, "purge", delete)
    clock, gone = ShiftedClock(), list[int]()
    with pytest.raises(type(ending)):
        await purge(journal, clock.now(), clock, gone.append)
    assert sum(gone) == 400
