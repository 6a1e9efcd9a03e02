"""Who has signed in to the console: sessions in this process's memory, found by the cookie of a browser.

The credential stays in the session and goes with every call that is made for it, so a key that is revoked, or
a token that runs out, ends the session too. A cookie is a random text that says nothing, kept here hashed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from giftcard import v1
    from giftcard_adapters.values.secret import Secret
    from giftcard_gateway.access.identities import Identity
    from giftcard_gateway.clock import Clock
    from giftcard_gateway.http.console.bulks import BulkRun

_TOKEN_BYTES = 32
_MOST = 1000
"""OpenSessions of one process; the one that was used longest ago makes room."""
_MOST_OF_ONE = 20
"""OpenSessions of one identity, so that nobody signs everybody else out by signing in."""
_MOST_SEARCHES = 20
_MOST_BULKS = 5


@dataclass(kw_only=True)
class Session:
    """One person's time on the console."""

    identity: Identity
    credential: Secret | None
    """What they signed in with; None where nobody signs in."""
    began_s: float
    seen_s: float
    tenant: str = ""
    """The tenant they act for, if it is not their own."""
    notice: str = ""
    """What the next page tells once: what came of an action."""
    searches: OrderedDict[str, v1.TransactionFilter] = field(default_factory=OrderedDict)
    """What they looked for, by a number that stands in addresses; a card's number must not."""

    bulks: OrderedDict[str, BulkRun] = field(default_factory=OrderedDict)
    """What they had done with many at once, by the key in its address."""
    is_over: bool = False
    """Whether they signed out, or may not come back: nothing more is begun for them."""

    def keep_run(self, run: BulkRun) -> None:
        """Keep an act on many, and forget the oldest of several that have ended."""
        self.bulks[run.key] = run
        ended = [key for key, one in self.bulks.items() if one.is_ended]
        for key in ended[: max(0, len(self.bulks) - _MOST_BULKS)]:
            del self.bulks[key]

    def keep(self, key: str, wanted: v1.TransactionFilter) -> None:
        """Keep what was looked for, and forget the oldest of many."""
        self.searches[key] = wanted
        while len(self.searches) > _MOST_SEARCHES:
            self.searches.popitem(last=False)

    def take_notice(self) -> str:
        """Return what is to be told, and tell it no more."""
        notice, self.notice = self.notice, ""
        return notice


class OpenSessions:
    """The sessions of one process."""

    def __init__(self, clock: Clock, *, idle_s: float, session_s: float) -> None:
        """Begin with nobody signed in."""
        self._clock = clock
        self._idle_s = idle_s
        self._session_s = session_s
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()
        self._key = clock.random_bytes(_TOKEN_BYTES)

    def fresh_token(self) -> str:
        """Return a text that nobody can guess."""
        return base64.urlsafe_b64encode(self._clock.random_bytes(_TOKEN_BYTES)).decode().rstrip("=")

    def open(self, identity: Identity, credential: Secret | None) -> tuple[str, Session]:
        """Begin a session; return the text for its cookie, and the session."""
        token, now_s = self.fresh_token(), self._clock.monotonic_s()
        session = Session(identity=identity, credential=credential, began_s=now_s, seen_s=now_s)
        if credential is not None:
            own = [key for key, one in self._sessions.items() if _is_same(one.identity, identity)]
            for key in own[: len(own) + 1 - _MOST_OF_ONE]:
                del self._sessions[key]
        self._sessions[_hashed(token)] = session
        while len(self._sessions) > _MOST:
            self._sessions.popitem(last=False)
        return token, session

    def find(self, token: str, *, is_used: bool) -> Session | None:
        """Return a cookie's session if it still goes on; `is_used` by a person, not by a page alone."""
        key, now_s = _hashed(token), self._clock.monotonic_s()
        session = self._sessions.get(key)
        if session is None:
            return None
        if now_s - session.seen_s > self._idle_s or now_s - session.began_s > self._session_s:
            del self._sessions[key]
            return None
        if is_used:
            session.seen_s = now_s
            self._sessions.move_to_end(key)
        return session

    def close(self, token: str) -> None:
        """End a session."""
        if (session := self._sessions.pop(_hashed(token), None)) is not None:
            session.is_over = True

    def stamp(self, token: str) -> str:
        """Return what a form must carry to be from a page of ours that this cookie's browser was shown."""
        return hmac.new(self._key, token.encode(), hashlib.sha256).hexdigest()

    def is_stamp(self, token: str, shown: str) -> bool:
        """Tell whether a form carries what it must."""
        return hmac.compare_digest(self.stamp(token).encode(), shown.encode())


def _is_same(one: Identity, other: Identity) -> bool:
    return (one.tenant, one.signature) == (other.tenant, other.signature)


def _hashed(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
