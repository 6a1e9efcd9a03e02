"""What journals hold beside what callers heard: whoever heard APPROVED finds it written down."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from tests.bench.compare.rig import Serving, ask_postgres

_STATES = "SELECT transaction_id, state FROM transactions"
HELD = {"APPROVED", "CONFIRMING", "CONFIRMED", "REVERSING", "REVERSED"}
"""States of what was approved."""


def check(design: Serving, sent: int) -> str:
    """Return what is wrong with a design's journal after `sent` redemptions, if it has one."""
    if not design.journal:
        return ""
    file = design.heard
    heard = file.read_text(encoding="ascii").split() if file and file.exists() else []
    held = states(design.journal)
    lost = sum(held.get(each) not in HELD for each in heard)
    faults = []
    if lost:
        faults.append(f"{lost} heard approved and not in the journal")
    if len(held) > sent:
        faults.append(f"{len(held)} in the journal, {sent} sent")
    if len(set(heard)) != len(heard):
        faults.append("an id was heard twice")
    return "; ".join(faults)


def states(journal: str) -> dict[str, str]:
    """Return the state of every transaction, by its id."""
    if journal.startswith("sqlite:///"):
        with closing(sqlite3.connect(journal.removeprefix("sqlite:///"))) as database:
            return dict(database.execute(_STATES).fetchall())
    return {row[0]: row[1] for row in ask_postgres(journal, _STATES)}
