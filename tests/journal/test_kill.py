"""What survives kill -9 of a process that writes: everything it was told is written (rules 2 and 17)."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.journal.places import Place, file
from tests.journal.samples import MICROSECOND, at, claim, opened, row

LINES = 3000


def run_until_killed(url: str) -> dict[str, int]:
    """Start a writer, kill it amid its work, and return the version of each row it was promised."""
    writer = subprocess.Popen(
        [sys.executable, "-m", "tests.journal.writer", url], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    said = [writer.stdout.readline() for _ in range(LINES)]
    writer.kill()
    # What was said before the end counts too, but for a line that was cut.
    said += [line for line in writer.stdout if line.endswith("\n")]
    writer.wait()
    writer.stdout.close()
    return {transaction_id: int(version) for transaction_id, version in (line.split() for line in said)}


@pytest.mark.crash
async def test_what_was_acknowledged_survives_a_kill(place: Place) -> None:
    """Every acknowledged open and write is there after kill -9, and the journal can be written at once."""
    promised = await asyncio.to_thread(run_until_killed, place.url)
    journal = place.journal()
    await journal.start()
    for transaction_id, version in promised.items():
        found = await journal.get(transaction_id)
        assert found is not None
        assert found.version >= version
    await opened(journal, row())
    await journal.close()


@pytest.mark.crash
async def test_what_a_killed_process_drove_is_due_at_once(tmp_path: Path) -> None:
    """SQLite has one process, so what a dead one drove need not wait for its lease to end."""
    place = file("sqlite", tmp_path)
    await asyncio.to_thread(run_until_killed, place.url)
    journal = place.journal()
    await journal.start()
    due_at = min(due.due_at for due in await journal.next_due())
    assert due_at < at(LINES)
    (taken,) = await claim(journal, now=due_at, lease_until=due_at + MICROSECOND, driver="next", limit=1)
    assert (taken.driver, taken.fence) == ("next", 2)
    await journal.close()
