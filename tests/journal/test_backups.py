"""Backups made and restored with the databases' own tools, and the feed of what came out of a dump."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from giftcard_gateway.journal.contract import Change, Journal
from giftcard_gateway.journal.postgres.journal import Postgres
from giftcard_gateway.journal.sqlite.journal import Sqlite
from tests.journal.samples import after, opened, row
from tests.postgres import PostgresServer, as_server_user, program, serving

_OLD = 20
"""Transactions that a backup has."""
_BURN = "DO $$ BEGIN FOR i IN 1..20000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"
"""Lets a server's count of transactions run ahead of any that is new."""


async def fill(journal: Journal) -> Sequence[Change]:
    """Open and end transactions, and return the feed."""
    for number in range(_OLD):
        (first,) = await opened(journal, row(transaction_id=f"old-{number}"))
        assert await journal.write(after(first, "APPROVED"))
    return await journal.changes(after="", limit=10 * _OLD)


def told(feed: Sequence[Change]) -> list[tuple[str, str]]:
    """Return what a feed says, without places."""
    return [(change.transaction_id, change.state) for change in feed]


@asynccontextmanager
async def begun(journal: Journal) -> AsyncIterator[Journal]:
    """Start a journal, and close it when the block ends."""
    await journal.start()
    try:
        yield journal
    finally:
        await journal.close()


async def goes_on(journal: Journal, kept: Sequence[Change]) -> None:
    """Tell that a restored journal has what the backup had, in order, and new changes after it."""
    async with begun(journal):
        feed = await journal.changes(after="", limit=10 * _OLD)
        assert told(feed) == told(kept)
        assert all([await journal.get(change.transaction_id) for change in kept])
        await opened(journal, row(transaction_id="new"))
        later = await journal.changes(after=feed[-1].cursor, limit=10 * _OLD)
        assert told(later) == [("new", "PENDING")]


@pytest.mark.parametrize("how", [".backup {}", "VACUUM INTO '{}'"])
async def test_sqlite_is_copied_while_it_runs(tmp_path: Path, how: str) -> None:
    """A copy that sqlite3 made beside a running gateway starts, with all of it, and its cursors hold."""
    shell = shutil.which("sqlite3")
    if shell is None:
        pytest.skip("sqlite3 is not on this machine")
    original, copy = tmp_path / "journal.db", tmp_path / "copy.db"
    async with begun(Sqlite(str(original))) as journal:
        kept = await fill(journal)
        await asyncio.to_thread(run, shell, original, how.format(copy))
        await opened(journal, row(transaction_id="after the backup"))
    await goes_on(Sqlite(str(copy)), kept)
    async with begun(Sqlite(str(copy))) as journal:
        assert told(await journal.changes(after=kept[-2].cursor, limit=1)) == told(kept[-1:])


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """Give a server that counted far, as one does in a year of sales."""
    with serving() as server:
        yield server


def run(*command: str | Path) -> None:
    """Run a tool to its end."""
    subprocess.run(command, check=True, capture_output=True, cwd="/")


async def tool(name: str, *arguments: str | Path) -> None:
    """Run one of PostgreSQL's programs as the server's user."""
    await asyncio.to_thread(run, *as_server_user(), program(name), *arguments)


@pytest.mark.postgres
async def test_a_physical_copy_needs_nothing(server: PostgresServer) -> None:
    """What pg_basebackup copied from a running server starts as it is, and cursors from before hold."""
    await server.execute(_BURN)
    url = await server.create_database()
    await Postgres(url).upgrade()
    copy = PostgresServer()
    try:
        shutil.rmtree(copy.data)
        async with begun(Postgres(url)) as journal:
            kept = await fill(journal)
            await tool(
                "pg_basebackup", "-h", server.folder, "-U", "postgres", "-D", copy.data, "-c", "fast", "-N"
            )
        with (copy.data / "postgresql.conf").open("a", encoding="utf-8") as conf:
            conf.write(f"unix_socket_directories = '{copy.folder}'\n")
        copy.start()
        restored = Postgres(url.replace(str(server.folder), str(copy.folder)))
        await goes_on(restored, kept)
        async with begun(restored) as journal:
            assert told(await journal.changes(after=kept[-2].cursor, limit=1)) == told(kept[-1:])
    finally:
        copy.remove()


async def dumped(server: PostgresServer, into: PostgresServer) -> tuple[str, Sequence[Change]]:
    """Dump a journal of one server into another; return its URL there, and the feed that was dumped."""
    await server.execute(_BURN)
    url, target = await server.create_database(), await into.create_database()
    await Postgres(url).upgrade()
    async with begun(Postgres(url)) as journal:
        kept = await fill(journal)
        file = into.folder / "journal.dump"
        await tool("pg_dump", "-Fc", "-f", file, url)
    await tool("pg_restore", "--no-owner", "-d", target, file)
    return target, kept


@pytest.mark.postgres
async def test_a_restored_dump_needs_nothing(server: PostgresServer) -> None:
    """A dump in a server that counts anew shows all changes, and cursors from before hold."""
    with serving() as young:
        url, kept = await dumped(server, young)
        await goes_on(Postgres(url), kept)
        async with begun(Postgres(url)) as journal:
            assert told(await journal.changes(after=kept[-2].cursor, limit=1)) == told(kept[-1:])
