"""Pages of lists: their sizes, and opaque tokens as AIP-158 asks."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Annotated, TypeVar
from uuid import UUID

import msgspec

from giftcard_gateway.errors import InvalidRequest

_Item = TypeVar("_Item")

_DEFAULT_SIZE, _LARGEST_SIZE = 50, 500
_FINGERPRINT_BYTES = 8


Key = tuple[datetime, str]
"""The creation time and the id of the last transaction of a page: the next one is older."""


class _Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a list goes on, after a transaction or at a number, and which list it was."""

    at: tuple[Annotated[datetime, msgspec.Meta(tz=True)], UUID] | int
    fingerprint: bytes


_PLACE = msgspec.msgpack.Decoder(_Place)


def size_of(page_size: int) -> int:
    """Return how many items a page has; 0 means the default, too many the most."""
    return min(page_size, _LARGEST_SIZE) or _DEFAULT_SIZE


def fingerprint(*parts: bytes) -> bytes:
    """Return a short hash of what was asked, so that a token cannot be used for another list."""
    return hashlib.sha256(b"\0".join(parts)).digest()[:_FINGERPRINT_BYTES]


def token_of(at: Key | int, asked: bytes) -> str:
    """Return the token of a list that goes on after a transaction, or at the item of this number."""
    packed = msgspec.msgpack.encode((at, asked))
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def key_of(token: str, asked: Collection[bytes]) -> Key | None:
    """Return the transaction a list goes on after, None for its start; `asked` has any of its fingerprints.

    Raises InvalidRequest for a token that the list of this filter did not give.
    """
    if not token:
        return None
    at = _place_of(token, asked)
    if isinstance(at, int):
        raise _not_ours()
    created_at, transaction_id = at
    return created_at, str(transaction_id)


def page_of(
    items: Sequence[_Item], *, page_size: int, token: str, asked: bytes
) -> tuple[Sequence[_Item], str]:
    """Return one page of a list that is at hand whole, and the token of the next."""
    start = _place_of(token, (asked,)) if token else 0
    if not (isinstance(start, int) and 0 <= start <= len(items)):
        raise _not_ours()
    end = start + size_of(page_size)
    return items[start:end], token_of(end, asked) if end < len(items) else ""


def _place_of(token: str, asked: Collection[bytes]) -> tuple[datetime, UUID] | int:
    try:
        packed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        place = _PLACE.decode(packed)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise _not_ours() from None
    if place.fingerprint not in asked:
        raise InvalidRequest([("page_token", "is of a list with another filter")])
    return place.at


def _not_ours() -> InvalidRequest:
    return InvalidRequest([("page_token", "is not a token this list gave")])
