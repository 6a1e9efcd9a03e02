"""The search for secrets (rule 16): after a whole story no secret is found anywhere, in any spelling."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from giftcard_gateway.audit.records import AuditRecord
from giftcard_gateway.journal.places import place_of, place_of_event
from giftcard_gateway.journal.postgres.journal import Postgres
from giftcard_gateway.journal.rows import FINAL_STATES
from giftcard_gateway.process.app import App
from tests.postgres import PostgresServer, as_server_user, program
from tests.secrecy.search import Search
from tests.secrecy.story import RETENTION_DAYS, Story, told

AT_LEAST = {
    "logs at DEBUG": 100_000,
    "spans": 100_000,
    "words of exceptions": 10_000,
    "errors callers hear": 10_000,
}
"""Characters; with fewer of them the story was not told."""


AS_ANY_TEXT = {("values beside exceptions", name) for name in ("stranger", "account number")}
"""What the story sends as every text of every request: where a provider is looked up, it is its id.

It is wrapped where a card has its place; as a provider's id it is not, and is told nowhere.
"""


async def searched(story: Story, journal: dict[str, bytes]) -> None:
    """Search what a story left, and its journal; names of secrets and places tell where one was found."""
    left = await story.left() | journal
    sizes = {place: len(left[place]) for place in AT_LEAST}
    assert {place: size for place, size in sizes.items() if size < AT_LEAST[place]} == {}
    known = len(story.secrets)
    assert known > 30
    found = [hit for hit in Search(story.secrets).hits(left) if (hit.place, hit.secret) not in AS_ANY_TEXT]
    assert found == []


async def test_nothing_is_found_with_sqlite(tmp_path: Path) -> None:
    """Neither the file, its write-ahead log, nor anything that was said holds a secret."""
    async with told(tmp_path, f"sqlite:///{tmp_path}/journal.db") as story:
        files = files_of(tmp_path)
        assert {"journal.db", "journal.db-wal"} <= files.keys()
        await searched(story, files)
        await planted(story)
        await erased(story)
    found = Search(story.secrets).hits({"dump": dump_of(tmp_path)} | files_of(tmp_path))
    assert found == []


async def erased(story: Story) -> None:
    """Let the retention pass, and search what is sealed: what ended has none of the story's secrets left.

    Before, there are some: so the search has looked where they were.
    """
    app = story.world.app
    assert app.pipeline.retention is not None
    search = Search(story.secrets)
    assert search.hits({"sealed": await opened(app, story.world.clock.now())}) != []
    story.world.clock.skip(days=RETENTION_DAYS + 1)
    # What nobody decided is overdue by now, ends at any moment, and may keep its numbers from then on.
    due = app.pipeline.retention.before()
    assert (await app.pipeline.retention.everything(_ignore)).erased > 0
    assert search.hits({"sealed": await opened(app, due)}) == []


async def opened(app: App, before: datetime) -> bytes:
    """Return the documents of what ended before a time, and of applied events from before it, in clear."""
    rows = await app.journal.rows_after("", 100_000)
    events = await app.journal.events_after(("", ""), 100_000)
    sealed = [
        *(
            (row.document, place_of(row))
            for row in rows
            if row.state in FINAL_STATES and row.updated_at < before
        ),
        *(
            (event.document, place_of_event(event))
            for event in events
            if event.applied and event.received_at < before
        ),
    ]
    return b"\n".join(app.seal.open(*one) for one in sealed)


def _ignore(count: int) -> None:
    """Do nothing."""


async def planted(story: Story) -> None:
    """Put one more secret into the audit, and find it in each place where the audit comes out."""
    number = "4929381776510348"
    app = story.world.app
    await app.trail.told(app.trail.tell(AuditRecord(at=story.world.clock.now(), act="tried", about=number)))
    hits = Search({"planted": number}).hits(await story.left())
    places = {hit.place for hit in hits}
    assert places >= {"audit table", "audit export", "audit logs"}
    # There the same record's number is masked, whoever wrote it.
    assert "logs at DEBUG" not in places


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the bytes of the journal's files."""
    return {file.name: file.read_bytes() for file in folder.glob("journal.db*")}


def dump_of(folder: Path) -> bytes:
    """Return the journal as SQL."""
    with closing(sqlite3.connect(folder / "journal.db")) as journal:
        return "\n".join(journal.iterdump()).encode()


@pytest.mark.postgres
async def test_nothing_is_found_with_postgresql(tmp_path: Path, postgres_server: PostgresServer) -> None:
    """Neither a dump of the database nor anything that was said holds a secret."""
    url = await postgres_server.create_database()
    await Postgres(url).upgrade()
    async with told(tmp_path, url) as story:
        command = [*as_server_user(), program("pg_dump"), "--inserts", url]
        dumping = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        dump, _ = await dumping.communicate()
        for table in (b"open_transactions", b"ended_transactions"):
            assert b"INSERT INTO public." + table in dump
        await searched(story, {"PostgreSQL dump": dump})
        await erased(story)
