"""The chains of the audit: whatever is done to the rows, the check names a record that is wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from giftcard_gateway.audit.records import AuditRecord, Head, chained, exported
from giftcard_gateway.audit.verify import Checked, verify
from giftcard_gateway.journal.notes import AuditRow
from giftcard_gateway.seal import KEY_BYTES, Seal

AT = datetime(2026, 11, 28, tzinfo=UTC)


def seal(hash_key: bytes = b"h" * KEY_BYTES, *, active: str = "first", **more: bytes) -> Seal:
    """Return a seal under a hash key, or under more."""
    return Seal(
        keys={"a": b"k" * KEY_BYTES},
        active="a",
        hash_keys={"first": hash_key, **more},
        hash_active=active,
        random_bytes=bytes,
    )


def chain(
    name: str, length: int, heads: dict[str, Head] | None = None, *, under: Seal | None = None
) -> list[AuditRow]:
    """Return a chain, whose last record notes `heads`."""
    rows: list[AuditRow] = []
    for number in range(1, length + 1):
        record = AuditRecord(
            at=AT + timedelta(seconds=number),
            act="Redeem",
            by=f"till-{number}",
            heads=heads if heads and number == length else {},
        )
        before = rows[-1].mac if rows else b""
        rows.append(chained(record, chain=name, number=number, before=before, seal=under or seal()))
    return rows


def head(row: AuditRow) -> Head:
    """Return a row as others note it."""
    return Head(number=row.number, mac=row.mac.hex())


async def checked(
    rows: Sequence[AuditRow], under: Seal | None = None, **more: list[dict[str, object]]
) -> Checked:
    """Check rows in the order in which a journal gives them."""

    async def given_() -> AsyncIterator[AuditRow]:
        for row in sorted(rows, key=lambda row: (row.chain, row.number)):
            yield row

    return await verify(given_, under or seal(), **more)


async def test_untouched_chains_hold() -> None:
    """What was written and left alone has no fault, over several chains that note each other."""
    first = chain("one", 5)
    found = await checked([*first, *chain("two", 3, {"one": head(first[-1])})])
    assert (found.records, found.faults) == (8, ())
    assert {name: at.number for name, at in found.heads.items()} == {"one": 5, "two": 3}


@given(place=st.integers(0, 3), change=st.sampled_from(["document", "mac", "at", "key_id", "gone", "number"]))
async def test_a_record_that_was_touched_is_found(place: int, change: str) -> None:
    """A record that was changed, moved or taken out of the middle is named, or the one after it."""
    rows = chain("one", 5)
    row = rows[place]
    other = {
        "document": row.document.replace(b"till", b"Till"),
        "mac": bytes(32),
        "at": row.at + timedelta(hours=1),
        "key_id": "00000000",
        "number": 9,
    }
    if change == "gone":
        del rows[place]
    else:
        rows[place] = msgspec.structs.replace(row, **{change: other[change]})
    (fault,) = (await checked(rows)).faults
    assert fault.chain == "one"
    assert fault.number in {place + 1, place + 2}


@given(first=st.integers(0, 4), second=st.integers(0, 4))
async def test_records_that_change_places_are_found(first: int, second: int) -> None:
    """Two records whose contents were exchanged are found, hashes along with them or not."""
    rows = chain("one", 5)
    one, other = rows[first], rows[second]
    rows[first] = msgspec.structs.replace(other, number=one.number)
    rows[second] = msgspec.structs.replace(one, number=other.number)
    assert bool((await checked(rows)).faults) == (first != second)


async def test_a_record_put_in_is_found() -> None:
    """Who lacks the key cannot add a record, at the end neither."""
    rows = chain("one", 2)
    forged = chained(
        AuditRecord(at=AT, act="Void"),
        chain="one",
        number=3,
        before=rows[-1].mac,
        seal=seal(b"x" * KEY_BYTES),
    )
    forged = msgspec.structs.replace(forged, key_id=rows[0].key_id)
    (fault,) = (await checked([*rows, forged])).faults
    assert (fault.chain, fault.number) == ("one", 3)


@pytest.mark.parametrize("left", [0, 3])
async def test_a_cut_end_is_found_by_what_others_noted(left: int) -> None:
    """A chain that lost its end, or is gone, is shorter than another chain says."""
    first = chain("one", 5)
    found = await checked([*first[:left], *chain("two", 2, {"one": head(first[-1])})])
    (fault,) = found.faults
    assert (fault.chain, fault.number) == ("one", 5)


async def test_a_cut_end_is_found_by_an_export() -> None:
    """What an export has must still be there, and be the same."""
    rows = chain("one", 4)
    kept = [msgspec.to_builtins(exported(row)) for row in rows]
    assert not (await checked(rows, exported=kept)).faults
    (fault,) = (await checked(rows[:3], exported=kept)).faults
    assert (fault.number, fault.wrong) == (4, "is not there, though it was noted elsewhere")
    kept[1]["mac"] = "00"
    (fault,) = (await checked(rows, exported=kept)).faults
    assert fault.number == 2


SECOND = b"n" * KEY_BYTES


async def test_chains_under_every_known_key_hold() -> None:
    """After the hash key changed, chains under the old and the new one are checked, each with its own."""
    first = chain("one", 3)
    second = chain("two", 3, {"one": head(first[-1])}, under=seal(second=SECOND, active="second"))
    for active in ("first", "second"):
        assert not (await checked([*first, *second], seal(second=SECOND, active=active))).faults
    del first[-1]
    (fault,) = (await checked([*first, *second], seal(second=SECOND))).faults
    assert (fault.chain, fault.number) == ("one", 3)


async def test_a_missing_key_is_named() -> None:
    """A chain whose key is not known is told of with the key's id and fingerprint; the others are checked."""
    after = seal(SECOND, active="second", second=b"o" * KEY_BYTES)
    first, second = chain("one", 3), chain("two", 3, under=after)
    (fault,) = (await checked([*first, *second])).faults
    key_id = f"second/{after.hash_key.fingerprint}"
    assert (fault.chain, fault.number) == ("two", 1)
    assert fault.wrong == f"was chained under the hash key {key_id}, which is not configured here"


async def test_chains_from_before_keys_had_ids_hold() -> None:
    """Records of the release before name their key by its fingerprint alone."""
    rows = [msgspec.structs.replace(row, key_id=row.key_id.removeprefix("first/")) for row in chain("one", 3)]
    assert {row.key_id for row in rows} == {seal().hash_key.fingerprint}
    assert not (await checked(rows, seal(second=SECOND, active="second"))).faults


async def test_a_chain_is_not_forged_by_naming_another_key() -> None:
    """A record that says it was chained under another known key than it was is found."""
    both = seal(second=SECOND, active="second")
    rows = chain("one", 3)
    rows[1] = msgspec.structs.replace(rows[1], key_id=chain("x", 1, under=both)[0].key_id)
    (fault,) = (await checked(rows, both)).faults
    assert (fault.chain, fault.number) == ("one", 2)


@pytest.mark.parametrize("document", [b"\xff\x00", b"7", b"[]", b"no JSON"])
def test_a_damaged_record_is_exported_as_damaged(document: bytes) -> None:
    """A document that is no record goes out in hexadecimal, at its place, and hides no other."""
    row = msgspec.structs.replace(chain("a", 1)[0], document=document)
    assert exported(row) == {"damaged": document.hex(), "chain": "a", "number": 1, "mac": row.mac.hex()}
