"""API keys: made once, shown once, and kept as a hash in the journal, where every replica sees them.

A key is `gck_ID_SECRET`: the id is no secret and may be logged, the secret is 256 random bits. The journal
has a scrypt hash of it. That costs a thread some 50 ms, once a key and process: what was found is remembered.
Two bytes of another hash tell all but one in 65,536 wrong secrets, so that guessing costs us little.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
from collections import Counter, defaultdict
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from giftcard_gateway.access.identities import Identity, SignIn, identity_of
from giftcard_gateway.access.remembered import Remembered
from giftcard_gateway.config.access import Grant
from giftcard_gateway.errors import CredentialsInvalid, Overloaded
from giftcard_gateway.journal.notes import KeyRow
from giftcard_gateway.journal.reread import keep_reading, try_to_read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from giftcard_gateway.clock import Clock
    from giftcard_gateway.journal.contract import Journal

PREFIX = "gck_"
_LONGEST = 128
_ID_BYTES, _SECRET_BYTES, _SALT_BYTES = 8, 32, 16
_COST, _BLOCK, _LANES = 2**14, 8, 1
_HINT_BYTES = 2
_WHAT = "API keys"
_MOST_WAITING = 64
"""How many calls wait for one key to be checked; those of other keys are counted apart."""
_log = logging.getLogger(__name__)


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it is kept: whom it lets in, and what tells its secret from others."""

    key_id: str
    grant: Grant
    created_at: datetime
    salt: bytes
    hint: bytes
    scrypt: bytes
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def is_live(self, now: datetime) -> bool:
        """Tell whether it lets anybody in now."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


_DOCUMENT = msgspec.json.Decoder(ApiKey)


def make(grant: Grant, clock: Clock, *, expires_at: datetime | None = None) -> tuple[ApiKey, str]:
    """Return a new key as it is kept, and the text that its caller keeps, which nobody can show again."""
    key_id = base64.b32encode(clock.random_bytes(_ID_BYTES)).decode().rstrip("=").lower()
    secret = base64.urlsafe_b64encode(clock.random_bytes(_SECRET_BYTES)).decode().rstrip("=")
    salt = clock.random_bytes(_SALT_BYTES)
    key = ApiKey(
        key_id=key_id,
        grant=grant,
        created_at=clock.now(),
        expires_at=expires_at,
        salt=salt,
        hint=_hint(secret, salt),
        scrypt=_scrypt(secret, salt),
    )
    return key, f"{PREFIX}{key_id}_{secret}"


def revoked(key: ApiKey, at: datetime) -> ApiKey:
    """Return a key that lets nobody in any more."""
    return key if key.revoked_at else msgspec.structs.replace(key, revoked_at=at)


def row_of(key: ApiKey) -> KeyRow:
    """Return a key as a row of the journal."""
    return KeyRow(key_id=key.key_id, document=msgspec.json.encode(key))


def keys_of(rows: Sequence[KeyRow]) -> list[ApiKey]:
    """Return the keys in rows of the journal, oldest first; a damaged one is told, and lets nobody in."""
    return sorted(filter(None, map(_key, rows)), key=lambda key: key.created_at)


def _key(row: KeyRow) -> ApiKey | None:
    try:
        key = _DOCUMENT.decode(row.document)
    except (ValueError, msgspec.MsgspecError):
        key = None
    if key is None or key.key_id != row.key_id or key.created_at.tzinfo is None:
        _log.error(
            "an API key in the journal is damaged and lets nobody in", extra={"key_id": row.key_id[:32]}
        )
        return None
    return key


class ApiKeys:
    """Checks keys against those in the journal, which are read every second, and when one is not known."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._keys: dict[str, tuple[ApiKey, Identity]] = {}
        self._documents: dict[str, bytes] = {}
        self._good: Remembered[str] = Remembered(clock)
        self._hashing = asyncio.Lock()
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._waiting = Counter[str]()
        self._reading: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Keep the keys as the journal has them, until cancelled; while it is away they stay as they were."""
        await keep_reading(self.read, self._clock, _log, _WHAT)

    async def read(self) -> None:
        """Read the keys once; raise JournalClosed."""
        rows = await self._journal.api_keys()
        documents = {row.key_id: row.document for row in rows}
        if documents != self._documents:
            self._keys = {key.key_id: (key, identity_of(key.grant, SignIn.API_KEY)) for key in keys_of(rows)}
            self._documents = documents

    def recall(self, text: str) -> Identity | None:
        """Return whose key this is if that was found out before and still holds, at no cost."""
        key, identity = self._keys.get(self._good.get(text) or "", (None, None))
        return identity if key is not None and key.is_live(self._clock.now()) else None

    async def identify(self, text: str) -> Identity:
        """Return whose key this is; raise CredentialsInvalid, or Overloaded."""
        key_id, _, secret = text.removeprefix(PREFIX).partition("_")
        if len(text) > _LONGEST:
            raise _unknown()
        if key_id not in self._keys:
            await self._read_now()
        known = self._keys.get(key_id)
        if known is None:
            raise _unknown()
        key, identity = known
        if self._good.get(text) != key_id:
            if not hmac.compare_digest(_hint(secret, key.salt), key.hint):
                raise _unknown()
            await self._check(text, secret, key)
        if not key.is_live(self._clock.now()):
            cause = "revoked" if key.revoked_at else "expired"
            raise CredentialsInvalid(f"The API key is {cause}.", cause=cause)
        return identity

    async def _read_now(self) -> None:
        """Read the keys at once, so that one just made works; calls that wait share one reading."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(try_to_read(self.read, _log, _WHAT))
        await asyncio.shield(self._reading)

    async def _check(self, text: str, secret: str, key: ApiKey) -> None:
        """Remember a key whose hash is right; raise CredentialsInvalid, or Overloaded if many wait for it.

        One hash at a time leaves the rest of the process its share. One turn for each key means that whoever
        makes us hash under one key, however often, keeps another key waiting for a single hash.
        """
        if self._waiting[key.key_id] >= _MOST_WAITING:
            raise Overloaded
        self._waiting[key.key_id] += 1
        try:
            async with self._turns[key.key_id]:
                if self._good.get(text) == key.key_id:
                    return  # found while this call waited
                async with self._hashing:
                    hashed = await asyncio.to_thread(_scrypt, secret, key.salt)
                if not hmac.compare_digest(hashed, key.scrypt):
                    raise _unknown()
                self._good.put(text, key.key_id)
        finally:
            self._waiting[key.key_id] -= 1


def _hint(secret: str, salt: bytes) -> bytes:
    return hashlib.blake2b(secret.encode(), key=salt, digest_size=32).digest()[:_HINT_BYTES]


def _scrypt(secret: str, salt: bytes) -> bytes:
    return hashlib.scrypt(secret.encode(), salt=salt, n=_COST, r=_BLOCK, p=_LANES, dklen=32)


def _unknown() -> CredentialsInvalid:
    return CredentialsInvalid("The API key is not known here.", cause="unknown")
