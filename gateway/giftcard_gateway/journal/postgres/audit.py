"""The SQL of the audit, and its rows as the journal gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from giftcard_gateway.journal.microseconds import from_us, to_us
from giftcard_gateway.journal.notes import AuditRow
from giftcard_gateway.journal.postgres.durably import AUDIT_COLUMNS, DURABLY, append
from giftcard_gateway.journal.rows import bytes_in, text_in

if TYPE_CHECKING:
    import asyncpg

ADD_AUDIT = f"WITH {DURABLY} {append(1)}"

AUDIT = f"SELECT {AUDIT_COLUMNS} FROM audit WHERE (chain, number) > ($1, $2) ORDER BY chain, number LIMIT $3"

OPEN_PURGE_OF_AUDIT = "INSERT INTO audit_purging (chain, until_number) VALUES ($1, $2)"

PURGE_AUDIT = """
WITH gone AS (
    DELETE FROM audit WHERE chain = $1 AND number = ANY(ARRAY(
        SELECT number FROM audit WHERE chain = $1 AND number <= $2 ORDER BY number LIMIT $3
    )) RETURNING 1
)
SELECT count(*) FROM gone
"""

CLOSE_PURGE_OF_AUDIT = "DELETE FROM audit_purging WHERE chain = $1"

# Back from chain to chain along the primary key: few chains have many records each.
AUDIT_HEADS = f"""
WITH RECURSIVE chains (chain, place) AS (
    SELECT max(chain), 1 FROM audit
    UNION ALL
    SELECT (SELECT max(a.chain) FROM audit AS a WHERE a.chain < chains.chain), place + 1
    FROM chains WHERE chain IS NOT NULL AND place < $1
)
SELECT head.* FROM chains CROSS JOIN LATERAL (
    SELECT {AUDIT_COLUMNS} FROM audit AS a WHERE a.chain = chains.chain ORDER BY number DESC LIMIT 1
) AS head ORDER BY place
"""


def audit_row(found: asyncpg.Record) -> AuditRow:
    """Return a record, whatever its columns hold."""
    return AuditRow(
        chain=found["chain"],
        number=found["number"],
        at=from_us(found["at_us"]),
        key_id=text_in(found["key_id"]),
        document=bytes_in(found["document"]),
        mac=bytes_in(found["mac"]),
    )


AuditValues: TypeAlias = tuple[str, int, int, str, bytes, bytes]


def audit_values(row: AuditRow) -> AuditValues:
    """Return the columns of a record."""
    return row.chain, row.number, to_us(row.at), row.key_id, row.document, row.mac
