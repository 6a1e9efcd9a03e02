"""The spellings of a secret that a search must know: whoever finds one of them has the secret."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from urllib.parse import quote_plus

_GROUP = 4
_SHORTEST = 8
"""A secret of fewer characters is found by chance in what is encoded: it is searched for by itself alone."""


def spellings(secret: str | bytes) -> Mapping[str, bytes]:
    """Return a secret as it may stand somewhere, by the name of the spelling; bytes are those of a key."""
    plain = secret.encode() if isinstance(secret, str) else secret
    if len(plain) < _SHORTEST:
        raise ValueError("too short to be searched for in every spelling")
    found = {"plain": plain, "reversed": plain[::-1], "as Python shows it": repr(plain)[2:-1].encode()}
    found |= dict(_encoded(plain))
    if isinstance(secret, str):
        found |= dict(_written(secret))
        found |= dict(_of_digits(secret)) if secret.isdigit() else {}
    once = {spelled: name for name, spelled in reversed(found.items())}
    return {name: spelled for spelled, name in once.items()}


def _written(secret: str) -> Iterator[tuple[str, bytes]]:
    """Give what a person can still read."""
    groups = [secret[place : place + _GROUP] for place in range(0, len(secret), _GROUP)]
    yield "lower case", secret.lower().encode()
    yield "upper case", secret.upper().encode()
    for name, separator in (("spaced", " "), ("dashed", "-"), ("dotted", "."), ("with commas", ",")):
        yield name, separator.join(groups).encode()
    yield "spread", " ".join(secret).encode()
    yield "URL-quoted", quote_plus(secret).encode()
    yield "URL-quoted whole", "".join(f"%{byte:02X}" for byte in secret.encode()).encode()
    yield "JSON", json.dumps(secret)[1:-1].encode()
    yield "JSON escapes", "".join(f"\\u{ord(char):04x}" for char in secret).encode()
    yield "HTML", "".join(f"&#{ord(char)};" for char in secret).encode()
    yield "UTF-16", secret.encode("utf-16-le")


def _encoded(plain: bytes) -> Iterator[tuple[str, bytes]]:
    """Give what a program reads back, and the digests by which a short number is found again."""
    yield "hex", plain.hex().encode()
    yield "HEX", plain.hex().upper().encode()
    yield "base32", base64.b32encode(plain).rstrip(b"=")
    for shift in range(3):
        # Inside a longer text the same bytes look three ways, and its edges belong to the neighbours too.
        for name, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
            coded = encode(b"\0" * shift + plain)
            whole = (shift + len(plain)) * 8 // 6
            yield f"{name} at {shift}", coded[-(-shift * 8 // 6) : whole]
    for name in ("md5", "sha1", "sha256"):
        digest = hashlib.new(name, plain, usedforsecurity=False)
        yield f"{name} in hex", digest.hexdigest().encode()
        yield f"{name} in bytes", digest.digest()


def _of_digits(secret: str) -> Iterator[tuple[str, bytes]]:
    """Give what a number can be besides."""
    yield "as a number in hex", f"{int(secret):x}".encode()
    if len(secret) % 2 == 0:
        yield "packed", bytes.fromhex(secret)
    yield "in full width", "".join(chr(0xFF10 + int(digit)) for digit in secret).encode()
    yield "in Arabic digits", "".join(chr(0x0660 + int(digit)) for digit in secret).encode()
