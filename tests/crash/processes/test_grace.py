"""A gateway that was down gives callers time to decide what came due meanwhile (rule 10)."""

from __future__ import annotations

import asyncio

import pytest

from giftcard import AsyncClient, RepeatPolicy, is_approved, new_transaction_id, v1
from tests.crash.processes.counters import TILL_CARDS
from tests.crash.processes.gateways import Gateway
from tests.crash.processes.rounds import open_world
from tests.patience import ANSWER_S, PATIENCE_S
from tests.postgres import PostgresServer

CONFIRM_BY_S = 10.0
"""Long enough for three redemptions on a busy machine: nothing may be overdue before the gateway dies."""
DOWN_S = 15.0
"""Longer than `confirm_by`, and than what a gateway of several takes for silence."""
PATIENT = RepeatPolicy(deadline_s=PATIENCE_S)


async def check_sales_survive(database: PostgresServer | None) -> None:
    """Approve three sales, kill the gateway until they are overdue, and confirm them after the start."""
    terms = {"confirm_by_s": CONFIRM_BY_S, "lease_margin_s": 1.0}
    async with open_world(database, terms=terms, timeout_s=ANSWER_S) as world:
        world.counters.weather.is_fair = True
        (gateway,) = world.scene.gateways
        loop = asyncio.get_running_loop()
        while True:
            began_s = loop.time()
            sales = await sell(gateway)
            # The heartbeat is no older than this when the process dies.
            await asyncio.sleep(0.5)
            died_at = await gateway.kill()
            if loop.time() - began_s < CONFIRM_BY_S:
                break
            # The machine stood still, and the first sale was overdue before the gateway died.
            await gateway.come_back(died_at, 0)
        await gateway.come_back(died_at, DOWN_S)
        async with AsyncClient(gateway.address, plaintext=True, policy=PATIENT) as client:
            confirmed = [await client.confirm_redeem(transaction_id=sale) for sale in sales]
        assert {one.state for one in confirmed} == {v1.TransactionState.TRANSACTION_STATE_CONFIRMED}


async def sell(gateway: Gateway) -> list[str]:
    """Return the ids of three redemptions that are approved."""
    sales = [new_transaction_id() for _ in range(3)]
    async with AsyncClient(gateway.address, plaintext=True, policy=PATIENT) as client:
        for sale in sales:
            redeemed = await client.redeem(
                transaction_id=sale, card=TILL_CARDS[0], amount_minor=100, currency="ZAR"
            )
            assert is_approved(redeemed)
    return sales


@pytest.mark.crash
async def test_sales_of_a_till_survive_a_crash() -> None:
    """With SQLite: three sales that fell overdue while the gateway was down are confirmed by their till."""
    await check_sales_survive(None)


@pytest.mark.crash
@pytest.mark.postgres
async def test_sales_of_a_till_survive_a_crash_with_postgresql(postgres_server: PostgresServer) -> None:
    """With PostgreSQL: the same, where another process might have lived on and did not."""
    await check_sales_survive(postgres_server)
