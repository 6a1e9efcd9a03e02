"""`migrate` and a start on another release's schema, as their own processes, on both journals."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from giftcard_gateway.journal.postgres import schema as postgres_schema
from giftcard_gateway.journal.schema import Steps
from giftcard_gateway.journal.sqlite import schema as sqlite_schema
from giftcard_gateway.journal.sqlite.journal import path_of
from tests.e2e.processes import free_port, run, started
from tests.e2e.sandboxes import Sandbox
from tests.e2e.test_cannot_start import complaints, write
from tests.e2e.test_workers import configure, redeem, simulators, workers_of
from tests.patience import PATIENCE_S
from tests.postgres import PostgresServer
from tests.world.release import NEWER, found_in, newer_release

KNOWN = sqlite_schema.STEPS.known
CONFIG = ("--config", "gateway.toml")
KINDS = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=KINDS)
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of an empty database of each kind, and a configuration that names it."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/journal.db"
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = await server.create_database()
    name(url, tmp_path)
    return url


def name(url: str, folder: Path) -> None:
    """Write a configuration with a journal."""
    write(folder, {"sqlite:///journal.db": url, "{ env = 'SHOP_SECRET' }": "'x'"})


async def bring_to(url: str, version: str) -> None:
    """Make the schema of a version, or bring it there."""
    if url.startswith("sqlite"):
        sqlite_schema.upgrade_file(path_of(url), Steps(Path(sqlite_schema.__file__).parent, until=version))
        return
    session = await asyncpg.connect(url)
    try:
        await postgres_schema.upgrade(session, Steps(Path(postgres_schema.__file__).parent, until=version))
    finally:
        await session.close()


@asynccontextmanager
async def held(url: str) -> AsyncIterator[None]:
    """Hold a table of the journal, as a dump or a person's own transaction does."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(path_of(url), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
        return
    async with AsyncExitStack() as stack:
        session = await asyncpg.connect(url)
        stack.push_async_callback(session.close)
        async with session.transaction():
            await session.execute("SELECT FROM transactions LIMIT 1")
            yield


def migrate(folder: Path, *options: str, tree: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run `migrate` of this release, or of the one at `tree`."""
    return run("migrate", *CONFIG, *options, folder=folder, environ=found_in(tree))


async def test_it_says_which_gateways_go_on(url: str, tmp_path: Path) -> None:
    """`migrate` names the oldest gateways before and after; an older one afterwards has nothing to do."""
    await bring_to(url, "0004")
    there = f"gateways that know schema {sqlite_schema.STEPS.oldest_reader(KNOWN)} or a later"
    checked = migrate(tmp_path, "--check")
    assert checked.returncode == 1
    assert f"then: {there}" in checked.stdout
    moved = migrate(tmp_path)
    assert moved.stdout.startswith(f"the journal went from schema 0004 to {KNOWN}\n{there}")
    assert "(before: from 0001 on)" in moved.stdout
    newer = newer_release(tmp_path / "newer")
    assert f"went from schema {KNOWN} to {NEWER}" in migrate(tmp_path, tree=newer).stdout
    again = migrate(tmp_path)
    assert again.returncode == 0, again.stderr
    assert f"version's {KNOWN}\nnothing to do: gateways that know schema {KNOWN}" in again.stdout


async def test_a_schema_that_shuts_it_out(url: str, tmp_path: Path) -> None:
    """`migrate` and `serve` refuse a newer schema that lets no older gateway in, in a sentence each."""
    newer = newer_release(tmp_path / "newer", reader=NEWER)
    assert migrate(tmp_path, tree=newer).returncode == 0
    for command in ("migrate", "serve"):
        (said,) = complaints(run(command, *CONFIG, folder=tmp_path))
        assert f"has schema {NEWER}, newer than {KNOWN}" in said
        assert said.endswith("run a newer giftcard-gateway")
    assert url


async def test_a_held_table(url: str, tmp_path: Path) -> None:
    """Where another session holds a table `migrate` gives up soon, says so, and has changed nothing."""
    await bring_to(url, "0004")
    async with held(url):
        (said,) = complaints(migrate(tmp_path))
        assert "locked" in said or "another session holds a table of the journal" in said
    assert f"went from schema 0004 to {KNOWN}" in migrate(tmp_path).stdout


@pytest.mark.parametrize("kind", KINDS)
async def test_missing_rights(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Where it may not make tables or files, `migrate` says what it was refused."""
    if kind == "sqlite":
        # Nobody, not even root, makes files there.
        name("sqlite:////sys/journal.db", tmp_path)
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = await server.create_database()
        database = urlsplit(url).path[1:]
        await server.execute(f"CREATE ROLE clerk_{database} LOGIN")
        name(url.replace("//postgres@", f"//clerk_{database}@"), tmp_path)
    (said,) = complaints(migrate(tmp_path))
    assert said.startswith("error: the journal cannot be used: ")
    assert "permitted" in said.lower() or "denied" in said.lower() or "read-only" in said.lower()


@pytest.mark.postgres
async def test_a_database_of_another_program(tmp_path: Path, postgres_server: PostgresServer) -> None:
    """In a PostgreSQL database with anybody else's table `migrate` and `serve` make and touch nothing."""
    for theirs in ("theirs (x integer)", "schema_version (installed_rank integer)", "handles (x integer)"):
        url = await postgres_server.create_database()
        name(url, tmp_path)
        session = await asyncpg.connect(url)
        try:
            await session.execute(f"CREATE TABLE {theirs}")
            for command in ("migrate", "serve"):
                (said,) = complaints(run(command, *CONFIG, folder=tmp_path))
                assert "has tables of another program: give the journal its own database" in said
            assert await session.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 1
        finally:
            await session.close()


@pytest.mark.parametrize("away", ["postgresql://nobody@127.0.0.1:9/nowhere", "sqlite:////proc/nowhere/j.db"])
def test_no_connection(tmp_path: Path, away: str) -> None:
    """A database that is not there is one sentence."""
    name(away, tmp_path)
    (said,) = complaints(migrate(tmp_path))
    assert said.startswith("error: the journal cannot be used: ")


_SLEEPERS = "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
ENDLESS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n;\n",
    "postgres": "SELECT pg_sleep(86400);\n",
}


async def is_halfway(url: str) -> bool:
    """Tell whether the step that never ends has begun."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(path_of(url), timeout=0, isolation_level=None)) as other:
            try:
                other.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return True
            return False
    session = await asyncpg.connect(url)
    try:
        return bool(await session.fetchval(f"SELECT EXISTS ({_SLEEPERS})"))
    finally:
        await session.close()


async def end_sleepers(url: str) -> None:
    """End the server's side of a command that was killed, as it would itself once it says something."""
    session = await asyncpg.connect(url)
    try:
        await session.execute(_SLEEPERS.replace("SELECT", "SELECT pg_terminate_backend(pid)"))
    finally:
        await session.close()


async def test_killed_halfway(url: str, tmp_path: Path) -> None:
    """`migrate` that is killed in the middle has done nothing, and another does it all."""
    await bring_to(url, "0004")
    steps = {kind: f"CREATE TABLE half (x TEXT);\n{sql}" for kind, sql in ENDLESS.items()}
    newer = newer_release(tmp_path / "newer", steps)
    with started("migrate", *CONFIG, folder=tmp_path, environ=found_in(newer)) as running:
        async with asyncio.timeout(PATIENCE_S):
            while not await is_halfway(url):  # noqa: ASYNC110 - what is waited for is in another process
                await asyncio.sleep(0.05)
        running.send(signal.SIGKILL)
        running.ended()
    if not url.startswith("sqlite"):
        await end_sleepers(url)
    assert f"went from schema 0004 to {KNOWN}" in migrate(tmp_path).stdout


@pytest.mark.postgres
async def test_a_worker_on_a_newer_schema(tmp_path: Path, postgres_server: PostgresServer) -> None:
    """A gateway serves on while a newer one migrates, and a worker that dies then is replaced as ever."""
    port = free_port()
    configure(tmp_path, port, await postgres_server.create_database())
    assert migrate(tmp_path).returncode == 0
    serving = started("serve", *CONFIG, folder=tmp_path)
    with simulators(tmp_path, port), serving as running:
        gateway = Sandbox(running, port)
        running.wait_until(lambda: running.complained.count(f"serves on {gateway.address}") == 2)
        moved = migrate(tmp_path, tree=newer_release(tmp_path / "newer"))
        assert moved.returncode == 0, moved.stderr
        redeem(gateway.address)
        os.kill(min(workers_of(running)), signal.SIGKILL)
        running.wait_until(lambda: running.complained.count("serves on") == 3)
        assert running.complained.count(f"has schema {NEWER}, newer than {KNOWN}") == 1
        redeem(gateway.address)
