"""Whose a transaction is, and the one id it has wherever tenants meet: in the journal and at providers.

Callers make their ids themselves, so two tenants may use one. Inside, a transaction goes by its key. For the
tenant `default` that is the caller's id; for every other it is derived from tenant and id. Providers document
version 4, so keys have that version, and what tells a derived one from a caller's is its mark.
"""

from __future__ import annotations

import hashlib
import uuid

DEFAULT_TENANT = "default"
"""Who asked where nobody says otherwise, and whose all rows are from before there were tenants."""

_MARK = 0x6B65795F
"""The last 32 bits of every derived key, and of no other: 90 bits of hash are left to tell them apart."""
_DOMAIN = "giftcard transaction key"


def key_of(tenant: str, asked_id: str) -> str:
    """Return the key of the transaction that a tenant calls by this id, a version 4 UUID in lower case.

    A raw id never equals a derived key: an id that bears the mark is derived for `default` as well. So nobody
    can choose an id that meets another tenant's transaction, except by finding a second preimage of 90 bits.
    """
    if tenant == DEFAULT_TENANT and not _bears_mark(asked_id):
        return asked_id
    text = "\0".join((_DOMAIN, str(len(tenant)), tenant, asked_id))
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16])
    return str(uuid.UUID(int=number >> 32 << 32 | _MARK, version=4))


def _bears_mark(asked_id: str) -> bool:
    return asked_id.lower().endswith(f"{_MARK:08x}")
