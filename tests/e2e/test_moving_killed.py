"""The command that moves a tenant is killed at many moments; run again it ends what was begun."""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Redeem
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.journal.records import Records
from giftcard_gateway.journal.rows import COLUMNS, columns
from giftcard_gateway.journal.settings import JournalSettings
from giftcard_gateway.journal.stores import open_journal
from giftcard_gateway.ledger.entry import Entry, State
from giftcard_gateway.seal import Seal
from tests.e2e.processes import PROGRAM, environment, run, started
from tests.e2e.test_cells import TENANTS, Cells, environ, prepared, serve_cell
from tests.journal.samples import event
from tests.patience import PATIENCE_S
from tests.postgres import PostgresServer

MANY = 1_000
"""Transactions of the tenant that is moved: several batches of each step."""
OTHERS = 30
"""Transactions of the tenant of each cell that stays."""
COMMAND = ("cells", "move", "south", "--to", "eu", "--config", "gateway.toml")
HOME = '[tenants.south]\ncell = "default"'
Rows = Mapping[str, tuple[object, ...]]
"""All columns of each transaction by its id, with all blind indexes that it is found by at the end."""


@dataclass(frozen=True)
class Moment:
    """When the command is killed: once it did so much, or after a time if that comes first."""

    copied: int = 0
    deleted: int = 0
    seconds: float = PATIENCE_S
    is_served: bool = False
    """Whether gateways are started after it."""


def moments(seed: int) -> Iterable[Moment]:
    """Return moments of every part of a move, in the order in which it comes to them, some at random."""
    chance = random.Random(seed)
    yield Moment(copied=MANY, seconds=chance.uniform(0, 1.5))
    yield Moment(copied=chance.randrange(2, MANY), is_served=True)
    yield Moment(copied=MANY)
    yield Moment(deleted=1)
    yield Moment(deleted=chance.randrange(2, MANY))


class Looker:
    """Reads the tables of a journal as they lie, beside whoever works on it."""

    def __init__(self, url: str) -> None:
        """Keep the URL."""
        self.url = url

    async def fetch(self, statement: str) -> list[tuple[object, ...]]:
        """Return what a statement finds."""
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"))) as database:
                return list(database.execute(statement))
        session = await asyncpg.connect(self.url)
        try:
            return [tuple(one) for one in await session.fetch(statement)]
        finally:
            await session.close()

    async def count(self) -> int:
        """Return how many transactions of the tenant that is moved are here."""
        ((count,),) = await self.fetch("SELECT count(*) FROM transactions WHERE tenant = 'south'")
        assert isinstance(count, int)
        return count

    async def rows(self) -> dict[str, Rows]:
        """Return all that there is of each tenant."""
        indexes: dict[object, list[bytes]] = {}
        for one, index in await self.fetch("SELECT transaction_id, handle FROM handles"):
            assert isinstance(index, bytes)
            indexes.setdefault(one, []).append(index)
        found: dict[str, dict[str, tuple[object, ...]]] = {}
        place = COLUMNS.index("tenant")
        for row in await self.fetch(f"SELECT {columns()} FROM transactions"):  # noqa: S608 - all of it is ours
            found.setdefault(str(row[place]), {})[str(row[0])] = (*row, *sorted(indexes.pop(row[0], [])))
        assert not indexes, "blind indexes of nothing"
        return dict(found)

    async def events(self) -> set[str]:
        """Return the events by their ids."""
        return {str(one) for (one,) in await self.fetch("SELECT event_id FROM events")}


def times(count: int) -> Iterable[datetime]:
    """Return times of creation: over months, and on both sides of a month's end."""
    month = datetime(2026, 3, 1, tzinfo=UTC)
    ends = [month, month - timedelta(microseconds=1)]
    yield from ends[:count]
    for number in range(count - len(ends)):
        yield month - timedelta(days=60) + timedelta(hours=number)


def written(tenant: str, at: datetime) -> Entry:
    """Return a redemption that ended."""
    ask = Redeem(
        transaction_id=SystemClock().uuid4(),
        requested_at=at,
        amount=Money("ZAR", 100),
        card=CardRef(number=Secret("6045120000000017")),
        external_reference=f"order of {tenant}",
    )
    return Entry(
        transaction_id=ask.transaction_id,
        operation=ask.operation,
        state=State.CONFIRMED,
        created_at=at,
        updated_at=at,
        provider="shop",
        ask=ask,
        tenant=tenant,
    )


async def fill(url: str, counts: Mapping[str, int]) -> None:
    """Write down so many transactions of each tenant, and an event."""
    clock = SystemClock()
    seal = Seal(
        keys={"one": b"\1" * 32},
        active="one",
        hash_keys={"first": b"\2" * 32},
        hash_active="first",
        random_bytes=clock.random_bytes,
    )
    journal = open_journal(JournalSettings(url=Secret(url)))
    await journal.start()
    try:
        for tenant, count in counts.items():
            entries = [written(tenant, at) for at in times(count)]
            records = Records(journal, seal)
            assert set(await asyncio.gather(*map(records.open, entries))) == {None}
            assert await journal.add_event(event(tenant=tenant, applied=True, event_id=f"of {tenant}"))
    finally:
        await journal.close()


async def killed(folder: Path, moment: Moment, old: Looker, new: Looker) -> bool:
    """Run the command and kill it at a moment; tell whether it was killed before it had ended."""
    process = subprocess.Popen(  # noqa: ASYNC220 - it is watched, and killed
        [*PROGRAM, *COMMAND],
        cwd=folder,
        env=environment(environ("eu")),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(moment.seconds):
            while process.poll() is None:
                if moment.deleted and await old.count() <= MANY - moment.deleted:
                    break
                if moment.copied and await new.count() >= moment.copied:
                    break
    except TimeoutError:
        pass
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE_S)
    return process.returncode == -signal.SIGKILL


def must_be_whole(south: Rows, old: Rows, new: Rows) -> None:
    """Fail unless each transaction is as it was, and the old cell has all until the new one has."""
    assert new.items() <= south.items()
    assert old.items() <= south.items()
    assert south in (new, old)


def serve(cells: Cells, stack: ExitStack) -> None:
    """Start a gateway of each cell, and see that neither serves who is moved."""
    for cell in TENANTS:
        serve_cell(cells, cell, stack)
    must_refuse(cells)


def serve_too_early(file: Path) -> None:
    """Fail where a gateway starts once the tenant has its new cell, and only half of it is there."""
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(f"{HOME}\nleaving = true", HOME.replace("default", "eu")), encoding="utf-8")
    for cell, told in {"default": "has transactions in the cell default", "eu": "in two cells"}.items():
        done = run("serve", "--config", file.name, folder=file.parent, environ=environ(cell))
        assert (done.returncode, told in done.stderr) == (2, True), done.stderr
    file.write_text(text, encoding="utf-8")


def must_refuse(cells: Cells) -> None:
    """Fail where any cell takes a call of the tenant that is moved."""
    assert {cells.redeem(cell, "south") for cell in TENANTS} == {"UNAVAILABLE CELL_NOT_SERVED"}


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def test_a_move_killed_at_any_moment_is_ended_by_another(
    tmp_path: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    """Killed again and again, it never has a transaction in no cell, or another's, and the last run ends it.

    Nobody can call for the tenant meanwhile in either cell, though gateways of both start and serve others.
    """
    is_shared = kind == "postgres"
    urls = {cell: f"sqlite:///{tmp_path / cell}.db" for cell in TENANTS}
    if is_shared:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        urls = {cell: await server.create_database() for cell in TENANTS}
    cells = prepared(tmp_path, urls)
    old, new = Looker(urls["default"]), Looker(urls["eu"])
    await fill(old.url, {"south": MANY, "default": OTHERS})
    await fill(new.url, {"north": OTHERS})
    file = tmp_path / "gateway.toml"
    file.write_text(file.read_text(encoding="utf-8").replace(HOME, f"{HOME}\nleaving = true"), "utf-8")
    before = {**await old.rows(), **await new.rows()}
    south, kills = before.pop("south"), 0
    with ExitStack() as serving:
        for moment in moments(random.randrange(2**32)):
            kills += await killed(tmp_path, moment, old, new)
            there, here = await old.rows(), await new.rows()
            must_be_whole(south, there.pop("south", {}), here.pop("south", {}))
            assert {**there, **here} == before
            if moment.is_served:
                serve_too_early(file)
                with nullcontext(serving) if is_shared else ExitStack() as stack:
                    serve(cells, stack)
        done = run(*COMMAND, folder=tmp_path, environ=environ("eu"))
    assert kills > 2
    assert done.returncode == 0, done.stderr
    assert "of south from the cell default to the cell eu" in done.stdout
    assert await old.rows() == {"default": before["default"]}
    assert await new.rows() == {"north": before["north"], "south": south}
    assert (await old.events(), await new.events()) == ({"of default"}, {"of south", "of north"})
    with ExitStack() as serving:
        serve(cells, serving)


@pytest.mark.postgres
@pytest.mark.parametrize("away", TENANTS)
async def test_a_move_whose_database_goes_away(
    tmp_path: Path, postgres_server: PostgresServer, fragile_server: PostgresServer, away: str
) -> None:
    """It ends with one sentence that says what to do, names the cell while it is away, and is run again."""
    urls = {
        cell: await (fragile_server if cell == away else postgres_server).create_database()
        for cell in TENANTS
    }
    prepared(tmp_path, urls)
    await fill(urls["default"], {"south": MANY})
    file = tmp_path / "gateway.toml"
    file.write_text(file.read_text(encoding="utf-8").replace(HOME, f"{HOME}\nleaving = true"), "utf-8")
    with started(*COMMAND, folder=tmp_path, environ=environ("eu")) as moving:
        while not await Looker(urls["eu"]).count():
            assert moving.process.poll() is None
        fragile_server.stop(signal.SIGQUIT)
        assert moving.ended() == 2
        told = moving.complained
    assert told.splitlines()[-1].endswith("run this again when both cells can be reached")
    assert "Traceback" not in told
    refused = run(*COMMAND, folder=tmp_path, environ=environ("eu"))
    assert (refused.returncode, f"error: the cell {away}: the journal" in refused.stderr) == (2, True)
    fragile_server.start()
    done = run(*COMMAND, folder=tmp_path, environ=environ("eu"))
    assert done.returncode == 0, done.stderr
    assert [await Looker(urls[cell]).count() for cell in TENANTS] == [0, MANY]


def test_a_move_makes_no_journal(tmp_path: Path) -> None:
    """Run where the URL of a file leads nowhere, it refuses, and does not move nothing from a new one."""
    prepared(tmp_path, {cell: f"sqlite:///{cell}.db" for cell in TENANTS})
    file = tmp_path / "gateway.toml"
    file.write_text(file.read_text(encoding="utf-8").replace(HOME, f"{HOME}\nleaving = true"), "utf-8")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    refused = run(*COMMAND[:-1], str(file), folder=elsewhere, environ=environ("eu"))
    assert (refused.returncode, "error: the cell default: there is no journal" in refused.stderr) == (2, True)
    assert not list(elsewhere.iterdir())
    assert run(*COMMAND, folder=tmp_path, environ=environ("eu")).returncode == 0
