"""Which gateways work with a schema: each step says so, the database keeps it, and a start goes by it."""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from giftcard_gateway.journal.contract import JournalBusy, SchemaUnknown
from giftcard_gateway.journal.schema import Steps
from tests.journal.samples import opened, row
from tests.journal.schemas import FOLDERS, journal_at, run_sql, upgrade_with
from tests.patience import PATIENCE_S
from tests.postgres import PostgresServer

KNOWN = Steps(FOLDERS["sqlite"]).known
STEPS = sorted(file for folder in FOLDERS.values() for file in folder.glob("0*.sql"))
ADDS = "CREATE TABLE more (x TEXT);\n"


def with_another(into: Path, reader: str) -> type[Steps]:
    """Return steps with one more, which only adds and says its oldest reader; empty says nothing."""

    def made(folder: Path) -> Steps:
        shutil.copytree(folder, into, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
        line = f"-- oldest reader: {reader}\n" if reader else ""
        (into / "0099_more.sql").write_text(line + ADDS, encoding="utf-8")
        return Steps(into)

    return made  # type: ignore[return-value]  # called as Steps is


@pytest.mark.parametrize("file", STEPS)
def test_each_step_names_its_oldest_reader(file: Path) -> None:
    """The first line of a step says from which schema on gateways work with what it leaves."""
    first = file.read_text(encoding="utf-8").partition("\n")[0]
    said = re.fullmatch(r"-- oldest reader: (\d{4})", first)
    assert said, (
        f"{file.parent.name}/{file.name} must begin with the line `-- oldest reader: NNNN`: the oldest schema"
        f" whose gateways may be started on what this step leaves; {file.name[:4]} where none from before may"
    )
    assert "0001" <= said[1] <= file.name[:4]


def test_both_databases_shut_the_same_gateways_out() -> None:
    """A step has one oldest reader, whatever the database."""
    steps = {kind: Steps(folder) for kind, folder in FOLDERS.items()}
    numbers = [file.name[:4] for file in FOLDERS["sqlite"].glob("0*.sql")]
    assert [steps["sqlite"].reader_of(number) for number in numbers] == [
        steps["postgres"].reader_of(number) for number in numbers
    ]


async def test_a_newer_schema_that_may_be_read_is_worked_with(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A gateway starts on a newer schema that lets it in, says so in one line, and keeps rows there."""
    await upgrade_with(url, with_another(tmp_path / "steps", KNOWN))
    journal = journal_at(url)
    with caplog.at_level(logging.WARNING):
        await journal.start()
    (told,) = [record.getMessage() for record in caplog.records]
    assert f"has schema 0099, newer than {KNOWN}" in told
    (first,) = await opened(journal, row())
    assert await journal.get(first.transaction_id) == first
    await journal.close()


async def test_migrate_leaves_a_newer_schema_alone(url: str, tmp_path: Path) -> None:
    """`migrate` of an older gateway that may read a newer schema has nothing to run, and runs nothing."""
    await upgrade_with(url, with_another(tmp_path / "steps", KNOWN))
    await journal_at(url).upgrade()
    state = await journal_at(url).schema()
    assert (state.found, state.known, state.sql) == ("0099", KNOWN, "")
    assert (state.oldest_reader, state.oldest_reader_after) == (KNOWN, KNOWN)


@pytest.mark.parametrize("reader", ["0099", ""])
async def test_a_newer_schema_that_shuts_it_out_is_refused(url: str, tmp_path: Path, reader: str) -> None:
    """Where only newer gateways may work with it, or nothing is said, a start is refused in a sentence."""
    await upgrade_with(url, with_another(tmp_path / "steps", reader))
    with pytest.raises(SchemaUnknown, match="before 0099 may not write it: run a newer giftcard-gateway"):
        await journal_at(url).start()
    with pytest.raises(SchemaUnknown, match="run a newer giftcard-gateway"):
        await journal_at(url).upgrade()


@pytest.mark.postgres
async def test_a_step_that_wants_gateways_stopped_waits_for_that(postgres_server: PostgresServer) -> None:
    """While a gateway is connected such a step is refused, and changes nothing; then it is made."""
    url = await postgres_server.create_database()
    await upgrade_with(url, lambda folder: Steps(folder, until="0009"))
    gateway = await asyncpg.connect(url, server_settings={"application_name": "giftcard-gateway"})
    with pytest.raises(JournalBusy, match=r"1 sessions with this journal.*stop them all"):
        await journal_at(url).upgrade()
    assert (await journal_at(url).schema()).found == "0009"
    await gateway.close()
    other = await asyncpg.connect(url, server_settings={"application_name": "psql"})
    async with asyncio.timeout(PATIENCE_S):
        while (await journal_at(url).schema()).found != KNOWN:
            # The server needs a moment to see that a session is gone.
            with suppress(JournalBusy):
                await journal_at(url).upgrade()
    await other.close()


@pytest.mark.postgres
async def test_a_step_that_is_made_stops_nobody(postgres_server: PostgresServer) -> None:
    """Where such a step was made already, or there is no journal yet, a connected gateway hinders nothing."""
    url = await postgres_server.create_database()
    gateway = await asyncpg.connect(url, server_settings={"application_name": "giftcard-gateway"})
    for _ in range(2):
        await journal_at(url).upgrade()
    assert (await journal_at(url).schema()).found == KNOWN
    await gateway.close()


async def say_nothing(url: str, *versions: str) -> None:
    """Give a journal the table of versions that it had before steps said their oldest reader."""
    table = "CREATE TABLE schema_version (version TEXT NOT NULL PRIMARY KEY, applied_at TEXT DEFAULT '')"
    rows = ", ".join(f"('{version}')" for version in versions)
    insert = f"INSERT INTO schema_version (version) VALUES {rows}"  # noqa: S608 - versions of our own
    await run_sql(url, f"DROP TABLE schema_version; {table}; {insert}")


@pytest.mark.parametrize("is_printed", [False, True])
async def test_a_journal_from_before_learns_it(url: str, *, is_printed: bool) -> None:
    """A journal that does not say yet which gateways work with it says so of every step afterwards."""
    await upgrade_with(url, lambda folder: Steps(folder, until="0007"))
    await say_nothing(url, *(f"{number:04}" for number in range(1, 8)))
    before = await journal_at(url).schema()
    assert (before.found, before.oldest_reader) == ("0007", "0006")
    if is_printed:
        await run_sql(url, before.sql)
    else:
        await journal_at(url).upgrade()
    after = await journal_at(url).schema()
    assert (after.found, after.sql, after.oldest_reader) == (KNOWN, "", before.oldest_reader_after)
    # Whatever the first step says is kept as it says.
    await run_sql(url, "DELETE FROM schema_version WHERE version <> '0001'")
    assert (await journal_at(url).schema()).oldest_reader == "0001"


async def test_a_newer_schema_that_says_nothing_is_refused(url: str) -> None:
    """A newer schema in whose table nothing is said of older gateways lets none of them in."""
    await journal_at(url).upgrade()
    await say_nothing(url, KNOWN, "0099")
    with pytest.raises(SchemaUnknown, match="run a newer giftcard-gateway"):
        await journal_at(url).start()
