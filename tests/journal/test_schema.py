"""The schema's steps on both databases: each to the next, from the previous release, and what is refused."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import asyncpg
import msgspec
import pytest

from giftcard_gateway.journal.contract import Journal, JournalBusy, JournalClosed, RowQuery, SchemaUnknown
from giftcard_gateway.journal.postgres.journal import Postgres
from giftcard_gateway.journal.schema import EMPTY, Found, Steps
from giftcard_gateway.journal.sqlite.journal import Sqlite, path_of
from tests.journal.samples import NOW, opened, row
from tests.journal.schemas import FOLDERS, journal_at, run_sql, upgrade_with
from tests.postgres import PostgresServer

PREVIOUS = Path(__file__).with_name("previous")
VERSIONS = [EMPTY, *(file.name[:4] for file in sorted(FOLDERS["sqlite"].glob("0*.sql")))]
ALEMBIC = "alembic_version"


def test_both_databases_have_the_same_steps() -> None:
    """Each step exists for both databases under one name, and no number is left out."""
    names = {kind: sorted(file.name for file in folder.glob("*.sql")) for kind, folder in FOLDERS.items()}
    assert names["sqlite"] == names["postgres"]
    assert VERSIONS[1:] == [f"{number:04}" for number in range(1, len(VERSIONS))]


async def shape(url: str) -> set[tuple[object, ...]]:
    """Return every column and index of the journal's tables, as the database itself describes them."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(path_of(url))) as database:
            return set(
                database.execute(
                    'SELECT t.name, c.name, c.type, c."notnull", c.pk FROM sqlite_schema AS t,'
                    " pragma_table_info(t.name) AS c WHERE t.type = 'table' AND t.name NOT LIKE '%version'"
                    ' UNION SELECT t.name, i.name, i."unique", i.partial, c.name || c.seqno'
                    " FROM sqlite_schema AS t, pragma_index_list(t.name) AS i, pragma_index_info(i.name) AS c"
                    " WHERE t.type = 'table' AND t.name NOT LIKE '%version'"
                )
            )
    session = await asyncpg.connect(url)
    found = await session.fetch(
        "SELECT table_name, column_name, data_type, is_nullable, column_default, collation_name, is_identity"
        " FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE '%version'"
        " UNION SELECT tablename, indexname, indexdef, '', '', '', '' FROM pg_indexes"
        " WHERE schemaname = 'public' AND tablename NOT LIKE '%version'"
        " UNION SELECT relname, array_to_string(reloptions, ','), attname, attstorage::text, '', '', ''"
        " FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
        " WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace"
        " AND relname NOT LIKE '%version'"
    )
    await session.close()
    return {tuple(record) for record in found}


@pytest.mark.parametrize(("before", "after"), list(pairwise(VERSIONS)))
async def test_each_step_leads_from_the_one_before(url: str, before: str, after: str) -> None:
    """A database with the schema before a step gets the step's, and running it again does nothing."""
    if before:
        await upgrade_with(url, lambda folder: Steps(folder, until=before))
    assert (await journal_at(url).schema()).found == before
    for _ in range(2):
        await upgrade_with(url, lambda folder: Steps(folder, until=after))
        assert (await journal_at(url).schema()).found == after


async def test_an_upgraded_journal_works(url: str) -> None:
    """A journal made by the steps starts, has nothing more to run, and keeps a row."""
    await journal_at(url).upgrade()
    assert not (await journal_at(url).schema()).sql
    journal = journal_at(url)
    await journal.start()
    (first,) = await opened(journal, row())
    assert await journal.get(first.transaction_id) == first
    await journal.close()


async def test_the_printed_sql_is_what_runs(url: str) -> None:
    """Running the printed SQL by hand leaves a journal that starts and needs no `migrate`."""
    state = await journal_at(url).schema()
    await run_sql(url, state.sql)
    after = await journal_at(url).schema()
    assert (state.found, after.found, after.sql) == (EMPTY, state.known, "")
    journal = journal_at(url)
    await journal.start()
    await journal.close()


async def previous_release(url: str) -> None:
    """Make the schema as the previous release did, through Alembic."""
    kind = "sqlite" if url.startswith("sqlite") else "postgres"
    await run_sql(url, (PREVIOUS / f"{kind}.sql").read_text())


async def test_a_journal_of_the_previous_release_goes_on(url: str) -> None:
    """A journal that Alembic made is at 0001, and goes on once the steps after it have run."""
    await previous_release(url)
    assert (await journal_at(url).schema()).found == "0001"
    await journal_at(url).upgrade()
    journal = journal_at(url)
    await journal.start()
    (first,) = await opened(journal, row())
    assert await journal.get(first.transaction_id) == first
    await journal.close()


async def test_the_previous_release_made_the_same_tables(
    url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Columns, keys, indexes and storage are the same whether Alembic or our file made them."""
    await previous_release(url)
    if url.startswith("sqlite"):
        other = f"sqlite:///{tmp_path}/other.db"
    else:
        other = await request.getfixturevalue("postgres_server").create_database()
    await upgrade_with(other, lambda folder: Steps(folder, until="0001"))
    assert await shape(url) == await shape(other)


async def test_the_first_step_after_the_previous_release_takes_over(url: str, tmp_path: Path) -> None:
    """A step run on a journal that Alembic made is noted in our table, and Alembic's is gone."""
    await previous_release(url)

    def with_another(folder: Path) -> Steps:
        for file in folder.glob("*.sql"):
            (tmp_path / file.name).write_text(file.read_text())
        (tmp_path / "0099_more.sql").write_text("CREATE TABLE more (x TEXT);\n")
        return Steps(tmp_path)

    await upgrade_with(url, with_another)
    with pytest.raises(SchemaUnknown, match="has schema 0099, newer"):
        await journal_at(url).schema()
    await run_sql(url, "INSERT INTO more VALUES ('it is there')")
    with pytest.raises((sqlite3.OperationalError, asyncpg.UndefinedTableError)):
        await run_sql(url, f"SELECT * FROM {ALEMBIC}")  # noqa: S608 - a name of our own


async def test_a_step_that_fails_leaves_nothing(url: str, tmp_path: Path) -> None:
    """A fault in the middle of a step undoes all of it, and the version stays what it was."""

    def with_a_fault(folder: Path) -> Steps:
        (tmp_path / "schema_version.sql").write_text((folder / "schema_version.sql").read_text())
        (tmp_path / "0001_wrong.sql").write_text(
            "CREATE TABLE half (x TEXT);\nSELECT nothing FROM nowhere;\n"
        )
        return Steps(tmp_path)

    with pytest.raises((JournalClosed, asyncpg.PostgresError)):
        await upgrade_with(url, with_a_fault)
    assert (await journal_at(url).schema()).found == EMPTY
    await journal_at(url).upgrade()


async def pretend(url: str, version: str) -> None:
    """Note that a database has this version and no other."""
    await run_sql(
        url,
        f"DELETE FROM schema_version;INSERT INTO schema_version (version) VALUES ('{version}');",  # noqa: S608 - versions of our own
    )


@pytest.mark.parametrize(
    ("version", "sentence"),
    [("0000", "giftcard-gateway migrate"), ("9999", "newer"), ("5", "another program")],
)
async def test_another_schema_is_refused_with_what_to_do(url: str, version: str, sentence: str) -> None:
    """A start on an older schema says what to run, on a newer one that the gateway is too old."""
    await journal_at(url).upgrade()
    await pretend(url, version)
    with pytest.raises(SchemaUnknown, match=sentence):
        await journal_at(url).start()


@pytest.mark.parametrize("version", ["9999", "5"])
async def test_a_schema_that_is_not_ours_is_not_upgraded(url: str, version: str) -> None:
    """`migrate`, also with --check and --print, says what it does not know, and changes nothing."""
    await journal_at(url).upgrade()
    await pretend(url, version)
    with pytest.raises(SchemaUnknown):
        await journal_at(url).upgrade()
    with pytest.raises(SchemaUnknown):
        await journal_at(url).schema()


def test_a_version_is_told_apart_from_a_step_to_run() -> None:
    """Nothing runs from the known version on, and everything from nothing."""
    steps = Steps(FOLDERS["sqlite"])
    assert not steps.sql(Found(steps.known))
    assert steps.sql(Found(EMPTY)).count("CREATE TABLE transactions") == 1


@pytest.mark.postgres
async def test_postgresql_without_a_schema_is_refused(postgres_server: PostgresServer) -> None:
    """An empty PostgreSQL database is not filled by a start: that is for `migrate`."""
    with pytest.raises(SchemaUnknown, match="run: giftcard-gateway migrate --config"):
        await Postgres(await postgres_server.create_database()).start()


@pytest.mark.postgres
async def test_everything_says_what_it_is_for(postgres_server: PostgresServer) -> None:
    """In PostgreSQL each table, column and index of ours carries its comment, for whoever looks with psql."""
    url = await postgres_server.create_database()
    await Postgres(url).upgrade()
    session = await asyncpg.connect(url)
    silent = await session.fetch(
        "SELECT relname, attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
        " WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace"
        " AND attnum > 0 AND NOT attisdropped AND col_description(attrelid, attnum) IS NULL"
        " UNION ALL SELECT relname, '' FROM pg_class LEFT JOIN pg_constraint ON conindid = pg_class.oid"
        " WHERE relkind IN ('r', 'p', 'i', 'I') AND NOT relispartition"
        " AND relnamespace = 'public'::regnamespace"
        " AND conindid IS NULL AND obj_description(pg_class.oid) IS NULL"
    )
    await session.close()
    assert not silent


@pytest.mark.parametrize(
    "theirs", ["theirs (x)", "schema_version (x)", "transactions (x); CREATE TABLE alembic_version (x)"]
)
async def test_a_sqlite_file_of_someone_else_is_refused(tmp_path: Path, theirs: str) -> None:
    """A SQLite database that is not a journal is neither used nor changed, not even by a look."""
    path = tmp_path / "journal.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(f"CREATE TABLE {theirs}; CREATE TABLE handles (x)")
    before = path.read_bytes()
    with pytest.raises(SchemaUnknown, match="not a journal"):
        await Sqlite(str(path)).schema()
    assert path.read_bytes() == before
    with pytest.raises(SchemaUnknown, match="not a journal"):
        await Sqlite(str(path)).start()
    with pytest.raises(SchemaUnknown, match="not a journal"):
        await Sqlite(str(path)).upgrade()


async def test_a_journal_in_use_is_not_upgraded(tmp_path: Path) -> None:
    """A SQLite journal that a process writes cannot be changed under it."""
    journal = Sqlite(str(tmp_path / "journal.db"))
    await journal.start()
    with pytest.raises(JournalBusy):
        await Sqlite(str(tmp_path / "journal.db")).upgrade()
    await journal.close()


@pytest.mark.parametrize(
    "wrong",
    ["mysql://host/x", "journal.db", "sqlite://host/x", "sqlite:///", "sqlite:///:memory:", "redis://x"],
)
async def test_other_urls_are_refused_in_words(wrong: str) -> None:
    """A URL of no journal is refused with the forms that are."""
    with pytest.raises(ValueError, match="sqlite:///"):
        journal_at(wrong)


@pytest.mark.parametrize(
    ("given", "path"), [("sqlite:///journal.db", "journal.db"), ("sqlite:////var/j.db", "/var/j.db")]
)
def test_a_path_may_be_relative_or_absolute(given: str, path: str) -> None:
    """Three slashes lead to a file beside the working folder, four to an absolute path."""
    assert path_of(given) == path


async def test_a_server_that_is_away_is_named_without_its_password() -> None:
    """Nothing of the password is told when a server cannot be reached."""
    url = "postgresql://gateway:hush-hush@127.0.0.1:1/x"
    with pytest.raises(JournalClosed) as refused:
        await Postgres(url).start()
    assert "hush" not in str(refused.value)


OLD = """
INSERT INTO transactions
    VALUES ('old', 'redeem', 'spar-za', 'APPROVED', 5, 6, 7, '', 2, 1, CAST('d' AS BYTEA));
INSERT INTO handles VALUES (CAST('h' AS BYTEA), 5, 'old');
INSERT INTO changes (transaction_id, created_us, state, at_us) VALUES ('old', 5, 'APPROVED', 6);
"""


async def test_rows_from_before_tenants_belong_to_the_default_one(url: str) -> None:
    """What is from before stays in use, for the tenant `default` and under the first hash key."""
    await upgrade_with(url, lambda folder: Steps(folder, until="0004"))
    await run_sql(url, OLD.replace("BYTEA", "BLOB") if url.startswith("sqlite") else OLD)
    await journal_at(url).upgrade()
    journal = journal_at(url)
    await journal.start()
    try:
        await use_the_old(journal)
    finally:
        await journal.close()


HEADS = """
INSERT INTO events (provider, event_id, name, received_us, document, applied)
    VALUES ('p', '1', 'n', 5, CAST('\x02\x042026 sealed' AS BYTEA), TRUE);
INSERT INTO transactions
    VALUES ('new', 'redeem', 'spar-za', 'APPROVED', 5, 6, 7, '', 2, 1, CAST('\x01\x02k1 sealed' AS BYTEA));
"""


async def test_keys_of_rows_from_before_are_noted(url: str) -> None:
    """The step that notes keys in use notes those of the rows that are there; what is no seal has none."""
    await upgrade_with(url, lambda folder: Steps(folder, until="0004"))
    for script in (OLD, HEADS):
        await run_sql(url, script.replace("BYTEA", "BLOB") if url.startswith("sqlite") else script)
    await journal_at(url).upgrade()
    journal = journal_at(url)
    await journal.start()
    assert {(key.kind, key.key_id) for key in await journal.keys_in_use()} == {
        ("seal", "2026"),
        ("seal", "k1"),
        ("hash", "first"),
    }
    await journal.close()


async def use_the_old(journal: Journal) -> None:
    """Read, list, write and purge the row from before."""
    old = await journal.get("old")
    assert old is not None
    assert (old.tenant, old.asked_id, old.hash_key) == ("default", "", "first")
    for tenant, expected in ((None, ["old"]), ("default", ["old"]), ("shop", [])):
        for index in ((), (b"h",)):
            listed = await journal.list(RowQuery(tenant=tenant, blind_indexes=index))
            assert [each.transaction_id for each in listed] == expected
        feed = await journal.changes(after="", limit=9, tenant=tenant)
        assert [each.transaction_id for each in feed] == expected
    assert [(each.provider, each.count) for each in await journal.backlog()] == [("spar-za", 1)]
    assert await journal.write(msgspec.structs.replace(old, state="CONFIRMED", version=3, due_at=None))
    assert await journal.purge(before=NOW, limit=9) == 1
