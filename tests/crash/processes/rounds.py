"""One round: gateways under load, strikes at random instants, and the verdict when nothing is open.

A world (providers, gateways, perhaps a database) serves many rounds, each with fresh books and ids.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from giftcard import CallError, NotFound, v1
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.journal.settings import JournalSettings
from giftcard_gateway.journal.stores import open_journal
from tests.crash.processes.counters import TIMEOUT_S, Counters, open_counters
from tests.crash.processes.gateways import HURRIED, Gateway, Restart, write_config
from tests.crash.processes.sales import Assortment, Sale, Shop, state_of
from tests.crash.processes.strikes import ALONE, SHARED, Scene, Strike
from tests.crash.processes.verdict import Books, judge, read_books

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres import PostgresServer

SALES_PER_S = 25
MOST_AT_ONCE = 24
MOST_STRIKES = 3
_LULL_S = (0.1, 0.9)
_QUIET_WITHIN_S = 180.0
"""How long all that is owed may take to end, on a busy machine; it ends in seconds on a quiet one."""
_OPEN = ("PENDING", "APPROVED", "CONFIRMING", "REVERSING")


@dataclass
class Result:
    """What a round came to; durations in seconds."""

    seed: str
    broken: list[str] = field(default_factory=list)
    strikes: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    """What went wrong between the gateways and the providers."""
    errors: Counter[str] = field(default_factory=Counter)
    """What callers heard instead of an answer."""
    states: Counter[str] = field(default_factory=Counter)
    """How the transactions ended."""
    closed_s: list[float] = field(default_factory=list)
    """Of each death: from the new start to the end of the last transaction that was open when it came."""
    gaps_s: list[float] = field(default_factory=list)
    """Of each lost database primary: from its death to the first sale asked and approved after it."""
    lasted_s: float = 0.0
    sales: Sequence[Sale] = field(default=(), repr=False)
    transactions: Mapping[str, v1.Transaction] = field(default_factory=dict, repr=False)
    """What the gateway says became of the sales, by id; those it does not know are left out."""
    books: Books = field(default_factory=lambda: Books({}, ()), repr=False)


@dataclass
class World:
    """Providers, gateways and what they write to, all alive."""

    counters: Counters
    scene: Scene
    strikes: Mapping[str, tuple[int, Strike]]


@asynccontextmanager
async def open_world(
    database: PostgresServer | None = None,
    *,
    url: str = "",
    workers: Sequence[int] = (1,),
    strikes: Mapping[str, tuple[int, Strike]] | None = None,
    terms: Mapping[str, object] = HURRIED,
    timeout_s: float = TIMEOUT_S,
) -> AsyncIterator[World]:
    """Start providers and one gateway for each of `workers`, which is how many processes it has.

    They write to SQLite, or to PostgreSQL at `url` or in a new database of `database`, and wait `timeout_s`
    for a provider's answer. All of it is gone when the block ends.
    """
    chance = random.Random()
    with _folder() as folder:
        async with open_counters(SystemClock(), chance) as counters:
            if database is not None and not url:
                url = await database.create_database()
            url = url or f"sqlite:///{folder / 'journal.db'}"
            await open_journal(JournalSettings(url=Secret(url))).upgrade()
            write_config(folder / "gateway.toml", url, counters.stanzas(timeout_s), terms)
            gateways = [
                Gateway(folder / "gateway.toml", folder, f"gateway-{number}", count)
                for number, count in enumerate(workers, 1)
            ]
            try:
                await asyncio.gather(*(gateway.start() for gateway in gateways))
                usual = SHARED if database else ALONE
                yield World(counters, Scene(gateways, database, chance), strikes or usual)
            finally:
                for gateway in gateways:
                    gateway.remove()


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="giftcard-crash-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


async def play(world: World, seed: str, *, most_strikes: int = MOST_STRIKES) -> Result:
    """Play one round and judge it.

    The seed decides what is asked, what goes wrong and when; the machine decides what else happens then.
    """
    began_s = time.monotonic()
    result = Result(seed)
    chance = world.scene.chance = random.Random(seed)
    world.counters.open_afresh()
    world.counters.weather.chance = random.Random(f"{seed}/weather")
    known_restarts, known_losses = list(world.scene.restarts), len(world.scene.losses)
    shop = Shop([gateway.address for gateway in world.scene.gateways], chance)
    try:
        sales = await _trade(world, shop, chance, result, most_strikes)
        await _wait_until_quiet(shop)
        transactions = await _read_transactions(shop, sales)
    finally:
        await shop.close()
    books = await read_books(served.url for served in world.counters.served.values())
    result.sales, result.transactions, result.books = sales, transactions, books
    result.broken = list(judge(sales, transactions, books, world.counters.weather.asked))
    result.states = Counter(map(state_of, transactions.values()))
    restarts = [one for one in world.scene.restarts if one not in known_restarts]
    result.closed_s = list(_closing_times(restarts, transactions.values()))
    result.gaps_s = list(_gaps(world.scene.losses[known_losses:], sales))
    result.faults += world.counters.weather.played
    result.errors = shop.errors
    result.lasted_s = time.monotonic() - began_s
    return result


async def _trade(
    world: World, shop: Shop, chance: random.Random, result: Result, most_strikes: int
) -> list[Sale]:
    """Sell as long as strikes come, and carry every sale to where its caller leaves it."""
    assortment = Assortment(chance)
    sales: list[Sale] = []
    striking = asyncio.create_task(_strike(world, chance, result, most_strikes))
    trading: set[asyncio.Task[None]] = set()
    while not striking.done():
        if len(trading) < MOST_AT_ONCE:
            sales.append(assortment.draw())
            task = asyncio.create_task(shop.trade(sales[-1]))
            trading.add(task)
            task.add_done_callback(trading.discard)
        await asyncio.sleep(chance.expovariate(SALES_PER_S))
    await asyncio.gather(striking, *trading)
    return sales


async def _strike(world: World, chance: random.Random, result: Result, most: int) -> None:
    names = list(world.strikes)
    for _ in range(chance.randint(1, most)):
        await asyncio.sleep(chance.uniform(*_LULL_S))
        (name,) = chance.choices(names, [world.strikes[name][0] for name in names])
        result.strikes[name] += 1
        await world.strikes[name][1](world.scene)


async def _wait_until_quiet(shop: Shop) -> None:
    """Wait until no transaction is owed anything, or for too long; what is open then is judged so."""
    states = [v1.TransactionState.Value(f"TRANSACTION_STATE_{state}") for state in _OPEN]
    request = v1.TransactionFilter(states=states)
    with suppress(TimeoutError):
        async with asyncio.timeout(_QUIET_WITHIN_S):
            await _until_none(shop, request)


async def _until_none(shop: Shop, wanted: v1.TransactionFilter) -> None:
    while True:
        try:
            page = await shop.clients[0].list_transactions(filter=wanted, page_size=1)
            if not page.transactions:
                return
        except CallError as error:
            shop.errors[f"{error.code.name} {error.reason}".strip()] += 1
        await asyncio.sleep(0.1)


async def _read_transactions(shop: Shop, sales: Sequence[Sale]) -> dict[str, v1.Transaction]:
    found: dict[str, v1.Transaction] = {}
    for sale in sales:
        try:
            found[sale.transaction_id] = await shop.clients[0].get_transaction(sale.transaction_id)
        except NotFound:
            continue
        except CallError as error:
            # Whose request was forgotten and asked anew while its first outcome was still to be written.
            if error.reason != "RECORD_ALTERED":
                raise
    return found


def _closing_times(restarts: Sequence[Restart], transactions: Iterable[v1.Transaction]) -> Iterator[float]:
    """Return how long after each restart the last transaction closed that was open at the death."""
    spans = [
        (one.create_time.ToNanoseconds() / 1e9, one.state_changes[-1].change_time.ToNanoseconds() / 1e9)
        for one in transactions
    ]
    for restart in restarts:
        died_s, restarted_s = restart.died_at.timestamp(), restart.restarted_at.timestamp()
        ends = [ended_s for opened_s, ended_s in spans if opened_s <= died_s < ended_s]
        if ends:
            yield max(0.0, max(ends) - restarted_s)


def _gaps(losses: Sequence[datetime], sales: Sequence[Sale]) -> Iterator[float]:
    """Return how long after each loss the first sale was approved that nobody had asked for before."""
    for lost_at in losses:
        answers = [sale.answered_at for sale in sales if sale.answered_at and sale.asked_at > lost_at]
        if answers:
            yield (min(answers) - lost_at).total_seconds()
