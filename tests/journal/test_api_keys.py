"""API keys in every journal: written beside whoever serves from it, and read with it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from giftcard_gateway.journal.contract import Journal, JournalClosed
from giftcard_gateway.journal.notes import KeyRow
from giftcard_gateway.journal.sqlite.journal import Sqlite
from tests.journal.places import Place
from tests.journal.samples import opened, row


async def test_a_key_is_written_beside_a_serving_gateway(place: Place, journal: Journal) -> None:
    """A journal that was never started writes a key that the serving one reads, and the other way round."""
    beside = place.journal()
    await beside.put_api_key(KeyRow(key_id="one", document=b"first"))
    await journal.put_api_key(KeyRow(key_id="two", document=b"second"))
    assert list(await journal.api_keys()) == list(await beside.api_keys())
    assert {key.key_id: key.document for key in await journal.api_keys()} == {
        "one": b"first",
        "two": b"second",
    }


async def test_a_key_is_replaced(journal: Journal) -> None:
    """A second document under an id takes the first one's place."""
    for document in (b"live", b"revoked"):
        await journal.put_api_key(KeyRow(key_id="one", document=document))
    assert [key.document for key in await journal.api_keys()] == [b"revoked"]


async def test_keys_and_transactions_do_not_wait_for_each_other(place: Place, journal: Journal) -> None:
    """Keys that are written beside a busy gateway cost none of its writes."""
    beside = place.journal()
    keys = [beside.put_api_key(KeyRow(key_id=f"k{number}", document=b"d")) for number in range(20)]
    rows = [opened(journal, row()) for _ in range(50)]
    await asyncio.gather(*keys, *rows)
    assert len(await journal.api_keys()) == 20


async def test_a_journal_that_is_not_there_gets_no_key(tmp_path: Path) -> None:
    """A slip in the file's name makes no second journal."""
    path = tmp_path / "elsewhere.db"
    with pytest.raises(JournalClosed, match="there is no journal"):
        await Sqlite(str(path)).put_api_key(KeyRow(key_id="one", document=b"d"))
    assert not path.exists()
