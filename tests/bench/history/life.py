"""A history and a life of writes after it: what one layout of the PostgreSQL journal costs."""

from __future__ import annotations

import os
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec

from giftcard_gateway.journal.contract import Row
from giftcard_gateway.journal.microseconds import from_us
from giftcard_gateway.journal.postgres import months, schema
from giftcard_gateway.journal.postgres.numbering import AT_ONCE
from giftcard_gateway.journal.rows import FINAL_STATES, Open, Write
from giftcard_gateway.journal.schema import Steps
from tests.bench.history.layouts import FIRST_US, NOW_US, Layout, Session

Figures = dict[str, float]

CHUNK = 50_000
BATCH = 16
CHECKPOINT = 3_500
"""Transactions between two checkpoints: five minutes of a million a day."""
WARM = 1_600
"""Transactions before those that are measured, so that the server has planned and read what they need."""
NUMBERED = 160
"""Transactions between two looks at the feed: some milliseconds of a busy gateway's."""
DUE = 1_000
ROUNDS = 40
STEPS = (("PENDING", 600), ("APPROVED", 940), ("CONFIRMING", 1280), ("CONFIRMED", 1250))
"""What a redemption is written as, and how many bytes its document then has."""
TOLD = (4, 2, 0, 0)
"""How many blind indexes each of its writes brings."""
SETTINGS = {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "jit": "off"}
"""As a gateway's sessions have them."""

_MADE = f"""
CREATE TEMPORARY TABLE made AS
SELECT gen_random_uuid()::text COLLATE "C" AS transaction_id, 'redeem' COLLATE "C" AS operation,
    'spar-za' COLLATE "C" AS provider,
    CASE i % 100 WHEN 0 THEN 'DECLINED' WHEN 1 THEN 'FAILED' WHEN 2 THEN 'REVERSED' ELSE 'CONFIRMED' END
        COLLATE "C" AS state,
    {FIRST_US} + i * ({NOW_US - FIRST_US}::bigint / $1) AS created_us,
    {FIRST_US} + i * ({NOW_US - FIRST_US}::bigint / $1) AS updated_us,
    NULL::bigint AS due_us, '' COLLATE "C" AS driver, 4::bigint AS version, 1::bigint AS fence,
    decode(repeat('a5', {STEPS[-1][1]}), 'hex') AS document, 'default' COLLATE "C" AS tenant,
    '' COLLATE "C" AS asked_id, 'first' COLLATE "C" AS hash_key
FROM generate_series($2::bigint, $3::bigint) AS i
"""  # noqa: S608 - put together from our own text

# Of each btree that is no part of another index: what takes it away, and what makes it again, 70 % full.
# What is partitioned calls its index ONLY its own, which would leave the partitions without.
_INDEXES = """
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS away,
    format('ALTER TABLE %s ADD CONSTRAINT %I %s WITH (fillfactor = 70)', conrelid::regclass, conname,
        pg_get_constraintdef(oid)) AS again
FROM pg_constraint
WHERE contype IN ('p', 'u') AND conparentid = 0 AND connamespace = 'public'::regnamespace
UNION ALL
SELECT format('DROP INDEX %s', indexrelid::regclass),
    regexp_replace(replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON '), '( WHERE .*)?$',
        ' WITH (fillfactor = 70)\\1')
FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_am ON pg_am.oid = relam AND amname = 'btree'
WHERE relnamespace = 'public'::regnamespace AND NOT relispartition
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
"""
_FILLED = """
SELECT format('ALTER INDEX %s RESET (fillfactor)', oid::regclass) AS reset
FROM pg_class
WHERE relkind = 'i' AND relnamespace = 'public'::regnamespace AND 'fillfactor=70' = ANY(reloptions)
"""

# Partitions count with the table they are of.
_SIZES = """
SELECT coalesce(p.inhparent, c.oid)::regclass::text AS name, sum(pg_table_size(c.oid))::bigint AS heap,
    sum(pg_indexes_size(c.oid))::bigint AS indexes
FROM pg_class AS c LEFT JOIN pg_inherits AS p ON p.inhrelid = c.oid
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
GROUP BY 1 HAVING sum(pg_table_size(c.oid) + pg_indexes_size(c.oid)) > 0
"""
_UPDATES = """
SELECT sum(n_tup_upd)::bigint AS updates, sum(n_tup_hot_upd)::bigint AS hot, sum(n_dead_tup)::bigint AS dead,
    sum(autovacuum_count)::bigint AS vacuumed
FROM pg_stat_user_tables
"""


class Costs(msgspec.Struct, kw_only=True):
    """What was measured of one layout; each figure by its name."""

    figures: Figures
    tables: dict[str, tuple[float, float]]
    """Bytes that a transaction adds to each table and to its indexes."""


async def lay_out(session: Session, layout: Layout) -> None:
    """Make the tables, and those of the months of the history."""
    folder = Path(schema.__file__).parent
    await schema.upgrade(session, Steps(folder, layout.until))
    month = months.month_of(from_us(FIRST_US))
    while not layout.until and month <= months.month_of(from_us(NOW_US)):
        await session.execute(months.ADD_MONTH, month)
        month = months.next_month(month)


async def fill(session: Session, layout: Layout, rows: int) -> None:
    """Add a history of finished transactions, as old as a few days.

    Indexes are made after the rows, which takes a fraction of the time, and as full as growing would have
    left those of random keys.
    """
    bare = [(each["away"], each["again"]) for each in await session.fetch(_INDEXES)]
    for away, _ in bare:
        await session.execute(away)
    for first in range(0, rows, CHUNK):
        made = (
            _MADE.replace("$1", str(rows))
            .replace("$2", str(first))
            .replace("$3", str(min(first + CHUNK, rows) - 1))
        )
        await session.execute(made)
        for one in layout.fill:
            await session.execute(one)
        await session.execute("DROP TABLE made")
    for _, again in bare:
        await session.execute(again)
    # What is added from here on is to be laid out as an index that was never loaded would have it.
    for each in await session.fetch(_FILLED):
        await session.execute(each["reset"])
    await session.execute("VACUUM (FREEZE, ANALYZE)")
    await session.execute("CHECKPOINT")


async def cost(session: Session, layout: Layout, rows: int, lives: int) -> Costs:
    """Return what a layout costs over the history that is there."""
    await open_due(session, layout)
    claimed = await claim_ms(session, layout)
    there = await session.fetch("SELECT transaction_id, handle FROM handles LIMIT 4000")
    some, handles = [each["transaction_id"] for each in there], [each["handle"] for each in there]
    newest = tuple(await session.fetchrow(layout.last_change) or ())
    asked = {
        "get a finished one, ms": lambda: session.fetch(layout.get, [some[uuid.uuid4().int % len(some)]]),
        "list by a blind index, ms": lambda: session.fetch(
            layout.by_index,
            None,
            None,
            None,
            0,
            2**62,
            "",
            50,
            [handles[uuid.uuid4().int % len(handles)]],
            None,
        ),
        "list 50, ms": lambda: session.fetch(layout.listed, None, None, None, 0, 2**62, "", 50),
        "changes, 100 of the newest, ms": lambda: session.fetch(layout.changes, *newest, 100),
    }
    figures: Figures = {
        "history, bytes a transaction": sum(map(sum, (await _sizes(session)).values())) / rows,
        "claim 20 of 1,000 due, ms": claimed,
    }
    for name, ask in asked.items():
        figures[name] = await _median_ms(ask)
    await live(session, layout, WARM)
    # Those made while nothing was open; a gateway makes them anew every few minutes.
    await session.execute("DISCARD PLANS")
    lived, tables = await live(session, layout, lives)
    figures |= lived
    figures["claim after that, ms"] = await claim_ms(session, layout)
    figures |= await vacuum(session) | await purge(session, layout)
    return Costs(figures=figures, tables=tables)


async def live(
    session: Session, layout: Layout, lives: int
) -> tuple[Figures, dict[str, tuple[float, float]]]:
    """Write whole lives of transactions in batches; return what one came to, and its bytes by table."""
    before, stood = await _sizes(session), await _updates(session)
    wal, spent, since = 0, 0.0, CHECKPOINT
    worker = Path(f"/proc/{await session.fetchval('SELECT pg_backend_pid()')}/stat")
    for first in range(0, lives, BATCH):
        if since >= CHECKPOINT:
            since = 0
            await session.execute("CHECKPOINT")
        since += BATCH
        began, began_s = await _wal(session), _cpu_s(worker)
        ids = [str(uuid.uuid4()) for _ in range(BATCH)]
        for step in range(len(STEPS)):
            await write(session, layout, ids, step, NOW_US + first * 1000)
        if first % NUMBERED < BATCH:
            await settle(session, layout)
        spent += _cpu_s(worker) - began_s
        wal += await _wal(session) - began
    after, stands = await _sizes(session), await _updates(session)
    updates = stands["updates"] - stood["updates"]
    grown = {
        table: ((heap - before.get(table, (0, 0))[0]) / lives, (of - before.get(table, (0, 0))[1]) / lives)
        for table, (heap, of) in after.items()
    }
    return {
        "bytes a transaction": sum(map(sum, grown.values())),
        "WAL bytes a transaction": wal / lives,
        "CPU of the server, µs a transaction": spent / lives * 1e6,
        "updates a transaction": updates / lives,
        "HOT, %": 100 * (stands["hot"] - stood["hot"]) / max(updates, 1),
        "dead rows left": stands["dead"],
        "vacuumed by itself meanwhile": stands["vacuumed"] - stood["vacuumed"],
    }, grown


async def write(
    session: Session, layout: Layout, ids: Sequence[str], step: int, at_us: int, due_us: int | None = None
) -> None:
    """Write these transactions, in one batch, as they are after a step of their life."""
    state, size = STEPS[step]
    due = None if state in FINAL_STATES else due_us or at_us + 60_000_000
    ids = sorted(ids)
    document = uuid.uuid4().bytes * (size // 16)
    rows = [
        Row(
            transaction_id=one,
            operation="redeem",
            provider="spar-za",
            state=state,
            # All of a life has one time, so that it stays one life.
            created_at=from_us(at_us),
            updated_at=from_us(at_us),
            due_at=None if due is None else from_us(due),
            driver="me",
            version=step + 1,
            fence=1,
            document=document,
            blind_indexes=tuple(uuid.uuid4().bytes * 2 for _ in range(TOLD[step])),
        )
        for one in ids
    ]
    done = await session.fetchrow(
        layout.batch, *layout.arguments([Write(row) if step else Open(row) for row in rows])
    )
    assert done is not None
    assert set(done["written" if step else "opened"]) == set(ids)


async def settle(session: Session, layout: Layout) -> None:
    """Give what is fresh its places, as every beat does and whoever reads the feed."""
    while layout.number and await session.fetchval(layout.number, AT_ONCE):
        pass


async def open_due(session: Session, layout: Layout) -> None:
    """Open transactions that are due; every claim takes them again."""
    for _ in range(0, DUE, BATCH):
        await write(
            session, layout, [str(uuid.uuid4()) for _ in range(BATCH)], 0, NOW_US - 1, due_us=NOW_US - 1
        )


async def claim_ms(session: Session, layout: Layout) -> float:
    """Return how long a claim of 20 takes, and put none out of reach of the next."""
    return await _median_ms(
        lambda: session.fetch(layout.claim, NOW_US, NOW_US, "me", 20, "spar-za", ["PENDING"], None)
    )


async def vacuum(session: Session) -> Figures:
    """Return what cleaning up after the life takes: by history or by what changed."""
    began, began_s = await _wal(session), time.perf_counter()
    await session.execute("VACUUM (INDEX_CLEANUP ON)")
    return {"VACUUM, s": time.perf_counter() - began_s, "VACUUM, WAL MB": (await _wal(session) - began) / 1e6}


async def purge(session: Session, layout: Layout) -> Figures:
    """Return what it takes to let the first month of the history go, and to clean up after that."""
    there = await session.fetchval("SELECT count(*) FROM transactions")
    began, began_s = await _wal(session), time.perf_counter()
    if layout.drop is not None:
        await layout.drop(session)
    dropped_s = time.perf_counter() - began_s
    statement, given = layout.purge
    while await session.fetchval(statement, *given):
        pass
    purged_s, purged = time.perf_counter() - began_s, await _wal(session) - began
    gone = there - await session.fetchval("SELECT count(*) FROM transactions")
    cleaned = await vacuum(session)
    return {
        "purge of a month, rows": gone,
        "of it dropped at once, ms": dropped_s * 1000,
        "purge, µs a row": purged_s / max(gone, 1) * 1e6,
        "purge, WAL bytes a row": purged / max(gone, 1),
        "VACUUM after it, s": cleaned["VACUUM, s"],
    }


async def _median_ms(ask: Callable[[], Awaitable[object]]) -> float:
    times: list[float] = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await ask()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


def _cpu_s(worker: Path) -> float:
    """Return how long a process of the server has computed: unlike the time that passed, its own."""
    user, system = worker.read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


async def _wal(session: Session) -> int:
    return int(await session.fetchval("SELECT pg_current_wal_insert_lsn() - '0/0'"))


async def _sizes(session: Session) -> dict[str, tuple[int, int]]:
    return {each["name"]: (each["heap"], each["indexes"]) for each in await session.fetch(_SIZES)}


async def _updates(session: Session) -> dict[str, int]:
    # What this session did is told when it is at rest, once it is asked to.
    await session.execute("SELECT pg_stat_force_next_flush()")
    await session.execute("SELECT pg_stat_clear_snapshot()")
    found = await session.fetchrow(_UPDATES)
    assert found is not None
    return dict(found.items())
