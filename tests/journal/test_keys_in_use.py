"""Keys in use, as processes on one journal tell each other, and what a start refuses."""

from __future__ import annotations

import pytest

from giftcard_gateway.clock import SystemClock
from giftcard_gateway.journal.contract import Journal
from giftcard_gateway.journal.keys_in_use import KeysInUse, KeysUnknown
from giftcard_gateway.journal.notes import KeyInUse
from tests.journal.samples import event, opened, row
from tests.world.gateway import seal

K1, FIRST = KeyInUse("seal", "k1"), KeyInUse("hash", "first")
K9, OTHER = KeyInUse("seal", "k9"), KeyInUse("hash", "other")
UNDER_K9 = b"\x02\x02k9 sealed"


def keys(journal: Journal, *do_without: str, **ring: object) -> KeysInUse:
    """Return the keys of a host that knows `k1` and `first`."""
    return KeysInUse(journal, seal(SystemClock(), **ring), do_without)  # type: ignore[arg-type]  # as `seal` takes them


def bare(key: KeyInUse) -> KeyInUse:
    """Return a note without its fingerprint."""
    return KeyInUse(key.kind, key.key_id)


async def noted(journal: Journal) -> set[KeyInUse]:
    """Return the keys that are noted, by kind and id."""
    return {bare(key) for key in await journal.keys_in_use()}


async def test_notes_come_and_go(journal: Journal) -> None:
    """A key is noted once, however often it is, and its note can be taken back."""
    assert not await journal.keys_in_use()
    await journal.use_keys([K1, K9, OTHER])
    await journal.use_keys([K1])
    assert await noted(journal) == {K1, K9, OTHER}
    await journal.drop_keys([K9, FIRST])
    await journal.drop_keys([])
    assert await noted(journal) == {K1, OTHER}


async def test_a_start_notes_its_keys(journal: Journal) -> None:
    """What a host is about to write under is known to the others before it does."""
    await keys(journal).must_be_known()
    assert await noted(journal) == {K1, FIRST}
    assert await keys(journal).unknown() == frozenset()


async def test_keys_that_rows_are_under_must_be_known(journal: Journal) -> None:
    """A start is refused with the number of rows under each key that is missing, and notes nothing."""
    await opened(journal, row(document=UNDER_K9), row(document=UNDER_K9, state="REVERSED", hash_key="other"))
    await journal.add_event(event(document=UNDER_K9))
    await journal.use_keys([K9, OTHER])
    with pytest.raises(KeysUnknown) as refused:
        await keys(journal).must_be_known()
    assert "3 documents are sealed under the key k9" in str(refused.value)
    assert "1 transactions are found by the hash key other" in str(refused.value)
    assert await noted(journal) == {K9, OTHER}
    for host in (
        keys(journal, "k9", "other"),
        keys(journal, more={"k9": b"9"}, hashes={"other": b"o"}),
    ):
        await host.must_be_known()
        assert not await host.unknown()


async def test_a_note_of_a_key_that_nothing_is_under_is_forgotten(journal: Journal) -> None:
    """A retired key holds up no start, and only the first that misses it counts the rows."""
    await opened(journal, row(document=b"\x02\x02k1 sealed"))
    await journal.use_keys([K9, OTHER])
    await keys(journal).must_be_known()
    assert await noted(journal) == {K1, FIRST}


async def test_a_host_that_serves_learns_of_a_new_key(journal: Journal) -> None:
    """It hears of a key that another host writes under, and puts its own note back where that was lost."""
    mine = keys(journal)
    await mine.must_be_known()
    assert not await mine.unknown()
    await keys(journal, more={"k9": b"9"}, active="k9").must_be_known()
    await journal.drop_keys([K1])
    assert {bare(key) for key in await mine.unknown()} == {K9}
    assert K1 in await noted(journal)


@pytest.mark.parametrize(
    ("replaced", "kind"),
    [({"key": b"x"}, "sealed under the key k1"), ({"hash_key": b"x"}, "by the hash key first")],
)
async def test_another_key_under_the_same_id_is_refused(
    journal: Journal, replaced: dict[str, bytes], kind: str
) -> None:
    """A key that was overwritten in its file is not taken for the one that rows are under."""
    await keys(journal).must_be_known()
    await opened(journal, row(document=b"\x02\x02k1 sealed"))
    with pytest.raises(
        KeysUnknown, match=f"1 .* {kind} with the fingerprint .* give a new key an id of its own"
    ):
        await keys(journal, **replaced).must_be_known()
    assert await keys(journal, **replaced).unknown()
    await keys(journal).must_be_known()
    assert not await keys(journal).unknown()
    await keys(journal, "k1", "first", **replaced).must_be_known()


async def test_another_key_under_the_same_id_may_come_where_no_row_is(journal: Journal) -> None:
    """Before anything was written a key may be replaced."""
    await keys(journal).must_be_known()
    await keys(journal, key=b"x").must_be_known()
    await opened(journal, row(document=b"\x02\x02k1 sealed"))
    with pytest.raises(KeysUnknown):
        await keys(journal).must_be_known()


async def test_a_note_without_a_fingerprint_gets_one(journal: Journal) -> None:
    """An upgrade notes no fingerprint: the first start tells it, and no later one changes it."""
    await journal.use_keys([K1, FIRST])
    await keys(journal).must_be_known()
    told = set(await journal.keys_in_use())
    assert all(key.fingerprint for key in told)
    await journal.use_keys([KeyInUse("seal", "k1", "00000000")])
    assert set(await journal.keys_in_use()) == told
