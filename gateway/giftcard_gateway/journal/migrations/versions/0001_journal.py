"""The first schema: transactions, the handles they are found by, the feed of changes, webhook events.

Random keys are costly to index, because every write touches another page. So besides the primary
keys every index begins with something that grows with time or has few values.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import UserDefinedType

revision = "0001"
down_revision = None


class TransactionNumber(UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction number, `xid8`."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Return its name in SQL."""
        return "xid8"


# Bytewise order everywhere, so that pages follow each other the same way whatever the database's locale.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
INTEGER = sa.Integer().with_variant(sa.BigInteger(), "postgresql")


def upgrade() -> None:
    """Create the four tables and their indexes."""
    _create_transactions()
    _create_handles()
    _create_changes()
    _create_events()
    if _is_postgres():
        _tune_postgres()


def _create_transactions() -> None:
    op.create_table(
        "transactions",
        sa.Column("transaction_id", TEXT, primary_key=True, comment="the id its caller made (rule 1)"),
        sa.Column("operation", TEXT, nullable=False, comment="what was asked, such as redeem"),
        sa.Column("provider", TEXT, nullable=False, comment="the provider's id; empty for a tombstone"),
        sa.Column("state", TEXT, nullable=False, comment="one of the nine states"),
        sa.Column("created_us", INTEGER, nullable=False, comment="when the intent was written"),
        sa.Column("updated_us", INTEGER, nullable=False, comment="when it was last written"),
        sa.Column("due_us", INTEGER, comment="when others may take it; null when nothing is owed"),
        sa.Column("driver", TEXT, nullable=False, comment="the process that drives it now; empty when none"),
        sa.Column("version", INTEGER, nullable=False, comment="counts writes: every write compares it"),
        sa.Column("fence", INTEGER, nullable=False, comment="counts the hands that drove it (rule 14)"),
        sa.Column("document", sa.LargeBinary, nullable=False, comment="the sealed entry"),
    )
    # Finds what is due (PENDING, APPROVED, CONFIRMING, REVERSING), oldest first; finished rows are not in it.
    op.create_index(
        "transactions_due",
        "transactions",
        ["due_us"],
        sqlite_where=sa.text("due_us IS NOT NULL"),
        postgresql_where=sa.text("due_us IS NOT NULL"),
    )
    # Every list is a merge of runs of this index, newest first; it also counts the backlog and finds what
    # may be purged. It is the only index a change of state has to move.
    op.create_index(
        "transactions_listed",
        "transactions",
        ["state", "provider", "operation", "created_us", "transaction_id"],
    )


def _create_handles() -> None:
    op.create_table(
        "handles",
        sa.Column("handle", sa.LargeBinary, primary_key=True, comment="keyed hash of a card or a reference"),
        sa.Column(
            "created_us", INTEGER, primary_key=True, comment="its transaction's, so that a page has order"
        ),
        sa.Column("transaction_id", TEXT, primary_key=True, comment="the transaction it finds"),
        sqlite_with_rowid=False,
    )
    # Finds the handles of a transaction that is purged.
    op.create_index("handles_by_transaction", "handles", ["created_us", "transaction_id"])


def _create_changes() -> None:
    op.create_table(
        "changes",
        *_place_in_feed(),
        sa.Column("transaction_id", TEXT, nullable=False, comment="the transaction that changed"),
        sa.Column(
            "created_us", INTEGER, nullable=False, comment="its transaction's, so that purging finds it"
        ),
        sa.Column("state", TEXT, nullable=False, comment="the state it came to"),
        sa.Column("at_us", INTEGER, nullable=False, comment="when"),
        sqlite_autoincrement=True,
    )
    # Finds the changes of a transaction that is purged.
    op.create_index("changes_by_transaction", "changes", ["created_us", "transaction_id"])


def _create_events() -> None:
    op.create_table(
        "events",
        *_place_in_feed(),
        sa.Column("provider", TEXT, nullable=False, comment="the provider's id"),
        sa.Column("event_id", TEXT, nullable=False, comment="the provider's id of the event"),
        sa.Column("name", TEXT, nullable=False, comment="the provider's name for what happened"),
        sa.Column("received_us", INTEGER, nullable=False, comment="when it came in"),
        sa.Column("document", sa.LargeBinary, nullable=False, comment="the sealed event"),
        sa.Column(
            "applied", sa.Boolean, nullable=False, comment="whether its transaction knows what it proves"
        ),
        sa.UniqueConstraint("provider", "event_id", name="events_once"),
        sqlite_autoincrement=True,
    )
    # Finds events still to be carried over, oldest first; applied ones are not in it.
    op.create_index(
        "events_unapplied",
        "events",
        _feed_order(),
        sqlite_where=sa.text("NOT applied"),
        postgresql_where=sa.text("NOT applied"),
    )
    # Pages one provider's events.
    op.create_index("events_of_provider", "events", ["provider", *_feed_order()])


def _place_in_feed() -> list[sa.Column[int]]:
    """Return the columns a feed is ordered by.

    PostgreSQL numbers rows before they are committed, so a number alone could appear behind a reader.
    A reader there stops before the oldest database transaction still running, and goes by its number first.
    """
    if not _is_postgres():
        return [sa.Column("number", INTEGER, primary_key=True, comment="the place in the feed")]
    return [
        sa.Column(
            "written_in",
            TransactionNumber,
            primary_key=True,
            server_default=sa.text("pg_current_xact_id()"),
            comment="the database transaction that wrote it",
        ),
        sa.Column(
            "number",
            INTEGER,
            sa.Identity(always=True),
            primary_key=True,
            comment="the order within written_in",
        ),
    ]


def _feed_order() -> list[str]:
    return ["written_in", "number"] if _is_postgres() else ["number"]


def _tune_postgres() -> None:
    # Sealed bytes do not compress; trying costs more than the whole statement.
    for table in ("transactions", "events"):
        op.execute(f"ALTER TABLE {table} ALTER COLUMN document SET STORAGE EXTERNAL")
    # Rows are written two to five times in their first minutes: without frequent cleaning the index of what
    # is due fills with dead entries.
    op.execute(
        "ALTER TABLE transactions SET"
        " (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000,"
        " autovacuum_analyze_scale_factor = 0.02)"
    )


def _is_postgres() -> bool:
    return op.get_context().dialect.name == "postgresql"
