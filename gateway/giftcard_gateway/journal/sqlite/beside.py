"""Opens an SQLite journal beside the process that serves from it, as commands do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from giftcard_gateway.journal.contract import JournalClosed
from giftcard_gateway.journal.sqlite import file, schema


@contextmanager
def file_beside(path: str) -> Iterator[sqlite3.Connection]:
    """Open a file beside whoever has it open: SQLite lets one write at a time, and a write here is short."""
    if not Path(path).exists():
        raise JournalClosed(f"there is no journal {path} yet: start the gateway, or run migrate")
    try:
        with closing(file.connect(path)) as connection:
            schema.STEPS.refuse_unknown(schema.read(connection), schema.NAME)
            yield connection
    except sqlite3.Error as fault:
        raise file.closed(fault) from fault
