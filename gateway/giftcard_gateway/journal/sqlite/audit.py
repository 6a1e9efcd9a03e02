"""The audit in an SQLite file, which the command line reads and writes beside a serving process."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from giftcard_gateway.journal.microseconds import from_us, to_us
from giftcard_gateway.journal.notes import AuditRow
from giftcard_gateway.journal.rows import bytes_in, count_in, text_in

_SELECT = "SELECT chain, number, at_us, key_id, document, mac FROM audit"
AFTER = f"{_SELECT} WHERE (chain, number) > (?, ?) ORDER BY chain, number LIMIT ?"
# What is no text comes and goes as bytes; see `file.text_of`.
_CHAIN_BEFORE = "SELECT max(chain) FROM audit WHERE chain < CAST(? AS TEXT)"
_LAST_CHAIN = "SELECT max(chain) FROM audit"
_PURGE = (
    "DELETE FROM audit WHERE chain = ? AND number IN"
    " (SELECT number FROM audit WHERE chain = ? AND number <= ? ORDER BY number LIMIT ?)"
)
_LAST = f"{_SELECT} WHERE chain = CAST(? AS TEXT) ORDER BY number DESC LIMIT 1"

# Not ON CONFLICT DO NOTHING: the trigger that refuses a REPLACE would refuse a repeat, too.
_ADD = (
    "INSERT INTO audit (chain, number, at_us, key_id, document, mac) SELECT ?1, ?2, ?3, ?4, ?5, ?6"
    " WHERE NOT EXISTS (SELECT 1 FROM audit WHERE chain = ?1 AND number = ?2)"
)


def add(connection: sqlite3.Connection, rows: Sequence[AuditRow]) -> None:
    """Insert records; see Journal.add_audit."""
    connection.executemany(
        _ADD,
        [(row.chain, row.number, to_us(row.at), row.key_id, row.document, row.mac) for row in rows],
    ).close()


def purge(connection: sqlite3.Connection, *, chain: str, until: int, limit: int) -> int:
    """Delete the first records of a chain in one database transaction; see Journal.purge_audit."""
    connection.execute("BEGIN IMMEDIATE")
    with connection:  # ends the transaction, whichever way
        connection.execute("INSERT INTO audit_purging (chain, until_number) VALUES (?, ?)", (chain, until))
        gone = connection.execute(_PURGE, (chain, chain, until, limit)).rowcount
        connection.execute("DELETE FROM audit_purging")
    return gone


def heads(connection: sqlite3.Connection, *, limit: int) -> Sequence[AuditRow]:
    """Return the last records of chains, walking back from chain to chain along the primary key."""
    found: list[AuditRow] = []
    (chain,) = connection.execute(_LAST_CHAIN).fetchone()
    while chain is not None and len(found) < limit:
        found += map(_row, connection.execute(_LAST, (chain,)))
        (chain,) = connection.execute(_CHAIN_BEFORE, (chain,)).fetchone()
    return found


def read(connection: sqlite3.Connection, *, after: tuple[str, int], limit: int) -> Sequence[AuditRow]:
    """Return records after a place; see Journal.audit."""
    return [_row(found) for found in connection.execute(AFTER, (*after, limit))]


def _row(found: tuple[str, int, int, str, bytes, bytes]) -> AuditRow:
    chain, number, at_us, key_id, document, mac = found
    return AuditRow(
        chain=text_in(chain),
        number=count_in(number),
        at=from_us(at_us),
        key_id=text_in(key_id),
        document=bytes_in(document),
        mac=bytes_in(mac),
    )
