"""A region is lost under load, its gateway, its database and all below it; the other region goes on.

What is measured: for how long nothing new is sold, what was answered before the loss and is not known after
it, and whether the provider's settlement finds what was forgotten. What one machine cannot show is a line of
many milliseconds; one that stands still is played.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple

import grpc

from giftcard import v1
from giftcard.money import minor_to_money
from giftcard.stubs import AsyncStubs
from tests.crash.failover.cluster import Cluster, Machine
from tests.crash.failover.line import Line
from tests.crash.failover.losses import wait_for
from tests.crash.processes.counters import ELECTRUM, GR4VY
from tests.crash.processes.gateways import Restart
from tests.crash.processes.rounds import Result, World, open_world, play
from tests.crash.processes.sales import Sale
from tests.crash.processes.strikes import Scene
from tests.crash.processes.verdict import Case
from tests.patience import PATIENCE_S

_TRADE_S = 4.0
"""How long callers trade before the loss, and again after it."""
_SETTLED = frozenset({"redeem", "load", "transfer"})
"""Operations whose whole effect is the amount asked for, so that a row of a settlement can be made of it."""
_LOST = frozenset(
    {
        v1.DifferenceKind.DIFFERENCE_KIND_MISSING_HERE,
        v1.DifferenceKind.DIFFERENCE_KIND_DIFFERS,
        v1.DifferenceKind.DIFFERENCE_KIND_MONEY_BACK,
    }
)


class Way(NamedTuple):
    """How the second region follows the first."""

    name: str
    is_synchronous: bool
    still_s: float = 0.0
    """For how long the line had stood still when the first region was lost."""


WAYS = (
    Way("synchronous", is_synchronous=True),
    Way("asynchronous", is_synchronous=False),
    Way("asynchronous, 1 s behind", is_synchronous=False, still_s=1.0),
    Way("asynchronous, 3 s behind", is_synchronous=False, still_s=3.0),
)


@dataclass(frozen=True, kw_only=True)
class Loss:
    """What the loss of a region came to; durations in seconds."""

    gap_s: float
    """From the loss to the first sale asked and approved after it."""
    answered: int
    """Sales that were approved before the loss, to their callers' knowledge."""
    forgotten: int
    """Sales asked before the loss that the second region has forgotten, or knows too little of."""
    behind_s: float
    """From the first approval that was forgotten to the loss."""
    moved: int
    """Forgotten sales whose money a settlement has."""
    found: int
    """Those of them that comparing the settlement found."""
    held: int
    """Forgotten sales neither confirmed nor reversed: no settlement has them, callers' own lists do."""
    broken: Sequence[str]
    """Rules that did not hold, of sales that were not forgotten."""


async def lose(way: Way, seed: str) -> Loss:
    """Play one loss in a world of its own."""
    async with _two_regions(way) as world:
        result = await play(world, seed, most_strikes=1)
        return _loss(world, result, await _compare(world, result))


@asynccontextmanager
async def _two_regions(way: Way) -> AsyncIterator[World]:
    cluster = Cluster(is_synchronous=way.is_synchronous)
    async with AsyncExitStack() as stack:
        lines = {one.name: Line(one.port) for one in cluster.machines}
        for line in lines.values():
            await stack.enter_async_context(line.opened())
        stack.callback(cluster.remove)
        await cluster.start({name: line.port for name, line in lines.items()})
        strikes = {"region lost": (1, partial(_lose, cluster, lines, way.still_s))}
        world = await stack.enter_async_context(open_world(url=cluster.url, workers=(1, 1), strikes=strikes))
        world.counters.weather.is_fair = True
        yield world


async def _lose(cluster: Cluster, lines: Mapping[str, Line], still_s: float, scene: Scene) -> None:
    """End one region at once: the machine that leads, and the first gateway."""
    primary = await asyncio.to_thread(cluster.wait_until_paired)
    (other,) = (machine for machine in cluster.machines if machine is not primary)
    await asyncio.sleep(_TRADE_S)
    if still_s:
        lines[primary.name].stand_still()
        await asyncio.sleep(still_s)
    died_at, _ = await asyncio.gather(scene.gateways[0].kill(), asyncio.to_thread(primary.kill))
    # Dying takes its time, and what is sold meanwhile by way of the primary is forgotten with the rest.
    scene.losses.append(datetime.now(UTC))
    lines[primary.name].cut()
    await wait_for(partial(other.is_, "primary"))
    scene.database_restarts.append(Restart(scene.losses[-1], datetime.now(UTC)))
    await asyncio.sleep(_TRADE_S)
    await _return(cluster, primary, scene, died_at)


async def _return(cluster: Cluster, lost: Machine, scene: Scene, died_at: datetime) -> None:
    """Let the lost region come back, as the one that follows."""
    lost.start()
    await scene.gateways[0].come_back(died_at, 0.0)
    await asyncio.to_thread(cluster.wait_until_paired)


def _loss(world: World, result: Result, found: frozenset[str]) -> Loss:
    (lost_at,) = world.scene.losses
    approved = [sale for sale in result.sales if sale.answered_at and sale.answered_at < lost_at]
    forgotten = {
        sale.transaction_id: _case(sale, result)
        for sale in result.sales
        if sale.asked_at < lost_at and any(sale.transaction_id in said for said in result.broken)
    }
    moved = {one for one, case in forgotten.items() if _settled_minor(case)}
    held = {one for one, case in forgotten.items() if case.net and not case.kinds["confirm"]} - moved
    return Loss(
        gap_s=result.gaps_s[0],
        answered=len(approved),
        forgotten=len(forgotten),
        behind_s=max(
            (
                (lost_at - sale.answered_at).total_seconds()
                for sale in approved
                if sale.answered_at and sale.transaction_id in forgotten
            ),
            default=0.0,
        ),
        moved=len(moved),
        found=len(moved & found),
        held=len(held),
        broken=[said for said in result.broken if not any(one in said for one in forgotten)],
    )


def _case(sale: Sale, result: Result) -> Case:
    return Case(
        sale,
        result.transactions.get(sale.transaction_id),
        result.books.effects.get(sale.transaction_id, ()),
    )


def _settled_minor(case: Case) -> int:
    """Return how much a settlement says was moved for a sale; 0 where it has no row of it.

    Electrum settles what was confirmed, Gr4vy what was redeemed.
    """
    is_settled = case.sale.currency == "USD" or case.kinds["confirm"]
    if not is_settled or case.sale.operation not in _SETTLED:
        return 0
    return max((abs(book) for book, _ in case.net.values()), default=0)


async def _compare(world: World, result: Result) -> frozenset[str]:
    """Send each provider's settlement, and return the sales that it says differ."""
    cases = [_case(sale, result) for sale in result.sales]
    found: set[str] = set()
    async with grpc.aio.insecure_channel(world.scene.gateways[1].address) as channel:
        for provider, currency in ((ELECTRUM, "ZAR"), (GR4VY, "USD")):
            rows = [case for case in cases if case.sale.currency == currency and _settled_minor(case)]
            reconcile = AsyncStubs(channel).reports.Reconcile(_settlement(provider, rows), timeout=PATIENCE_S)
            told = await reconcile
            found.update(one.row_id for one in told.differences if one.kind in _LOST)
    return frozenset(found)


async def _settlement(provider: str, cases: Sequence[Case]) -> AsyncIterator[v1.ReconcileRequest]:
    """Yield what a settlement of the last hour has: a row for each sale whose money was moved."""
    scope = v1.ReconcileScope(provider=provider)
    scope.start_time.FromDatetime(datetime.now(UTC) - timedelta(hours=1))
    scope.end_time.FromDatetime(datetime.now(UTC) + timedelta(hours=1))
    yield v1.ReconcileRequest(scope=scope)
    for case in cases:
        amount = minor_to_money(_settled_minor(case), case.sale.currency)
        row = v1.SettlementRow(
            row_id=case.sale.transaction_id, transaction_id=case.sale.transaction_id, amount=amount
        )
        yield v1.ReconcileRequest(row=row)
