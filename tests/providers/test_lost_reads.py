"""Reads without an answer: nobody there, too late, unreadable, or cut with their caller."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from giftcard import Card, Unavailable, v1
from tests.patience import PATIENCE_S
from tests.providers.cells import FUNDED, VAULTED, VAULTED_PIN
from tests.providers.conftest import OpenWorld
from tests.providers.refusals import (
    PROVIDER_FAILED,
    PROVIDER_TIMEOUT,
    PROVIDER_UNREACHABLE,
    Refusal,
    refused,
)
from tests.providers.strange_servers import tarpit
from tests.providers.world import ELECTRUM, GATEPAY, GR4VY, JEUDIMERCI, Table, World

pytestmark = pytest.mark.asyncio(loop_scope="session")

E_CARD = Card.redemption_key("JDMDEMO000000001")
READS: list[tuple[str, str, Mapping[str, object]]] = [
    (ELECTRUM, "lookup", {"card": FUNDED}),
    (ELECTRUM, "balance", {"card": FUNDED}),
    (GR4VY, "lookup", {"card": VAULTED, "pin": VAULTED_PIN}),
    (GR4VY, "balance", {"card": VAULTED, "pin": VAULTED_PIN}),
    (GR4VY, "list_stored_cards", {}),
    (JEUDIMERCI, "lookup", {"card": E_CARD}),
    (JEUDIMERCI, "list_stored_cards", {}),
    (JEUDIMERCI, "list_offers", {}),
    (JEUDIMERCI, "get_ticket_statistics", {}),
    (GATEPAY, "lookup", {"card": "6045200000000001"}),
    (GATEPAY, "balance", {"card": "6045200000000001"}),
    (GATEPAY, "list_templates", {}),
]
CHANGES: list[tuple[str, str, Mapping[str, object]]] = [
    (GR4VY, "store_card", {"card": Card.number(VAULTED, pin=VAULTED_PIN)}),
    (JEUDIMERCI, "sync_offers", {}),
    (JEUDIMERCI, "extract_accounts", {}),
]
UNANSWERED = ("drop_answer", "drop_request", "html_502", "truncated_json")


async def call(world: World, provider: str, name: str, fields: Mapping[str, object]) -> object:
    """Make one call of the client."""
    return await getattr(world.client, name)(provider=provider, **fields)


async def sent(world: World, provider: str, name: str, fields: Mapping[str, object]) -> object:
    """Make one call, again when a slow machine did not even connect in time: that is surely not sent."""
    while True:
        try:
            return await call(world, provider, name, fields)
        except Unavailable as fault:
            if fault.reason != "PROVIDER_UNREACHABLE":
                raise


@pytest.mark.parametrize("fault", UNANSWERED)
@pytest.mark.parametrize(("provider", "name", "fields"), READS)
async def test_a_read_without_a_readable_answer(
    world: World, provider: str, name: str, fields: Mapping[str, object], fault: str
) -> None:
    """A read whose answer is lost or cannot be read is UNAVAILABLE with a pause, and the next one works."""
    await world.providers[provider].go_wrong({"fault": fault})
    with refused(*PROVIDER_FAILED) as caught:
        await call(world, provider, name, fields)
    assert caught.error.retry_after_s
    assert caught.error.metadata == {"provider": provider}
    await call(world, provider, name, fields)


@pytest.mark.parametrize("fault", UNANSWERED)
@pytest.mark.parametrize(("provider", "name", "fields"), CHANGES)
async def test_a_change_without_a_readable_answer(
    world: World, provider: str, name: str, fields: Mapping[str, object], fault: str
) -> None:
    """What may have had an effect is never UNAVAILABLE: no stub may repeat it by itself."""
    await world.providers[provider].go_wrong({"fault": fault})
    with refused(*PROVIDER_TIMEOUT) as caught:
        await call(world, provider, name, fields)
    assert "may have acted" in str(caught.error)
    assert len(world.providers[provider].heard) <= 1


@pytest.mark.parametrize(("provider", "name", "fields"), [*READS, *CHANGES])
async def test_an_answer_too_late(
    hasty: World, provider: str, name: str, fields: Mapping[str, object]
) -> None:
    """A read that takes longer than the provider's timeout is DEADLINE_EXCEEDED."""
    await hasty.providers[provider].go_wrong({"fault": "delay", "delay_s": 1.5})
    with refused(*PROVIDER_TIMEOUT):
        await sent(hasty, provider, name, fields)


async def test_nobody_there(own_world: OpenWorld) -> None:
    """With nobody on the port, reads and changes alike are surely not sent: UNAVAILABLE with a pause."""
    world = await own_world()
    for provider in world.providers.values():
        await provider.served.close()
    for provider_id, name, fields in [*READS, *CHANGES]:
        with refused(*PROVIDER_UNREACHABLE) as caught:
            await call(world, provider_id, name, fields)
        assert caught.error.retry_after_s
    answer = await world.client.batch_balance([{"card": FUNDED}, {"card": "6045200000000001"}])
    assert all("cannot be reached" in item.error.message for item in answer.items)


async def test_a_read_is_cut_with_its_caller(own_world: OpenWorld) -> None:
    """When a caller leaves, the provider sees the connection end, and the circuit thinks nothing of it."""
    async with tarpit() as pit:

        def adjust(table: Table) -> None:
            for stanza in table["providers"].values():
                stanza["settings"]["base_url"] = pit.url

        world = await own_world(adjust)
        for provider, name, fields in READS:
            pit.forget()
            reading = asyncio.create_task(call(world, provider, name, fields))
            async with asyncio.timeout(PATIENCE_S):
                await pit.came.wait()
            assert not pit.left.is_set()
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            async with asyncio.timeout(PATIENCE_S):
                await pit.left.wait()
        for told in (await world.client.list_providers()).providers:
            assert told.circuit_state == v1.CircuitState.CIRCUIT_STATE_CLOSED
            assert told.health == v1.ProviderHealth.PROVIDER_HEALTH_UNSPECIFIED


async def test_a_callers_deadline_cuts_its_read(own_world: OpenWorld) -> None:
    """A caller's own deadline ends the read at the provider too, long before the provider's timeout."""
    async with tarpit() as pit:

        def adjust(table: Table) -> None:
            table["providers"][ELECTRUM]["settings"]["base_url"] = pit.url

        world = await own_world(adjust)
        request = v1.BalanceRequest(card=v1.Card(number=v1.CardNumber(pan=FUNDED)))
        refusal: Refusal = PROVIDER_TIMEOUT[0], ""
        timeout_s = 0.5
        while not pit.came.is_set():  # on a slow machine the call may be over before it is at the provider
            with refused(*refusal):
                await world.stubs.gift_cards.Balance(request, timeout=timeout_s)
            timeout_s *= 2
        async with asyncio.timeout(PATIENCE_S):
            await pit.left.wait()
