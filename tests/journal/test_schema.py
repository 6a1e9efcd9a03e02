"""The schema's steps, on both databases: from each to the next, and what is refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

import giftcard_gateway.journal
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.config.settings import Journal as JournalSettings
from giftcard_gateway.journal import schema, stores
from giftcard_gateway.journal.contract import JournalBusy, JournalClosed, SchemaUnknown
from giftcard_gateway.journal.postgres.journal import Postgres
from giftcard_gateway.journal.sqlite.journal import Sqlite
from tests.journal.samples import opened, row
from tests.postgres import PostgresServer


def steps() -> Iterator[tuple[str, str]]:
    """Give each step as (the schema before it, its own)."""
    config = Config()
    config.set_main_option(
        "script_location", str(Path(giftcard_gateway.journal.__file__).parent / "migrations")
    )
    config.set_main_option("path_separator", "os")
    for revision in reversed(list(ScriptDirectory.from_config(config).walk_revisions())):
        assert isinstance(revision.down_revision, str | None)
        yield revision.down_revision or schema.EMPTY, revision.revision


STEPS = list(steps())


def test_the_newest_step_is_the_known_schema() -> None:
    """The schema that a start accepts is the last of an unbroken line of steps."""
    assert STEPS[-1][1] == schema.HEAD
    assert [before for before, _ in STEPS] == [schema.EMPTY, *(after for _, after in STEPS[:-1])]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of a database without a schema, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/journal.db"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return await server.create_database()


@pytest.mark.parametrize(("before", "after"), STEPS)
async def test_each_step_leads_from_the_one_before(url: str, before: str, after: str) -> None:
    """A database with the schema before a step gets the step's, and running it again does nothing."""
    if before:
        await stores.upgrade(url, before)
    assert await stores.current(url) == before
    await stores.upgrade(url, after)
    assert await stores.current(url) == after
    await stores.upgrade(url, after)
    assert await stores.current(url) == after


async def test_an_upgraded_journal_works(url: str) -> None:
    """A journal made by the steps starts and keeps a row."""
    await stores.upgrade(url)
    journal = stores.open_journal(JournalSettings(url=Secret(url)))
    await journal.start()
    (first,) = await opened(journal, row())
    assert await journal.get(first.transaction_id) == first
    await journal.close()


@pytest.mark.parametrize(("version", "sentence"), [("0000", "giftcard-gateway migrate"), ("9999", "newer")])
async def test_another_schema_is_refused_with_what_to_do(url: str, version: str, sentence: str) -> None:
    """A start on an older schema says what to run, on a newer one that the gateway is too old."""
    await stores.upgrade(url)
    await _set_version(url, version)
    with pytest.raises(SchemaUnknown, match=sentence):
        await stores.open_journal(JournalSettings(url=Secret(url))).start()


async def _set_version(url: str, version: str) -> None:
    statement = f"UPDATE alembic_version SET version_num = '{version}'"  # noqa: S608 - two versions of our own
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(stores.sqlite_path(url))) as database:
            database.execute(statement)
            database.commit()
    else:
        session = await asyncpg.connect(url)
        await session.execute(statement)
        await session.close()


@pytest.mark.postgres
async def test_postgresql_without_a_schema_is_refused(postgres_server: PostgresServer) -> None:
    """An empty PostgreSQL database is not filled by a start: that is for `migrate`."""
    with pytest.raises(SchemaUnknown, match="run: giftcard-gateway migrate --config"):
        await Postgres(await postgres_server.create_database()).start()


@pytest.mark.postgres
async def test_every_column_says_what_it_is_for(postgres_server: PostgresServer) -> None:
    """In PostgreSQL each column of ours carries its comment, for whoever looks with psql."""
    url = await postgres_server.create_database()
    await stores.upgrade(url)
    session = await asyncpg.connect(url)
    silent = await session.fetch(
        "SELECT relname, attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
        " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'"
        " AND attnum > 0 AND col_description(attrelid, attnum) IS NULL"
    )
    await session.close()
    assert not silent


async def test_a_sqlite_file_of_someone_else_is_refused(tmp_path: Path) -> None:
    """A SQLite database that is not a journal is neither used nor changed."""
    path = tmp_path / "journal.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE theirs (x)")
    with pytest.raises(SchemaUnknown, match="not a journal"):
        await Sqlite(str(path)).start()


async def test_a_journal_in_use_is_not_upgraded(tmp_path: Path) -> None:
    """A SQLite journal that a process writes cannot be changed under it."""
    journal = Sqlite(str(tmp_path / "journal.db"))
    await journal.start()
    with pytest.raises(JournalBusy):
        await stores.upgrade(f"sqlite:///{tmp_path}/journal.db")
    await journal.close()


@pytest.mark.parametrize(
    "wrong", ["mysql://host/x", "journal.db", "sqlite://host/x", "sqlite:///", "redis://x"]
)
async def test_other_urls_are_refused_in_words(wrong: str) -> None:
    """A URL of no journal is refused with the forms that are."""
    with pytest.raises(ValueError, match="sqlite:///"):
        stores.open_journal(JournalSettings(url=Secret(wrong)))


@pytest.mark.parametrize(
    ("given", "path"), [("sqlite:///journal.db", "journal.db"), ("sqlite:////var/j.db", "/var/j.db")]
)
def test_a_path_may_be_relative_or_absolute(given: str, path: str) -> None:
    """Three slashes lead to a file beside the working folder, four to an absolute path."""
    assert stores.sqlite_path(given) == path


async def test_a_server_that_is_away_is_named_without_its_password() -> None:
    """Nothing of the password is told when a server cannot be reached."""
    url = "postgresql://gateway:hush-hush@127.0.0.1:1/x"
    with pytest.raises(JournalClosed) as refused:
        await Postgres(url).start()
    assert "hush" not in str(refused.value)
