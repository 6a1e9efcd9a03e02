"""Pages of lists: sizes and opaque tokens as AIP-158 asks. What is listed is the services' matter."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from giftcard_gateway.errors import InvalidRequest

_Item = TypeVar("_Item")

_DEFAULT_SIZE, _LARGEST_SIZE = 50, 500
_FINGERPRINT_BYTES = 8


class _Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a list goes on, and which list it was."""

    key: tuple[int, str]
    fingerprint: bytes


_PLACE = msgspec.msgpack.Decoder(_Place)


def size_of(page_size: int) -> int:
    """Return how many items a page has; 0 means the default, too many the most."""
    return min(page_size, _LARGEST_SIZE) or _DEFAULT_SIZE


def fingerprint(*parts: bytes) -> bytes:
    """Return a short hash of what was asked, so that a token cannot be used for another list."""
    return hashlib.sha256(b"\0".join(parts)).digest()[:_FINGERPRINT_BYTES]


def token_of(key: tuple[int, str], asked: bytes) -> str:
    """Return the token of a list that goes on after `key`."""
    packed = msgspec.msgpack.encode(_Place(key, asked))
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def key_of(token: str, asked: bytes) -> tuple[int, str] | None:
    """Return where a list goes on, None for its start; raise InvalidRequest for a token of no such list."""
    if not token:
        return None
    try:
        packed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        place = _PLACE.decode(packed)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise InvalidRequest([("page_token", "is not a token this list gave")]) from None
    if place.fingerprint != asked:
        raise InvalidRequest([("page_token", "is of a list with another filter")])
    return place.key


def page_of(
    items: Sequence[_Item], *, page_size: int, token: str, asked: bytes
) -> tuple[Sequence[_Item], str]:
    """Return one page of a list that is at hand whole, and the token of the next."""
    key = key_of(token, asked)
    start = key[0] if key else 0
    end = start + size_of(page_size)
    return items[start:end], token_of((end, ""), asked) if end < len(items) else ""
