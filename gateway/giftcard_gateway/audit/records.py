"""What the audit keeps of one act, and how it is chained to the one before.

A chain belongs to one life of one process. Each record carries a keyed hash over itself and its predecessor's
hash, so nothing can be changed, taken out, put in or moved without the key. What a database alone cannot
prove is that a chain's end was not cut off; so every chain notes from time to time how far the others were.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from giftcard_gateway.journal.notes import AuditRow

if TYPE_CHECKING:
    from giftcard_gateway.seal import HashKey, Seal

BEGAN = "began"
"""A process began its chain."""
NOTED = "noted"
"""How far the other chains were."""
LOST = "lost"
"""So many records found no room, or could not be written."""
REFUSED = "refused"
"""A call was refused because of who made it, or what it cost."""
SAW_SECRETS = "saw_secrets"
"""The secrets of new cards were shown."""
KEY_CREATED, KEY_REVOKED = "api_key_created", "api_key_revoked"
COMMAND = "command"
"""How somebody signed in who typed a command that works on the journal: as a user of the operating system."""
AUDIT_PURGED = "audit_purged"
"""A command cut the beginnings off chains: `cuts` says where."""
RESEALED = "journal_resealed"
"""A command began to seal and index a journal anew, under the keys that `about` names."""
TENANT_MOVED = "tenant_moved"
"""A command began to move a tenant's transactions into another cell: `about` says from where and to where."""
WRAPPED = "key_wrapped"
"""A command had the key of a setting wrapped by a key service, and showed it wrapped."""
PROVIDER_PAUSED, PROVIDER_RESUMED = "provider_paused", "provider_resumed"
"""Somebody paused the provider that `about` names, or let it go on, and said `why`."""
CONFIG_RELOADED, CONFIG_REFUSED = "config_reloaded", "config_refused"
"""A process that serves took a configuration, `about` says what changed; or refused it, and why."""
NUMBERS_ERASED = "card_numbers_erased"
"""Card numbers of finished transactions, and of events, were erased: by a process, or by a command."""
PURGED = "transactions_purged"
"""A process or a command deleted what was finished and old, of all tenants or of the one named."""


class Head(msgspec.Struct, frozen=True, array_like=True):
    """How far a chain was: its last number, and that record's hash in hexadecimal."""

    number: int
    mac: str


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One act; `act` is the RPC's name, such as `Redeem`, or one of the words above."""

    at: datetime
    act: str
    by: str = ""
    """Who: the identity's name, the operating system's user for a command, or empty for nobody known."""
    person: str = ""
    """Who typed the command that called, as the command said: the user of its operating system."""
    why: str = ""
    """What a person gave as the reason for what they did."""
    tenant: str = ""
    for_tenant: str = ""
    """The other tenant that an operator acted for, `*` for all of them."""
    sign_in: str = ""
    machine: str = ""
    """The caller's address, without its port."""
    transaction_id: str = ""
    about: str = ""
    """What the act was about that is no transaction: an RPC that was refused, or an API key's id."""
    reason: str = ""
    """Why it was refused, as ErrorReason has it."""
    count: int = 1
    """How many alike within the same ten seconds this record stands for."""
    heads: dict[str, Head] = {}
    """By chain."""
    cuts: dict[str, Head] = {}
    """By chain, the last record that was purged; what follows it hangs on its hash."""


_ENCODE = msgspec.json.Encoder(order="deterministic").encode
_DECODE = msgspec.json.Decoder(AuditRecord).decode


def chained(record: AuditRecord, *, chain: str, number: int, before: bytes, seal: Seal) -> AuditRow:
    """Return a record as the row of this number, after the row whose hash is `before` (empty for none)."""
    document, key = _ENCODE(record), seal.hash_key
    return AuditRow(
        chain=chain,
        number=number,
        at=record.at,
        key_id=key_id_of(key),
        document=document,
        mac=mac_of(key, chain=chain, number=number, document=document, before=before),
    )


def key_id_of(key: HashKey) -> str:
    """Return what a row says of the key that it is chained with: its id and its fingerprint.

    Rows of releases in which there was one key have the fingerprint alone.
    """
    return f"{key.key_id}/{key.fingerprint}"


def key_of(row: AuditRow, seal: Seal) -> HashKey | None:
    """Return the key that a row is chained with, None when it is not known. Its id does not count."""
    fingerprint = row.key_id.rpartition("/")[2]
    return next((key for key in seal.hash_keys if key.fingerprint == fingerprint), None)


def mac_of(key: HashKey, *, chain: str, number: int, document: bytes, before: bytes) -> bytes:
    """Return the keyed hash of a row."""
    place = f"{len(before)}:{chain}:{number}:".encode()
    return key.audit_mac(before + place + document)


def record_of(row: AuditRow) -> AuditRecord:
    """Return what a row says; raise msgspec.DecodeError for one that says nothing."""
    return _DECODE(row.document)


def exported(row: AuditRow) -> dict[str, Any]:
    """Return a row as one JSON object: what it says, and its place and hash.

    A document that somebody damaged goes along in hexadecimal, so that what comes behind it goes out too.
    """
    try:
        said = msgspec.json.decode(row.document, type=dict[str, Any])
    except msgspec.MsgspecError:
        said = {"damaged": row.document.hex()}
    return {**said, "chain": row.chain, "number": row.number, "mac": row.mac.hex()}
