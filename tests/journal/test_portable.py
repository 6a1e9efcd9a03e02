"""Every statement of the PostgreSQL journal is known to docs/portability.md, which names what it uses."""

from __future__ import annotations

import pytest

from giftcard_gateway.journal.postgres import statements as sql
from tests.journal.portable import features as of
from tests.journal.portable.features import Engine, Feature
from tests.journal.portable.page import hindrances, sent, steps
from tests.journal.portable.reading import PLAIN_DDL, read
from tests.journal.portable.rows import STATEMENTS, Known, Reach

SENT = sent()


def test_every_statement_is_known() -> None:
    """No statement is sent that the page does not go through, and none that it does is gone."""
    assert sorted(SENT) == sorted(known.name for known in STATEMENTS)


@pytest.mark.parametrize("known", STATEMENTS, ids=lambda known: known.name)
def test_a_statement_uses_what_its_row_names(known: Known) -> None:
    """A statement uses the features that its row names, and no construct or function nobody has judged."""
    found = read(SENT[known.name])
    assert not found.unknown, "judge it in tests/journal/portable/reading.py"
    assert _names(found.features) == _names(known.features), (
        "does it travel? name it in rows.py, or do without"
    )


@pytest.mark.parametrize("known", STATEMENTS, ids=lambda known: known.name)
def test_a_statement_says_its_shard(known: Known) -> None:
    """What touches one shard or some is told which, by a column that it compares or fills."""
    if known.reach in {Reach.ONE, Reach.MANY}:
        assert known.key
    if known.key:
        assert known.key in read(SENT[known.name]).keys


@pytest.mark.parametrize("name", steps())
def test_a_step_makes_nothing_unheard_of(name: str) -> None:
    """The schema is made by constructs that have been judged."""
    assert not read(steps()[name], PLAIN_DDL).unknown


@pytest.mark.parametrize(
    ("statement", "feature"),
    [
        ("SELECT 1 FROM a, LATERAL (SELECT a.b) AS c", of.LATERAL),
        ("SELECT 1 FROM a WHERE EXISTS (SELECT 1 FROM b)", of.SUBQUERY),
        ("WITH RECURSIVE a AS (SELECT 1 UNION ALL SELECT 2 FROM a) SELECT 1 FROM a", of.RECURSIVE),
        ("SELECT 1 FROM a FOR SHARE", of.LOCKS),
        ("INSERT INTO a (b) VALUES (1) ON CONFLICT DO NOTHING", of.ON_CONFLICT),
        ("SELECT row_number() FROM a", of.WINDOW),
        ("SELECT written_in FROM a", of.PLACE),
        ("UPDATE a SET b = 1 FROM c WHERE a.d = c.d", of.JOINED_WRITE),
        ("DELETE FROM a USING b WHERE a.c = b.c", of.JOINED_WRITE),
        ("WITH a AS (DELETE FROM b RETURNING c) SELECT c FROM a", of.WRITES_IN_WITH),
        ("WITH a AS (DELETE FROM b) INSERT INTO b (c) VALUES (1)", of.WRITTEN_TWICE),
        ("SELECT * FROM unnest($1::text[], $2::text[]) AS a (b, c)", of.UNNEST),
        ("SELECT pg_advisory_xact_lock(1)", of.ADVISORY),
        ("SELECT pg_snapshot_xmin(pg_current_snapshot())", of.SNAPSHOT),
        ("SELECT pg_notify('a', 'b')", of.NOTIFY),
        ("SELECT set_config('a', 'b', true)", of.DURABLE),
    ],
)
def test_a_feature_is_found(statement: str, feature: Feature) -> None:
    """What does not travel everywhere is found where it stands, and not in a plain read."""
    assert feature in read(statement).features
    assert feature not in read(sql.ROWS).features


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("SELECT sum(a) OVER () FROM b", "FuncCall.over"),
        ("SELECT sum(a) FROM b HAVING sum(a) > 1", "SelectStmt.havingClause"),
        ("SELECT 1 FROM a TABLESAMPLE system (1)", "RangeTableSample"),
        ("MERGE INTO a USING b ON a.c = b.c WHEN MATCHED THEN DELETE", "MergeStmt"),
        ("LISTEN a", "ListenStmt"),
        ("SELECT txid_current()", "txid_current"),
        ("SELECT pg_try_advisory_lock(1)", "pg_try_advisory_lock"),
        ("CREATE TABLE a (b int)", "CreateStmt"),
    ],
)
def test_what_nobody_judged_is_refused(statement: str, name: str) -> None:
    """A construct or function that no row of the page judges is named."""
    assert name in read(statement).unknown


def test_what_touches_one_shard_is_judged_so() -> None:
    """A lock is a hindrance in Citus to what goes over all shards, and none to what goes to one."""
    far = Known("FAR", "", "", Reach.ALL, (of.LOCKS,))
    assert hindrances(Engine.CITUS, far) == [of.LOCKS]
    assert hindrances(Engine.CITUS, far._replace(reach=Reach.ONE)) == []


def _names(features: frozenset[Feature] | tuple[Feature, ...]) -> list[str]:
    return sorted(one.name for one in features)
