"""How the databases go about our statements: always along an index, so that history costs nothing."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from typing import TypeAlias

import asyncpg
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from giftcard import v1
from giftcard_gateway.access.identities import LOCAL
from giftcard_gateway.journal.contract import RowQuery
from giftcard_gateway.journal.microseconds import EARLIEST_US, LATEST_US, to_us
from giftcard_gateway.journal.postgres import statements
from giftcard_gateway.journal.postgres.batches import arguments_of
from giftcard_gateway.journal.postgres.journal import Postgres
from giftcard_gateway.journal.postgres.months import ADD_MONTH, FREE_IDS
from giftcard_gateway.journal.postgres.numbering import NUMBER_CHANGES, NUMBER_EVENTS
from giftcard_gateway.journal.postgres.reading import statement_of
from giftcard_gateway.journal.postgres.writing import BATCH
from giftcard_gateway.journal.records import Records
from giftcard_gateway.journal.rows import Open, Write
from giftcard_gateway.journal.sqlite import file as sqlite_file
from giftcard_gateway.journal.sqlite import lists
from giftcard_gateway.journal.sqlite import schema as sqlite_schema
from giftcard_gateway.journal.sqlite.journal import Sqlite
from giftcard_gateway.seal import KEY_BYTES, Seal
from giftcard_gateway.services.filters import SERVED, Filter
from tests.bench.claim_at_history import HISTORY_US, fill_postgres, fill_sqlite
from tests.journal.samples import NOW, after, opened, row
from tests.postgres import PostgresServer

HISTORY = 20_000
NOW_US = to_us(NOW)
SETTINGS = {"enable_seqscan": "off", "jit": "off"}
"""As sessions have them: tables that are empty most of the time are read like full ones."""
_WHOLE = """
SELECT c.relname, pg_partition_root(c.oid)::regclass::text FROM pg_class AS c
WHERE c.relkind IN ('i', 'I') AND c.relispartition
"""
_OPEN = """
WITH made AS (
    INSERT INTO transaction_ids
    SELECT gen_random_uuid(), $2::bigint + i FROM generate_series(1, $1::integer) AS i
    RETURNING transaction_id, created_us
)
INSERT INTO transactions (
    transaction_id, operation, provider, state, created_us, updated_us, due_us,
    driver, version, fence, document
)
SELECT transaction_id, 'redeem', 'spar-za', 'PENDING', created_us, created_us, created_us, '', 1, 1, ''
FROM made
"""
Session: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
STREAM = ("default", "CONFIRMED", "spar-za", "REDEEM")
WHOLE = (EARLIEST_US, LATEST_US, "")

SQLITE: dict[str, tuple[str, tuple[object, ...], str]] = {
    "claim": (
        sqlite_file.DUE,
        ("spar-za", "REVERSING", NOW_US, 10),
        "transactions_due_at_provider (provider=? AND state=? AND due_us<?)",
    ),
    "next due": (
        lists.NEXT_DUE,
        ("spar-za", "PENDING"),
        "transactions_due_at_provider ((provider,state,due_us)>",
    ),
    "drivers": (sqlite_file.FREE_DRIVERS, (), "transactions_due_at_provider"),
    "next run": (lists.NEXT_STREAM, STREAM, "transactions_of_tenant ((tenant,state,provider,operation,"),
    "run": (
        lists.STREAM_ROWS,
        (*STREAM, *WHOLE),
        "transactions_of_tenant (tenant=? AND state=? AND provider=? AND",
    ),
    "blind index": (lists.indexed_rows(1), (b"h", *WHOLE), "PRIMARY KEY (handle=? AND created_us>?"),
    "blind index under two keys": (
        lists.indexed_rows(2),
        (b"h", *WHOLE, b"i", *WHOLE),
        "PRIMARY KEY (handle=? AND created_us>?",
    ),
    "backlog": (lists.BACKLOG, STREAM, "COVERING INDEX transactions_of_tenant (tenant=? AND state=?"),
    "purge": (
        lists.PURGEABLE,
        (*STREAM, 1, 1, 10),
        "transactions_of_tenant (tenant=? AND state=? AND provider=? AND",
    ),
    "forget": (
        lists.IS_AS_READ,
        ("x", 1, b"d"),
        "SEARCH transactions USING INDEX sqlite_autoindex_transactions_1 (transaction_id=?)",
    ),
    "changes": (lists.CHANGES, (5, 10), "PRIMARY KEY (rowid>?)"),
    "changes of one": (
        lists.CHANGES_OF_TENANT,
        ("default", 5, 10),
        "changes_of_tenant (tenant=? AND number>?)",
    ),
    "events": (lists.EVENTS, (5, 10), "PRIMARY KEY (rowid>?)"),
    "events of one": (
        lists.EVENTS_OF_PROVIDER,
        ("p", 5, 10),
        "events_of_provider (provider=? AND number>?)",
    ),
    "events of a tenant": (
        lists.EVENTS_OF_TENANT,
        ("t", 5, 5, 10),
        "events_of_tenant (tenant=? AND number>?)",
    ),
    "events of a tenant and provider": (
        lists.EVENTS_OF_TENANT_AND_PROVIDER,
        ("t", "p", 5, "p", 5, 10),
        "events_of_tenant_and_provider (tenant=? AND provider=? AND number>?)",
    ),
    "unapplied": (lists.EVENTS_UNAPPLIED, (10,), "events_unapplied"),
    "forget indexes": (sqlite_file.FORGET_INDEXES, ("x", 1), "handles_by_transaction (created_us=? AND"),
    "forget changes": (lists.FORGET_CHANGES, ("x", 1), "changes_by_transaction (created_us=? AND"),
}

LISTS = {"transactions_of_tenant", "open_transactions_pkey", "ended_transactions_pkey"}
LISTED = (None, None, None, *WHOLE, 50)
POSTGRES: dict[str, tuple[str, tuple[object, ...], set[str]]] = {
    "claim": (
        statements.CLAIM,
        (NOW_US, NOW_US, "me", 10, "spar-za", ["PENDING", "REVERSING"], [b"\x01\x02k1"]),
        {"transactions_due_at_provider", "open_transactions_pkey"},
    ),
    "next due": (statements.NEXT_DUE, (), {"transactions_due_at_provider"}),
    "rows": (statements.ROWS, (["x"],), {"open_transactions_pkey"}),
    "ended rows": (
        statements.ENDED_ROWS,
        (["x"],),
        {"transaction_ids_pkey", "open_transactions_pkey", "ended_transactions_pkey"},
    ),
    "all rows": (
        statements.ROWS_AFTER,
        ("x", 10),
        {"transaction_ids_pkey", "open_transactions_pkey", "ended_transactions_pkey"},
    ),
    "ids of months that are gone": (FREE_IDS, (10,), {"transaction_ids_by_time", "transaction_ids_pkey"}),
    "list": (
        statements.LIST,
        LISTED,
        LISTS,
    ),
    "blind index": (
        statements.LIST_BY_INDEX,
        (*LISTED, [b"h", b"i"], "default"),
        {"handles_pkey", "open_transactions_pkey", "ended_transactions_pkey"},
    ),
    "backlog": (statements.BACKLOG, (), {"transactions_of_tenant"}),
    "backlog of one": (statements.BACKLOG_OF_TENANT, ("second",), {"transactions_of_tenant"}),
    "changes": (statements.CHANGES, (1, 10), {"changes_pkey"}),
    "list of one": (
        statements.LIST_OF_TENANT,
        (*LISTED, "default"),
        LISTS,
    ),
    "changes of one": (statements.CHANGES_OF_TENANT, (1, 10, "second"), {"changes_of_tenant"}),
    "last change": (statements.LAST_CHANGE, (), {"changes_pkey"}),
    "events": (statements.EVENTS, (1, 10), {"events_by_number"}),
    "events of one": (
        statements.EVENTS_OF_PROVIDER,
        (1, 10, "provider-7"),
        {"events_of_provider"},
    ),
    "events of a tenant": (statements.EVENTS_OF_TENANT, (1, 10, "second"), {"events_of_tenant"}),
    "events of a tenant and provider": (
        statements.EVENTS_OF_TENANT_AND_PROVIDER,
        (1, 10, "second", "provider-7"),
        {"events_of_tenant_and_provider"},
    ),
    "last event": (statements.LAST_EVENT, (), {"events_by_number"}),
    "numbering changes": (NUMBER_CHANGES, (10,), {"fresh_changes_pkey"}),
    "numbering events": (NUMBER_EVENTS, (10,), {"events_unnumbered", "events_pkey"}),
    "unapplied": (statements.EVENTS_UNAPPLIED, (10, [b"\x01\x02k1"]), {"events_unapplied"}),
    "purge": (
        statements.PURGE,
        (HISTORY_US, 10),
        {
            "transactions_of_tenant",
            "ended_transactions_pkey",
            "transaction_ids_pkey",
            "handles_by_transaction",
            "changes_by_transaction",
        },
    ),
    "forget": (
        statements.FORGET,
        ([HISTORY_US], ["x"], [1], [b"d"], ["provider-7"], ["e"], [b"d"]),
        {
            "ended_transactions_pkey",
            "transaction_ids_pkey",
            "handles_by_transaction",
            "changes_by_transaction",
            "events_pkey",
        },
    ),
}


FILTERS: dict[str, v1.TransactionFilter] = {
    "nothing": v1.TransactionFilter(),
    "states": v1.TransactionFilter(states=[v1.TransactionState.TRANSACTION_STATE_CONFIRMED]),
    "operations": v1.TransactionFilter(operations=[v1.Operation.OPERATION_VOID]),
    "providers": v1.TransactionFilter(providers=["spar-za", "gift-uk"]),
    "card": v1.TransactionFilter(card=v1.Card(number=v1.CardNumber(pan="6045120000000007"))),
    "merchant_id": v1.TransactionFilter(merchant_id="M1"),
    "terminal_id": v1.TransactionFilter(terminal_id="T1"),
    "external_reference": v1.TransactionFilter(external_reference="order-1"),
    "labels": v1.TransactionFilter(labels={"shop": "1"}),
    "created_from": v1.TransactionFilter(created_from=Timestamp(seconds=HISTORY_US // 10**6)),
    "created_before": v1.TransactionFilter(created_before=Timestamp(seconds=HISTORY_US // 10**6)),
}
"""One filter for each condition, and one without any."""
BLIND = {"card", "merchant_id", "terminal_id", "external_reference", "labels"}
"""The conditions that go by a blind index."""


def query_of(wanted: v1.TransactionFilter) -> RowQuery:
    """Return what the journal is asked for a caller's filter."""
    seal = Seal(
        keys={"k": bytes(KEY_BYTES)}, active="k", hash_keys={"first": bytes(KEY_BYTES)}, random_bytes=bytes
    )
    return Filter(wanted, Records(Sqlite(":memory:"), seal), LOCAL).query(after=None, limit=50)


def test_each_condition_has_a_plan_here() -> None:
    """A condition that is added to the contract is added here, with the index that serves it."""
    assert set(FILTERS) - {"nothing"} == {field.name for field in v1.TransactionFilter.DESCRIPTOR.fields}
    assert set(FILTERS) - {"nothing"} == SERVED


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """Give a SQLite journal with a history."""
    path = tmp_path_factory.mktemp("plans") / "journal.db"
    with closing(sqlite_file.connect(str(path))) as database:
        sqlite_schema.upgrade(database)
        fill_sqlite(database, HISTORY)
        yield database


@pytest.mark.parametrize("name", SQLITE)
def test_sqlite_goes_along_an_index(file: sqlite3.Connection, name: str) -> None:
    """Each statement finds its rows in the index made for it; none walks through a table or sorts one."""
    statement, arguments, expected = SQLITE[name]
    steps = [step for *_, step in file.execute(f"EXPLAIN QUERY PLAN {statement}", arguments)]
    assert any(expected in step for step in steps), steps
    assert not [
        step for step in steps if step.startswith("SCAN") and "_due" not in step and "_unapplied" not in step
    ]
    assert not [step for step in steps if "TEMP B-TREE" in step and name != "backlog"]


@pytest.mark.parametrize("name", FILTERS)
def test_sqlite_serves_each_filter_by_an_index(file: sqlite3.Connection, name: str) -> None:
    """Whatever one condition a caller sets, every statement of the page goes along an index."""
    asked: list[str] = []
    query = query_of(FILTERS[name])
    file.set_trace_callback(asked.append)
    lists.list_rows(file, query)
    file.set_trace_callback(None)
    assert bool(query.blind_indexes) == (name in BLIND)
    assert asked
    for statement in asked:
        steps = [step for *_, step in file.execute(f"EXPLAIN QUERY PLAN {statement}")]
        assert not [step for step in steps if step.startswith("SCAN") and "json_each" not in step], steps
        assert not [step for step in steps if "TEMP B-TREE" in step], steps


@pytest.fixture(scope="module")
def server_with_history(postgres_server: PostgresServer) -> str:
    """Give the URL of a PostgreSQL journal with a history."""
    return asyncio.run(make_history(postgres_server))


async def make_history(postgres_server: PostgresServer) -> str:
    """Make a PostgreSQL journal with a history and return its URL."""
    url = await postgres_server.create_database()
    await Postgres(url).upgrade()
    session = await asyncpg.connect(url)
    await fill_postgres(session, HISTORY)
    await session.execute(
        "INSERT INTO events (provider, event_id, name, received_us, document, applied)"
        " SELECT 'provider-' || i % 50, i, 'card.redeemed', i, '', i < $1 FROM generate_series(1, $1) AS i",
        HISTORY,
    )
    await session.execute(_OPEN, HISTORY // 10, NOW_US)
    await session.execute("ANALYZE")
    await session.close()
    return url


async def planned(session: Session, statement: str, arguments: Sequence[object]) -> str:
    """Return a plan in which an index of a part of a table has the name of the whole table's."""
    plan = json.dumps(await (await session.prepare(statement)).explain(*arguments))
    for part, whole in await session.fetch(_WHOLE):
        plan = plan.replace(f'"{part}"', f'"{whole}"')
    return plan


@pytest.mark.postgres
@pytest.mark.parametrize("name", POSTGRES)
async def test_postgresql_goes_along_an_index(server_with_history: str, name: str) -> None:
    """Each statement finds its rows in the indexes made for it, by the choice of the planner."""
    statement, arguments, expected = POSTGRES[name]
    session = await asyncpg.connect(server_with_history, server_settings=SETTINGS)
    plan = await planned(session, statement, arguments)
    await session.close()
    assert "Seq Scan" not in plan
    assert {index for index in expected if f'"{index}"' in plan} == expected


@pytest.mark.postgres
@pytest.mark.parametrize("is_new", [True, False], ids=["new", "emptied"])
async def test_a_batch_planned_early_goes_by_ids(postgres_server: PostgresServer, *, is_new: bool) -> None:
    """A plan made while nothing was open is kept for minutes: it must walk through no index."""
    url = await postgres_server.create_database()
    journal = Postgres(url)
    await journal.upgrade()
    session = await asyncpg.connect(url, server_settings=SETTINGS | {"plan_cache_mode": "force_generic_plan"})
    if not is_new:
        await journal.start()
        rows = await opened(journal, *(row() for _ in range(20)))
        assert all([await journal.write(after(one, "CONFIRMED")) for one in rows])
        await journal.close()
        await session.execute("VACUUM ANALYZE open_transactions")
    asked: list[Open | Write] = [
        Open(row()),
        Write(after(row(), "APPROVED")),
        Write(after(row(), "CONFIRMED")),
    ]
    plan = await planned(session, BATCH, arguments_of(asked))
    await session.close()
    assert '"open_transactions_pkey"' in plan
    assert '"transactions_of_tenant"' not in plan
    assert "Seq Scan" not in plan


@pytest.mark.postgres
@pytest.mark.parametrize("name", FILTERS)
async def test_postgresql_serves_each_filter_by_an_index(server_with_history: str, name: str) -> None:
    """Whatever one condition a caller sets, the page goes along an index, by the choice of the planner."""
    statement, arguments = statement_of(query_of(FILTERS[name]))
    session = await asyncpg.connect(server_with_history, server_settings=SETTINGS)
    plan = await planned(session, statement, arguments)
    await session.close()
    assert "Seq Scan" not in plan
    assert ('"handles_pkey"' in plan) == (name in BLIND)


@pytest.mark.postgres
async def test_a_search_since_a_moment_opens_no_earlier_month(postgres_server: PostgresServer) -> None:
    """Without `created_from` a search by a card looks into every month, and with it into those since."""
    url = await postgres_server.create_database()
    await Postgres(url).upgrade()
    session = await asyncpg.connect(url, server_settings=SETTINGS | {"plan_cache_mode": "force_generic_plan"})
    months = [date(2025, month, 1) for month in range(1, 13)]
    for month in months:
        await session.execute(ADD_MONTH, month)
    await session.execute(f"PREPARE found AS {statements.LIST_BY_INDEX}")
    since = to_us(datetime(2025, 10, 15, tzinfo=UTC))
    looked_into = []
    for from_us in (EARLIEST_US, since):
        given = f"NULL, NULL, NULL, {from_us}, {LATEST_US}, '', 50, ARRAY['\\xa5'::bytea], NULL"
        plan = await session.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE found ({given})")
        looked_into.append([month for month in months if f'"handles_{month:%Y_%m}"' in plan])
    await session.close()
    assert looked_into == [months, months[9:]]
