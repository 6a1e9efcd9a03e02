"""Card data at rest: what sealing promises (rule 16)."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from giftcard_gateway.seal import KEY_BYTES, Seal, SealBroken

OLD, NEW, HASH = (bytes([n]) * KEY_BYTES for n in (1, 2, 3))


def seal(active: str = "old", **keys: bytes) -> Seal:
    """Return a seal with these keys, or the old and the new one."""
    return Seal(keys=keys or {"old": OLD, "new": NEW}, active=active, hash_key=HASH, random_bytes=os.urandom)


@given(st.binary(max_size=2000), st.text(max_size=40))
def test_what_is_sealed_opens_again(text: bytes, row: str) -> None:
    """Whatever is sealed for a row opens for that row, and its text is nowhere in the sealed bytes."""
    sealed = seal().close(text, row=row)
    assert seal().open(sealed, row=row) == text
    assert len(text) < 8 or text not in sealed


def test_no_two_alike() -> None:
    """The same text sealed twice looks different, so that nobody can tell equal cards apart from others."""
    assert seal().close(b"text", row="row") != seal().close(b"text", row="row")


def test_keys_rotate() -> None:
    """A new active key seals what is new; what an old key sealed opens as long as it is configured."""
    old = seal("old").close(b"text", row="row")
    assert seal("new").open(old, row="row") == b"text"
    with pytest.raises(SealBroken):
        seal("new", new=NEW).open(old, row="row")


@given(st.data())
def test_any_change_breaks_it(data: st.DataObject) -> None:
    """One altered bit, a cut, or another row, and it does not open."""
    sealed = bytearray(seal().close(b"some text", row="row"))
    with pytest.raises(SealBroken):
        seal().open(bytes(sealed), row="other")
    with pytest.raises(SealBroken):
        seal().open(bytes(sealed[: data.draw(st.integers(0, len(sealed) - 1))]), row="row")
    place = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[place // 8] ^= 1 << place % 8
    with pytest.raises(SealBroken):
        seal().open(bytes(sealed), row="row")


def test_handles_find_and_do_not_tell() -> None:
    """A blind index is the same for the same card under the same key, and differs by kind and by key."""
    other = Seal(keys={"old": OLD}, active="old", hash_key=NEW, random_bytes=os.urandom)
    indexes = {
        seal().blind_index("number", "6045000000000061"),
        seal("new").blind_index("number", "6045000000000061"),
        seal().blind_index("key", "6045000000000061"),
        other.blind_index("number", "6045000000000061"),
    }
    assert len(indexes) == 3


def test_wrong_keys_are_refused() -> None:
    """A key of the wrong length, or an active key that is not there, is refused at once."""
    with pytest.raises(ValueError, match="32 bytes"):
        seal("old", old=b"short")
    with pytest.raises(ValueError, match="not among"):
        seal("other")
