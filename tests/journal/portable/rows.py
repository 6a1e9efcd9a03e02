"""Every statement of the PostgreSQL journal: what it does, whose shards it touches, which features it uses.

A new statement without a row here fails a test, and so does a feature that its row does not name. Shards are
thought to be made by id of the transaction, by blind index, by event, and by chain of the audit.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from tests.journal.portable import features as of
from tests.journal.portable.features import Feature


class Reach(StrEnum):
    """Whose shards a statement touches."""

    ONE = "one shard"
    MANY = "a shard for each row it names"
    ALL = "every shard"
    EVERYWHERE = "a small table, or none"
    """What is on every node alike."""


class Known(NamedTuple):
    """What is known of a statement."""

    name: str
    does: str
    key: str
    """The column that tells the shard; empty where none does."""
    reach: Reach
    features: tuple[Feature, ...]


_WRITES = (
    of.WRITES_IN_WITH,
    of.WRITTEN_TWICE,
    of.SUBQUERY,
    of.ON_CONFLICT,
    of.JOINED_WRITE,
    of.UNNEST,
    of.DURABLE,
)
"""What a statement uses that writes rows with all that belongs to them."""
STATEMENTS = (
    Known(
        "BATCH",
        "opens and writes rows with their blind indexes, changes and records of the audit",
        "transaction_id",
        Reach.MANY,
        _WRITES,
    ),
    Known("BARRIER", "waits until all commits before it are safe", "", Reach.ALL, (of.DURABLE, of.BARRIER)),
    Known(
        "REWRITE",
        "writes rows that have ended, or all that a row is found by",
        "transaction_id",
        Reach.MANY,
        _WRITES,
    ),
    Known("ROWS", "reads open rows by their ids", "transaction_id", Reach.MANY, ()),
    Known("ENDED_ROWS", "reads other rows by their ids", "transaction_id", Reach.MANY, (of.SUBQUERY,)),
    Known(
        "CLAIM",
        "takes what is due at a provider",
        "",
        Reach.ALL,
        (of.LATERAL, of.SUBQUERY, of.LOCKS, of.JOINED_WRITE, of.DURABLE),
    ),
    Known(
        "NEXT_DUE", "says when what is due next, at each provider", "", Reach.ALL, (of.RECURSIVE, of.LATERAL)
    ),
    Known("BEAT", "says that this process can write", "only_row", Reach.EVERYWHERE, (of.ON_CONFLICT,)),
    Known("LIST", "lists rows, newest first", "", Reach.ALL, (of.RECURSIVE, of.LATERAL)),
    Known("LIST_OF_TENANT", "the same of one tenant", "", Reach.ALL, (of.RECURSIVE, of.LATERAL)),
    Known("LIST_BY_INDEX", "lists rows that a blind index finds", "handle", Reach.MANY, (of.LATERAL,)),
    Known("CHANGES", "reads the feed", "", Reach.ALL, ()),
    Known("CHANGES_OF_TENANT", "the same of one tenant", "", Reach.ALL, ()),
    Known("LAST_CHANGE", "finds the feed's end", "", Reach.ALL, ()),
    Known("LAST_EVENT", "finds the end of the events", "", Reach.ALL, ()),
    Known("EVENTS", "reads events", "", Reach.ALL, ()),
    Known("EVENTS_OF_PROVIDER", "the same of one provider", "", Reach.ALL, ()),
    Known("EVENTS_OF_TENANT", "the same of one tenant", "", Reach.ALL, ()),
    Known(
        "EVENTS_OF_TENANT_AND_PROVIDER",
        "the same of one tenant at one provider",
        "",
        Reach.ALL,
        (),
    ),
    Known(
        "EVENTS_UNAPPLIED",
        "reads events that are still to be carried over",
        "",
        Reach.ALL,
        (of.SUBQUERY,),
    ),
    Known("SEALS", "counts documents by the key they are sealed with", "", Reach.ALL, ()),
    Known("INDEXED", "counts rows by their hash key", "", Reach.ALL, ()),
    Known("KEYS_IN_USE", "reads the keys that were noted", "", Reach.EVERYWHERE, ()),
    Known("USE_KEYS", "notes keys", "key_id", Reach.EVERYWHERE, (of.ON_CONFLICT, of.UNNEST, of.DURABLE)),
    Known("DROP_KEYS", "takes notes back", "key_id", Reach.EVERYWHERE, (of.JOINED_WRITE, of.UNNEST)),
    Known(
        "ROWS_AFTER",
        "reads all rows by their ids, a page at a time",
        "",
        Reach.ALL,
        (of.LATERAL, of.SUBQUERY),
    ),
    Known("EVENTS_AFTER", "the same of events", "", Reach.ALL, ()),
    Known(
        "RESEAL",
        "replaces documents and blind indexes, of rows and events",
        "transaction_id",
        Reach.MANY,
        _WRITES,
    ),
    Known("BACKLOG", "counts what is open", "", Reach.ALL, (of.RECURSIVE, of.LATERAL)),
    Known("BACKLOG_OF_TENANT", "the same of one tenant", "", Reach.ALL, (of.RECURSIVE, of.LATERAL)),
    Known(
        "DAMAGED",
        "counts rows whose columns cannot be",
        "",
        Reach.ALL,
        (of.RECURSIVE, of.LATERAL, of.SUBQUERY),
    ),
    Known(
        "PURGE",
        "deletes what is old, with all that belongs to it",
        "",
        Reach.ALL,
        (of.WRITES_IN_WITH, of.RECURSIVE, of.LATERAL, of.SUBQUERY, of.JOINED_WRITE, of.DURABLE),
    ),
    Known(
        "PURGE_OF_TENANT",
        "the same of one tenant",
        "",
        Reach.ALL,
        (of.WRITES_IN_WITH, of.RECURSIVE, of.LATERAL, of.SUBQUERY, of.JOINED_WRITE, of.DURABLE),
    ),
    Known(
        "FORGET",
        "deletes rows and events that are as they were read",
        "transaction_id",
        Reach.MANY,
        (of.WRITES_IN_WITH, of.UNNEST, of.SUBQUERY, of.JOINED_WRITE, of.DURABLE),
    ),
    Known("NOW", "tells the server's time", "", Reach.EVERYWHERE, ()),
    Known(
        "NUMBER_CHANGES",
        "gives changes their places in the feed",
        "only_row",
        Reach.ALL,
        (of.WRITES_IN_WITH, of.SUBQUERY, of.JOINED_WRITE, of.WINDOW, of.DURABLE),
    ),
    Known(
        "NUMBER_EVENTS",
        "gives events their places",
        "only_row",
        Reach.ALL,
        (of.WRITES_IN_WITH, of.SUBQUERY, of.JOINED_WRITE, of.WINDOW, of.DURABLE),
    ),
    Known("MONTHS", "says which months have tables", "", Reach.EVERYWHERE, (of.PARTITIONS,)),
    Known("ADD_MONTH", "makes the tables of a month", "", Reach.EVERYWHERE, (of.PARTITIONS,)),
    Known("DROP_MONTH", "drops the tables of a month", "", Reach.EVERYWHERE, (of.PARTITIONS,)),
    Known(
        "FREE_IDS",
        "frees the ids of months that were dropped",
        "transaction_id",
        Reach.ALL,
        (of.WRITES_IN_WITH, of.LATERAL, of.SUBQUERY, of.DURABLE),
    ),
    Known(
        "ADD_EVENT",
        "adds an event, once",
        "event_id",
        Reach.ONE,
        (of.SUBQUERY, of.ON_CONFLICT, of.DURABLE),
    ),
    Known("EVENT_DOCUMENT", "reads the event that was there", "event_id", Reach.ONE, ()),
    Known(
        "MARK_EVENT",
        "notes that an event was carried over",
        "event_id",
        Reach.ONE,
        (of.JOINED_WRITE, of.DURABLE),
    ),
    Known("NOTIFY", "wakes other processes", "", Reach.EVERYWHERE, (of.NOTIFY,)),
    Known("API_KEYS", "reads the API keys", "", Reach.EVERYWHERE, ()),
    Known(
        "PUT_API_KEY", "adds or replaces an API key", "key_id", Reach.EVERYWHERE, (of.ON_CONFLICT, of.DURABLE)
    ),
    Known(
        "ADD_AUDIT", "adds records of the audit", "chain", Reach.ONE, (of.ON_CONFLICT, of.UNNEST, of.DURABLE)
    ),
    Known("AUDIT", "reads the audit, a page at a time", "", Reach.ALL, ()),
    Known("OPEN_PURGE_OF_AUDIT", "says what may be deleted of a chain", "chain", Reach.ONE, ()),
    Known("PURGE_AUDIT", "deletes it", "chain", Reach.ONE, (of.WRITES_IN_WITH, of.SUBQUERY)),
    Known("CLOSE_PURGE_OF_AUDIT", "says that nothing more may be", "chain", Reach.ONE, ()),
    Known(
        "AUDIT_HEADS",
        "finds each chain's last record",
        "",
        Reach.ALL,
        (of.RECURSIVE, of.LATERAL, of.SUBQUERY),
    ),
    Known("PLACES", "finds the ends of both feeds", "", Reach.EVERYWHERE, ()),
    Known("PAUSES", "reads which providers are paused", "", Reach.EVERYWHERE, ()),
    Known(
        "PUT_PAUSE",
        "pauses a provider, or lets it go on",
        "provider",
        Reach.EVERYWHERE,
        (of.ON_CONFLICT, of.DURABLE),
    ),
)
