"""A request to a provider as it is stored, and the answer to it. Values only; nothing is sent here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec


class Call(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request as stored: method, path with query below the base URL, headers, exact body bytes.

    Credentials are not in it. A signer adds them when the call is sent, so that a stored advice outlives
    a key.
    """

    method: str
    path: str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        """Show neither path nor body: both can name a card."""
        return f"Call({self.method}, {len(self.body)} bytes)"


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A provider's answer, complete: status, headers with lower-case names, body bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        """Show the status and never the body."""
        return f"Reply({self.status}, {len(self.body)} bytes)"


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """The time and the nonce of a signature: `now_s` in Unix seconds, and 32 random hex digits."""

    now_s: float
    nonce: str


Signer = Callable[[Call, Moment], Mapping[str, str]]
"""Returns the credential headers for a call; the time and a nonce are passed in (rule 18)."""
