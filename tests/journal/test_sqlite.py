"""What only the SQLite journal does: one writer, faults of the disk, and reading while it writes."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from giftcard_gateway.journal.contract import JournalBusy, JournalClosed, RowQuery
from giftcard_gateway.journal.sqlite.journal import Sqlite
from tests.conftest import ROOT
from tests.journal.places import file
from tests.journal.samples import NOW, after, at, claim, opened, row
from tests.patience import PATIENCE_S
from tests.world.journal import InlineSqlite

LATER = at(3_600_000_000)


@contextmanager
def no_file_may_grow() -> Iterator[None]:
    """Make every write beyond 64 kB fail in this process, as a broken or a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("kind", ["sqlite", "inline"])
async def test_a_second_journal_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    """While one journal writes a file, another is told which process holds it, and may come after it."""
    place = file(kind, tmp_path)
    first, second = place.journal(), place.journal()
    await first.start()
    with pytest.raises(JournalBusy, match=r"process \d+ already writes the journal journal.db"):
        await second.start()
    await opened(first, row())
    await first.close()
    await second.start()
    assert len(await second.list(RowQuery())) == 1
    await second.close()


async def test_a_second_process_is_refused(tmp_path: Path) -> None:
    """Another process that starts on the same file ends with the sentence, and harms nothing."""
    place = file("sqlite", tmp_path)
    journal = place.journal()
    await journal.start()
    other = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tests.journal.writer", place.url],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "JournalBusy: process" in other.stderr
    await opened(journal, row())
    await journal.close()


COUNT = (
    "import contextlib, sqlite3, sys\n"
    "with contextlib.closing(sqlite3.connect(sys.argv[1])) as database:\n"
    "    print(database.execute('SELECT count(*) FROM transactions').fetchone()[0])\n"
)


async def test_a_reader_beside_takes_no_writes_away(tmp_path: Path) -> None:
    """Another program that reads the file and goes leaves the log, and later ones see later rows."""
    path = tmp_path / "journal.db"
    journal = Sqlite(str(path))
    await journal.start()
    for number in range(1, 4):
        await opened(journal, row())
        seen = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", COUNT, str(path)],
            capture_output=True,
            text=True,
            check=True,
        )
        assert int(seen.stdout) == number
    assert path.with_name("journal.db-wal").exists()
    await journal.close()


async def test_a_failing_disk_closes_the_journal_and_a_working_one_opens_it(tmp_path: Path) -> None:
    """While nothing can be written every write says so; afterwards writes work without a restart."""
    journal = Sqlite(str(tmp_path / "journal.db"))
    await journal.start()
    rows = await opened(journal, *(row(document=bytes(4096)) for _ in range(50)))
    with no_file_may_grow():
        outcomes = await asyncio.gather(
            journal.open(row()),
            journal.write(after(rows[0], "APPROVED")),
            journal.check(),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in outcomes] == [JournalClosed] * 3
        assert await journal.get(rows[0].transaction_id) == rows[0]
    await journal.check()
    assert await journal.write(after(rows[0], "APPROVED"))
    assert len(await journal.list(RowQuery(limit=100))) == 50
    await journal.close()


async def test_a_refused_claim_takes_nothing(tmp_path: Path) -> None:
    """A claim that could not be written leaves its rows to the next."""
    journal = Sqlite(str(tmp_path / "journal.db"))
    await journal.start()
    rows = await opened(journal, *(row(due_at=NOW, document=bytes(4096)) for _ in range(50)))
    with no_file_may_grow(), pytest.raises(JournalClosed):
        await claim(journal, now=NOW, lease_until=LATER, driver="a", limit=100)
    assert len(await claim(journal, now=NOW, lease_until=LATER, driver="b", limit=100)) == len(rows)
    await journal.close()


async def test_a_path_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """A folder that is not there gives one sentence, not a traceback of SQLite's."""
    with pytest.raises(JournalClosed, match="No such file or directory"):
        await Sqlite(str(tmp_path / "nowhere" / "journal.db")).start()


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """A file that SQLite cannot read is refused, and left as it was."""
    path = tmp_path / "journal.db"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(JournalClosed, match="not a database"):
        await Sqlite(str(path)).start()
    assert path.read_bytes() == b"not a database" * 100


def private_files(folder: Path) -> set[str]:
    """Name the files that only their owner may read and write."""
    return {path.name for path in folder.iterdir() if stat.S_IMODE(path.stat().st_mode) == 0o600}


async def test_only_its_owner_may_read_a_new_file(tmp_path: Path) -> None:
    """The file and its log are private from the first byte on."""
    journal = Sqlite(str(tmp_path / "journal.db"))
    await journal.start()
    await opened(journal, row())
    assert private_files(tmp_path) == {"journal.db", "journal.db-wal", "journal.db-shm", "journal.db.lock"}
    await journal.close()


async def test_a_closed_journal_says_so(tmp_path: Path) -> None:
    """Before start and after close every call is refused as JournalClosed."""
    journal = Sqlite(str(tmp_path / "journal.db"))
    with pytest.raises(JournalClosed):
        await journal.open(row())
    await journal.start()
    await journal.close()
    with pytest.raises(JournalClosed):
        await journal.get("x")


async def test_closing_finishes_what_waits(tmp_path: Path) -> None:
    """Writes that wait when the journal is closed are written and answered."""
    journal = Sqlite(str(tmp_path / "journal.db"))
    await journal.start()
    waiting = [asyncio.ensure_future(journal.open(row())) for _ in range(100)]
    await asyncio.sleep(0)
    await journal.close()
    assert await asyncio.gather(*waiting) == [None] * 100


async def test_what_was_driven_is_due_after_a_restart(tmp_path: Path) -> None:
    """Rows in the hand of the process before are due at once; rows that wait for their time still do."""
    place = file("inline", tmp_path)
    journal = place.journal()
    await journal.start()
    driven, waiting, _ = await opened(
        journal, row(), row(driver="", due_at=LATER), row(driver="", due_at=None)
    )
    await journal.close()
    journal = place.journal()
    await journal.start()
    taken = await claim(journal, now=driven.updated_at, lease_until=LATER, driver="next", limit=9)
    assert [each.transaction_id for each in taken] == [driven.transaction_id]
    assert (taken[0].version, taken[0].fence) == (2, 2)
    found = await journal.get(waiting.transaction_id)
    assert found == waiting
    await journal.close()


async def test_a_journal_in_memory_lives_until_it_is_closed() -> None:
    """A simulation may keep its journal in memory."""
    journal = InlineSqlite(":memory:")
    await journal.start()
    (first,) = await opened(journal, row())
    assert await journal.get(first.transaction_id) == first
    await journal.close()


async def test_the_event_loop_is_never_blocked_by_the_disk(tmp_path: Path) -> None:
    """While a commit waits for the file the loop goes on turning, and it is done when the file is free."""
    journal = Sqlite(str(tmp_path / "journal.db"))
    await journal.start()
    async with asyncio.timeout(PATIENCE_S):
        with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            opening = asyncio.ensure_future(journal.open(row()))
            for _ in range(1000):
                await asyncio.sleep(0)
            assert not opening.done()
            other.execute("ROLLBACK")
        await opening
    await journal.close()
