"""What a journal keeps beside transactions and events: API keys, pauses, keys in use, and the audit.

All are few or only ever added to, and what they say is not the journal's to know.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence


class KeyInUse(msgspec.Struct, frozen=True, order=True):
    """A key that rows may be sealed (`seal`) or found (`hash`) under.

    `fingerprint` tells it from another under the same id; it is empty in notes from before there were any.
    """

    kind: Literal["seal", "hash"]
    key_id: str
    fingerprint: str = ""

    @property
    def place(self) -> tuple[str, str]:
        """Return its kind and its id, of which there is one note."""
        return self.kind, self.key_id

    @property
    def name(self) -> str:
        """Return what logs and metrics call it."""
        return self.key_id if self.kind == "seal" else f"{self.kind}:{self.key_id}"


class KeyRow(msgspec.Struct, frozen=True, kw_only=True):
    """One API key: its id, and a document without anything secret, whose meaning is `access`'s."""

    key_id: str
    document: bytes


class PauseRow(msgspec.Struct, frozen=True, kw_only=True):
    """What was last said of one provider: a document, whose meaning is the pipeline's."""

    provider: str
    document: bytes


class AuditRow(msgspec.Struct, frozen=True, kw_only=True):
    """One record of the audit, in the place `number` (from 1) of its chain; what it says is `audit`'s."""

    chain: str
    number: int
    at: datetime
    key_id: str
    document: bytes
    mac: bytes


class Notes(ABC):
    """The part of a journal that keeps them. Raises JournalClosed when its database is away."""

    @abstractmethod
    async def api_keys(self) -> Sequence[KeyRow]:
        """Return every API key; needs no `start`, and works beside a process that has the journal open."""

    @abstractmethod
    async def put_api_key(self, key: KeyRow) -> None:
        """Insert a key durably, or replace the one of its id; needs no `start`, like `api_keys`."""

    @abstractmethod
    async def pauses(self) -> Sequence[PauseRow]:
        """Return what was last said of each provider that was ever paused; needs no `start`."""

    @abstractmethod
    async def put_pause(self, pause: PauseRow) -> None:
        """Insert what is said of a provider durably, or replace what was said before; needs no `start`."""

    @abstractmethod
    async def add_audit(self, rows: Sequence[AuditRow], *, rides: bool = False) -> None:
        """Insert records durably, all or none; one whose place is taken stays as it was written first.

        With `rides` they go with the next write, or by themselves RIDE_S later. Needs no `start`.
        """

    @abstractmethod
    async def audit_heads(self, limit: int) -> Sequence[AuditRow]:
        """Return the last record of each of the chains that come last by name, the last first.

        Costs O(limit), not O(history); needs no `start`.
        """

    @abstractmethod
    async def audit(self, *, after: tuple[str, int], limit: int) -> Sequence[AuditRow]:
        """Return records after a place, by chain and number; needs no `start`."""

    @abstractmethod
    async def purge_audit(self, chain: str, *, until: int, limit: int) -> int:
        """Delete up to `limit` records of a chain, from its first to the number `until`; return how many.

        Needs no `start`. Whether the audit may be cut there is `audit`'s to know.
        """
