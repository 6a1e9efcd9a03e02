"""What our SQL uses beyond what every PostgreSQL-like engine has, and what each engine makes of it.

Nothing here was run on any of these engines. DOCUMENTS means that the engine's own pages or tracker say so,
in November 2026; ASSUMED that it follows from how the engine is built, or that nobody was asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Engine(StrEnum):
    """An engine that speaks PostgreSQL's protocol."""

    CITUS = "Citus"
    YUGABYTE = "YugabyteDB"
    COCKROACH = "CockroachDB"
    AURORA = "Aurora"


class Travels(StrEnum):
    """Whether a feature does there what it does in PostgreSQL."""

    HOLDS = "holds"
    ONE_SHARD = "one shard"
    """Only where the whole statement is about one value of the shard key."""
    SILENT = "silent"
    """Accepted, and without the effect that we count on."""
    REFUSED = "refused"


DOCUMENTS, ASSUMED = "documents", "assumed"


class Verdict(NamedTuple):
    """What an engine makes of a feature, why, and how that is known."""

    travels: Travels
    why: str = ""
    known: str = ASSUMED


@dataclass(frozen=True, eq=False)
class Feature:
    """Something that not every engine has."""

    name: str
    verdicts: Mapping[Engine, Verdict]


def _feature(name: str, citus: Verdict, yugabyte: Verdict, cockroach: Verdict, aurora: Verdict) -> Feature:
    return Feature(name, dict(zip(Engine, (citus, yugabyte, cockroach, aurora), strict=True)))


_HOLDS = Verdict(Travels.HOLDS)
_FORK = Verdict(Travels.HOLDS, "its query layer is PostgreSQL's", DOCUMENTS)
_SAME = Verdict(Travels.HOLDS, "PostgreSQL over another storage")
_CITUS_CORRELATED = Verdict(
    Travels.ONE_SHARD, "correlated subqueries on the distribution column alone", DOCUMENTS
)
_NO_XID = Verdict(
    Travels.REFUSED, "no transaction ids of this kind (yugabyte-db issues 15638, 14144)", DOCUMENTS
)
_NO_XID_HERE = Verdict(Travels.REFUSED, "no transaction ids of this kind")
_PER_NODE = Verdict(Travels.SILENT, "a number of one node: places of two nodes have no common order")

WRITES_IN_WITH = _feature(
    "writes in WITH",
    Verdict(Travels.HOLDS, "not pushed down, so a commit in two phases (citus issue 1741)", DOCUMENTS),
    _FORK,
    Verdict(Travels.HOLDS, "", DOCUMENTS),
    _SAME,
)
WRITTEN_TWICE = _feature(
    "one table written twice",
    _HOLDS,
    _FORK,
    Verdict(
        Travels.REFUSED, "unless all are INSERT without ON CONFLICT (cockroach pull request 71595)", DOCUMENTS
    ),
    _SAME,
)
RECURSIVE = _feature(
    "WITH RECURSIVE",
    Verdict(Travels.ONE_SHARD, "", DOCUMENTS),
    _FORK,
    Verdict(Travels.HOLDS, "", DOCUMENTS),
    _SAME,
)
LATERAL = _feature("LATERAL", _CITUS_CORRELATED, _FORK, _HOLDS, _SAME)
SUBQUERY = _feature("subquery in a condition", _CITUS_CORRELATED, _FORK, _HOLDS, _SAME)
LOCKS = _feature(
    "FOR UPDATE SKIP LOCKED",
    Verdict(Travels.ONE_SHARD, "", DOCUMENTS),
    Verdict(Travels.HOLDS, "", DOCUMENTS),
    Verdict(Travels.HOLDS, "under READ COMMITTED since issue 115057 was mended", DOCUMENTS),
    _SAME,
)
ON_CONFLICT = _feature(
    "ON CONFLICT",
    Verdict(Travels.HOLDS, "the constraint has to contain the distribution column"),
    _FORK,
    _HOLDS,
    _SAME,
)
JOINED_WRITE = _feature(
    "UPDATE or DELETE with a join",
    Verdict(Travels.ONE_SHARD, "joined on the distribution column of tables that lie together"),
    _FORK,
    _HOLDS,
    _SAME,
)
UNNEST = _feature("unnest of several arrays", _HOLDS, _FORK, _HOLDS, _SAME)
DURABLE = _feature(
    "set_config(synchronous_commit)",
    Verdict(Travels.SILENT, "set where the statement comes in, not on the nodes that commit"),
    Verdict(Travels.HOLDS, "without effect, and not needed: a commit is on a majority"),
    Verdict(
        Travels.HOLDS,
        "without effect (cockroachdb docs issue 8148), and not needed: a commit is on a majority",
        DOCUMENTS,
    ),
    Verdict(Travels.HOLDS, "`on` waits for the storage's quorum; there are no standbys of PostgreSQL's kind"),
)
BARRIER = _feature(
    "pg_logical_emit_message",
    Verdict(Travels.SILENT, "says nothing of the other nodes' commits"),
    Verdict(Travels.REFUSED, "no log of PostgreSQL's kind"),
    Verdict(Travels.REFUSED, "no such function"),
    _SAME,
)
SNAPSHOT = _feature(
    "pg_current_snapshot, which nothing uses any more", _PER_NODE, _NO_XID, _NO_XID_HERE, _SAME
)
PLACE = _feature("place of xid8 and number, until step 0010", _PER_NODE, _NO_XID, _NO_XID_HERE, _SAME)
WINDOW = _feature(
    "window functions",
    Verdict(Travels.HOLDS, "on the coordinator, where they are not apart by the distribution column"),
    _FORK,
    Verdict(Travels.HOLDS, "", DOCUMENTS),
    _SAME,
)
NOTIFY = _feature(
    "NOTIFY",
    Verdict(Travels.ONE_SHARD, "heard by sessions of the same node"),
    Verdict(Travels.HOLDS, "from v2025.2.3, early access; `journal.poll_s` does without", DOCUMENTS),
    Verdict(Travels.REFUSED, "`journal.poll_s` does without", DOCUMENTS),
    _SAME,
)
TRIGGER = _feature(
    "triggers",
    Verdict(Travels.REFUSED, "none on distributed tables", DOCUMENTS),
    Verdict(Travels.HOLDS, "", DOCUMENTS),
    Verdict(
        Travels.REFUSED, "preview, and none for a statement (cockroachdb docs pull request 23130)", DOCUMENTS
    ),
    _SAME,
)
STORAGE = _feature(
    "storage of a column, autovacuum of a table",
    _HOLDS,
    Verdict(Travels.SILENT, "another storage"),
    Verdict(Travels.REFUSED, "another storage"),
    _SAME,
)
PARTITIONS = _feature(
    "partitions",
    Verdict(Travels.HOLDS, "one level of them", DOCUMENTS),
    _FORK,
    Verdict(Travels.REFUSED, "PARTITION BY of its own kind"),
    _SAME,
)
IDENTITY = _feature(
    "numbers drawn by the table",
    Verdict(Travels.HOLDS, "bigint, with a part for each node", DOCUMENTS),
    _FORK,
    _HOLDS,
    _SAME,
)
ADVISORY = _feature(
    "advisory lock",
    Verdict(Travels.ONE_SHARD, "of the node that is asked"),
    Verdict(Travels.HOLDS, "", DOCUMENTS),
    Verdict(
        Travels.HOLDS, "of a transaction, merged in April 2026 (cockroach pull request 168353)", DOCUMENTS
    ),
    _SAME,
)

FEATURES = tuple(one for one in globals().values() if isinstance(one, Feature))
"""All of them, in the order above."""
