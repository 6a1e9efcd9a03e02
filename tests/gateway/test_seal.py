"""Card data at rest: what sealing promises (rule 16)."""

from __future__ import annotations

import hmac
import os

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from hypothesis import given
from hypothesis import strategies as st

from giftcard_gateway.seal import KEY_BYTES, HashKey, KeyMissing, Place, Seal, SealBroken

OLD, NEW, HASH = (bytes([n]) * KEY_BYTES for n in (1, 2, 3))


def seal(active: str = "old", **keys: bytes) -> Seal:
    """Return a seal with these keys, or the old and the new one."""
    return Seal(
        keys=keys or {"old": OLD, "new": NEW},
        active=active,
        hash_keys={"first": HASH},
        random_bytes=os.urandom,
    )


def at(row: str, version: int = 1, fence: int = 1, **more: str) -> Place:
    """Return a place in a table."""
    return Place(
        table=more.pop("table", "rows"), row=row, version=version, fence=fence, columns=(*more.values(),)
    )


@given(st.binary(max_size=2000), st.text(max_size=40))
def test_what_is_sealed_opens_again(text: bytes, row: str) -> None:
    """Whatever is sealed for a row opens for that row, and its text is nowhere in the sealed bytes."""
    sealed = seal().close(text, at(row))
    assert seal().open(sealed, at(row)) == text
    assert len(text) < 8 or text not in sealed


def test_no_two_alike() -> None:
    """The same text sealed twice looks different, so that nobody can tell equal cards apart from others."""
    assert seal().close(b"text", at("row")) != seal().close(b"text", at("row"))


def test_keys_rotate() -> None:
    """A new active key seals what is new; what an old key sealed opens as long as it is configured."""
    old = seal("old").close(b"text", at("row"))
    assert seal("new").open(old, at("row")) == b"text"
    with pytest.raises(SealBroken):
        seal("new", new=NEW).open(old, at("row"))


@given(st.data())
def test_any_change_breaks_it(data: st.DataObject) -> None:
    """One altered bit, a cut, or another row, and it does not open."""
    sealed = bytearray(seal().close(b"some text", at("row")))
    with pytest.raises(SealBroken):
        seal().open(bytes(sealed), at("other"))
    with pytest.raises(SealBroken):
        seal().open(bytes(sealed[: data.draw(st.integers(0, len(sealed) - 1))]), at("row"))
    place = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[place // 8] ^= 1 << place % 8
    with pytest.raises(SealBroken):
        seal().open(bytes(sealed), at("row"))


def test_handles_find_and_do_not_tell() -> None:
    """A blind index is the same for the same card under the same key, and differs by kind and by key."""
    one, other = HashKey("first", HASH), HashKey("second", NEW)
    indexes = {
        one.blind_index("number", "6045000000000061"),
        HashKey("first", HASH).blind_index("number", "6045000000000061"),
        one.blind_index("key", "6045000000000061"),
        other.blind_index("number", "6045000000000061"),
    }
    assert len(indexes) == 3


@given(key=st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES), kind=st.text(), text=st.text())
def test_hashes_are_what_is_in_journals(key: bytes, kind: str, text: str) -> None:
    """A blind index and an audit's hash are the HMAC-SHA-256 that every row was written with."""
    hashed, said = HashKey("first", key), f"{kind}\0{text}".encode()
    assert hashed.blind_index(kind, text) == hmac.digest(key, said, "sha256")[:16]
    audit_key = hmac.digest(key, b"giftcard audit chain", "sha256")
    assert hashed.audit_mac(said) == hmac.digest(audit_key, said, "sha256")


def test_wrong_keys_are_refused() -> None:
    """A key of the wrong length, or an active key that is not there, is refused at once."""
    with pytest.raises(ValueError, match="32 bytes"):
        seal("old", old=b"short")
    with pytest.raises(ValueError, match="not among"):
        seal("other")


def test_an_older_text_of_the_same_row_is_found() -> None:
    """Claims count version and fence together and leave a text in force; any write after it does not."""
    sealed = seal().close(b"text", at("row", version=3, fence=2))
    assert seal().open(sealed, at("row", version=5, fence=4)) == b"text"
    for version, fence in ((4, 2), (3, 3), (5, 3), (2, 1), (2, 2)):
        with pytest.raises(SealBroken, match="older"):
            seal().open(sealed, at("row", version=version, fence=fence))


def test_a_text_is_bound_to_table_and_columns() -> None:
    """The same row's text does not open in another table, or beside other columns, such as the state."""
    sealed = seal().close(b"text", at("row", state="PENDING"))
    assert seal().open(sealed, at("row", state="PENDING")) == b"text"
    for place in (at("row", state="APPROVED"), at("row", state="PENDING", table="events")):
        with pytest.raises(SealBroken):
            seal().open(sealed, place)


def test_texts_of_earlier_releases_open() -> None:
    """What was bound to a row's id alone opens for that row, and for no other."""
    nonce, head = bytes(12), b"\x01\x03old"
    sealed = head + nonce + AESGCMSIV(OLD).encrypt(nonce, b"text", head + b"row")
    assert seal().open(sealed, at("row", version=9)) == b"text"
    with pytest.raises(SealBroken):
        seal().open(sealed, at("other"))


def test_a_missing_key_is_named() -> None:
    """A key that is not configured is told by its id, apart from what was altered."""
    sealed = seal("new").close(b"text", at("row"))
    with pytest.raises(KeyMissing, match="'new'"):
        seal("old", old=OLD).open(sealed, at("row"))
