"""The database is gone and comes back: what callers, load balancers and providers see meanwhile."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from grpc_health.v1.health_pb2 import HealthCheckResponse

from giftcard import AsyncClient, RepeatPolicy, Unavailable, is_approved, new_transaction_id
from giftcard_simulators.faults import Fault, FaultKind
from tests.crash.processes.counters import TILL_CARDS
from tests.crash.processes.rounds import World, open_world
from tests.crash.processes.strikes import start_database
from tests.crash.processes.verdict import read_books
from tests.patience import ANSWER_S, PATIENCE_S
from tests.postgres import PostgresServer

pytestmark = [pytest.mark.crash, pytest.mark.postgres]
CARD = TILL_CARDS[0]
ONCE = RepeatPolicy(deadline_s=PATIENCE_S, attempts=1)


@pytest.fixture
async def world(mortal_server: PostgresServer) -> AsyncIterator[World]:
    """Give one gateway that leaves callers and drivers all the time they need."""
    async with open_world(mortal_server, terms={"lease_margin_s": 60.0}, timeout_s=ANSWER_S) as world:
        world.counters.weather.is_fair = True
        yield world


@pytest.fixture
async def client(world: World) -> AsyncIterator[AsyncClient]:
    """Give a caller who asks once and never repeats by itself."""
    async with AsyncClient(world.scene.gateways[0].address, plaintext=True, policy=ONCE) as client:
        yield client


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something another process does."""
    async with asyncio.timeout(PATIENCE_S):
        while not await is_so():  # noqa: ASYNC110 - what is waited for is in another process
            await asyncio.sleep(0.05)


async def refused(client: AsyncClient) -> tuple[str, Unavailable]:
    """Redeem under new ids until one is refused; return it, and how.

    Sessions of a server that was killed may write for another moment, until they notice.
    """
    async with asyncio.timeout(PATIENCE_S):
        while True:
            transaction_id = new_transaction_id()
            try:
                await client.redeem(
                    transaction_id=transaction_id, card=CARD, amount_minor=100, currency="ZAR"
                )
            except Unavailable as refusal:
                return transaction_id, refusal


async def test_refused(world: World, client: AsyncClient, mortal_server: PostgresServer) -> None:
    """Without its database a gateway refuses what is new, surely unsent, and says so to health checks."""
    gateway = world.scene.gateways[0]

    async def is_out_of_service() -> bool:
        return await gateway.health() == HealthCheckResponse.NOT_SERVING

    mortal_server.stop(signal.SIGKILL)
    transaction_id, refusal = await refused(client)
    await until(is_out_of_service)

    assert refusal.reason == "JOURNAL_UNAVAILABLE"
    assert not refusal.is_outcome_open
    assert world.counters.requests_naming(transaction_id) == []
    assert '"the journal is away: nothing new is accepted"' in gateway.log

    await start_database(mortal_server)
    await until(gateway.is_serving)
    redeemed = await client.redeem(transaction_id=transaction_id, card=CARD, amount_minor=100, currency="ZAR")
    assert is_approved(redeemed)
    assert len(world.counters.requests_naming(transaction_id)) == 1
    assert '"the journal is back: calls are accepted again"' in gateway.log


async def test_outcome_kept(world: World, client: AsyncClient, mortal_server: PostgresServer) -> None:
    """An outcome that comes while the database is away is written when it is back, and asked for once."""
    gateway, delay_s = world.scene.gateways[0], 0.5
    while True:
        transaction_id = new_transaction_id()
        world.counters.weather.replace([Fault(fault=FaultKind.DELAY, delay_s=delay_s)])

        async def is_asked() -> bool:
            return bool(world.counters.requests_naming(transaction_id))  # noqa: B023 - asked at once

        asking = asyncio.create_task(
            client.redeem(transaction_id=transaction_id, card=CARD, amount_minor=100, currency="ZAR")
        )
        await until(is_asked)
        mortal_server.stop(signal.SIGKILL)
        await asyncio.sleep(delay_s + 0.5)
        if not asking.done():
            break
        # The machine stood still for so long that the answer was there before the database was gone.
        await start_database(mortal_server)
        await until(gateway.is_serving)
        delay_s *= 3
        assert delay_s < PATIENCE_S, "answered without a journal"
    await start_database(mortal_server)

    assert is_approved(await asking)
    books = await read_books(served.url for served in world.counters.served.values())
    assert [effect["kind"] for effect in books.effects[transaction_id]] == ["redeem"]
    assert len(world.counters.requests_naming(transaction_id)) == 1
