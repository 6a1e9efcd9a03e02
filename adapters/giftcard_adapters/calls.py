"""A request to a provider as it is stored, and the answer to it. Values only; nothing is sent here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec

_MOST_DIGITS = 9
"""Of seconds in `Retry-After`: thirty years. More is no wait but a fault."""


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


def is_header_value(text: str) -> bool:
    """Tell whether a credential can stand in a header as it is: printable ASCII, no blank at either end."""
    return text.isascii() and text.isprintable() and text == text.strip()


def retry_after_s(reply: Reply) -> float | None:
    """Return how long a provider asks to be left alone, in seconds; None where it says nothing sensible.

    `Retry-After` is seconds or a date (RFC 9110, 10.2.3). A date is read against the reply's own `Date`,
    because an adapter has no clock. The value is the provider's: whoever waits caps it.
    """
    told = reply.headers.get("retry-after", "").strip()
    if told.isascii() and told.isdigit():
        return float(told) if len(told) <= _MOST_DIGITS else None
    until, now = http_date(told), http_date(reply.headers.get("date", ""))
    if until is None or now is None or until < now:
        return None
    return (until - now).total_seconds()


def http_date(told: str) -> datetime | None:
    """Return the time a header tells; None when it tells none."""
    try:
        at = parsedate_to_datetime(told)
    except (ValueError, OverflowError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """The time and the nonce of a signature: `now_s` in Unix seconds, and 32 random hex digits."""

    now_s: float
    nonce: str


Signer = Callable[[Call, Moment], Mapping[str, str]]
"""Returns the credential headers for a call; the time and a nonce are passed in (rule 18)."""
