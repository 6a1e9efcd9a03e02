"""The SQL of API keys and pauses in PostgreSQL, and the rows it gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from giftcard_gateway.journal.notes import KeyRow, PauseRow
from giftcard_gateway.journal.postgres.durably import DURABLY
from giftcard_gateway.journal.rows import bytes_in

if TYPE_CHECKING:
    import asyncpg

API_KEYS = "SELECT key_id, document FROM api_keys ORDER BY key_id"

PUT_API_KEY = f"""
WITH {DURABLY}
INSERT INTO api_keys (key_id, document) SELECT $1, $2 FROM durable
ON CONFLICT (key_id) DO UPDATE SET document = excluded.document
"""

PAUSES = "SELECT provider, document FROM pauses ORDER BY provider"

PUT_PAUSE = f"""
WITH {DURABLY}
INSERT INTO pauses (provider, document) SELECT $1, $2 FROM durable
ON CONFLICT (provider) DO UPDATE SET document = excluded.document
"""


def key_row(found: asyncpg.Record) -> KeyRow:
    """Return an API key as it was read."""
    return KeyRow(key_id=found["key_id"], document=bytes_in(found["document"]))


def pause_row(found: asyncpg.Record) -> PauseRow:
    """Return what was said of a provider as it was read."""
    return PauseRow(provider=found["provider"], document=bytes_in(found["document"]))
