"""Routing: which provider gets a request that names none, and when another may have it after all."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest
import pytest_asyncio

from giftcard import is_approved, new_transaction_id, v1
from tests.providers.cells import BY_NAME, FUNDED, VAULTED, VAULTED_PIN
from tests.providers.conftest import OpenWorld
from tests.providers.refusals import (
    CROSS_PROVIDER,
    FIELD_INVALID,
    NO_ROUTE,
    OPERATION_UNSUPPORTED,
    PROVIDER_UNREACHABLE,
    refused,
)
from tests.providers.world import ELECTRUM, GATEPAY, GR4VY, JEUDIMERCI, Table, World, open_world
from tests.world.app import HOST

pytestmark = pytest.mark.asyncio(loop_scope="session")

MERCHANT = v1.PointOfSale(merchant=v1.Merchant(merchant_id="SHOP00000000009"))
RULES = [
    {"provider": JEUDIMERCI, "currency": "EUR"},
    {"provider": GATEPAY, "currency": "USD", "operation": "ISSUE"},
    {"provider": GR4VY, "product": "online"},
    {"provider": JEUDIMERCI, "merchant": "SHOP00000000009", "operation": "ISSUE"},
    {"provider": GR4VY, "prefix": "6045099"},
]
DOLLARS = {"amount": "10.00", "currency": "USD"}
EUROS = {"amount": "10.00", "currency": "EUR"}


def ruled(table: Table) -> None:
    """Put the rules into a configuration."""
    table["routing"]["rules"] = RULES


ROUTES: list[tuple[str, str, str, Mapping[str, object]]] = [
    ("prefix", ELECTRUM, "redeem", {"card": FUNDED, "amount": "10.00", "currency": "ZAR"}),
    ("other prefix", GR4VY, "redeem", {"card": VAULTED, "pin": VAULTED_PIN, **DOLLARS}),
    ("longer prefix", GR4VY, "redeem", {"card": "6045099000000001", "pin": "050000", **DOLLARS}),
    ("currency", JEUDIMERCI, "issue", EUROS),
    ("currency and operation", GATEPAY, "issue", DOLLARS),
    (
        "product",
        GR4VY,
        "redeem",
        {"card": "7000000000000001", "pin": "050000", **DOLLARS, "product": "online"},
    ),
    ("merchant and operation", JEUDIMERCI, "issue", {**EUROS, "point_of_sale": MERCHANT}),
    ("named by the caller", GR4VY, "issue", {**DOLLARS, "theme_id": "031111372", "provider": GR4VY}),
]


@pytest_asyncio.fixture(loop_scope="session")
async def routed(own_world: OpenWorld) -> World:
    """Give a world with rules."""
    return await own_world(ruled)


async def test_a_request_goes_where_the_rules_say(routed: World) -> None:
    """By prefix, the longer first, by merchant, currency, product, operation; a named provider wins."""
    for why, provider, operation, given in ROUTES:
        fields = dict(given)
        if "product" in fields:
            fields["product"] = v1.Product(product_id=str(fields["product"]))
        done = await getattr(routed.client, operation)(transaction_id=new_transaction_id(), **fields)
        assert (why, done.provider, is_approved(done)) == (why, provider, True)


async def test_no_rule_no_route(routed: World) -> None:
    """A card that no rule knows is NO_ROUTE, for money and for reads, and nobody is asked."""
    with refused(*NO_ROUTE):
        await routed.client.redeem(
            transaction_id=new_transaction_id(), card="9999000000000001", amount="10.00", currency="ZAR"
        )
    with refused(*NO_ROUTE):
        await routed.client.balance(card="9999000000000001")
    assert not any(provider.heard for provider in routed.providers.values())


async def test_two_cards_of_two_providers(routed: World) -> None:
    """A transfer between cards of different providers is CROSS_PROVIDER, and nobody is asked."""
    with refused(*CROSS_PROVIDER):
        await routed.client.transfer(
            transaction_id=new_transaction_id(),
            source_card=FUNDED,
            target_card=VAULTED,
            amount="10.00",
            currency="ZAR",
        )
    with refused(*CROSS_PROVIDER):
        await routed.client.replace(transaction_id=new_transaction_id(), old_card=FUNDED, new_card=VAULTED)
    assert not any(provider.heard for provider in routed.providers.values())


async def test_an_operation_does_not_look_for_another_provider(routed: World) -> None:
    """A load routed to a provider without loads is refused, not sent somewhere else."""
    with refused(*OPERATION_UNSUPPORTED) as caught:
        await routed.client.load(transaction_id=new_transaction_id(), card=VAULTED, **DOLLARS)  # type: ignore[arg-type]  # keywords as data
    assert caught.error.metadata["provider"] == GR4VY


async def test_what_a_provider_could_not_take_is_refused_first(routed: World) -> None:
    """A routed request that its provider has no room for names the field, and nothing is sent."""
    with refused(*FIELD_INVALID) as caught:
        await routed.client.issue(transaction_id=new_transaction_id(), quantity=2, **DOLLARS)  # type: ignore[arg-type]  # keywords as data
    assert [violation.field for violation in caught.error.violations] == ["quantity"]
    assert routed.providers[GATEPAY].heard == []


def switched_off(table: Table) -> None:
    """Switch Electrum off."""
    table["providers"][ELECTRUM]["enabled"] = False


async def test_a_provider_switched_off(own_world: OpenWorld) -> None:
    """A provider switched off takes no money request and no read; the operator's word is in the refusal."""
    world = await own_world(switched_off)
    for asking in (
        world.client.redeem(transaction_id=new_transaction_id(), card=FUNDED, amount="1.00", currency="ZAR"),
        world.client.balance(card=FUNDED),
    ):
        with refused(*PROVIDER_UNREACHABLE) as caught:
            await asking
        assert "switched this provider off" in str(caught.error)
    assert world.providers[ELECTRUM].heard == []
    assert not (await world.client.get_provider(provider=ELECTRUM)).provider.enabled


async def test_a_provider_switched_off_still_gets_what_it_is_owed(tmp_path: Path) -> None:
    """What was approved before the switch can be reversed and replayed after it, on the same journal."""
    fields = BY_NAME[f"{ELECTRUM}-Redeem"].fresh()
    async with open_world(tmp_path) as world:
        done = await world.ask(ELECTRUM, "Redeem", fields)
    async with open_world(tmp_path, switched_off) as world:
        assert (await world.ask(ELECTRUM, "Redeem", fields)).state == done.state
        back = await world.reverse("Redeem", done.transaction_id)
        # The second world's provider never saw what the first approved, and says so: a person must look.
        assert back.state == v1.TransactionState.TRANSACTION_STATE_UNRESOLVED
        assert len(world.providers[ELECTRUM].heard) == 1


SPARE = "gatepay-spare"


def doubled(table: Table) -> None:
    """Put a second connection to GatePay beside the first, for issues that were surely not sent."""
    first = table["providers"][GATEPAY]
    table["providers"][SPARE] = {**first, "prefixes": [], "settings": dict(first["settings"])}
    first["terms"] = {**first["terms"], "circuit_threshold": 2, "circuit_cooldown_s": 60.0}
    rule = {"provider": GATEPAY, "failover": SPARE, "operation": "ISSUE", "currency": "USD"}
    table["routing"]["rules"] = [rule]


def dead_first(table: Table) -> None:
    """Let nobody be on the first connection's port."""
    doubled(table)
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        table["providers"][GATEPAY]["settings"]["base_url"] = f"http://{HOST}:{taken.getsockname()[1]}"


def first_off(table: Table) -> None:
    """Switch the first connection off."""
    doubled(table)
    table["providers"][GATEPAY]["enabled"] = False


def creates(world: World) -> int:
    """Count the creates that reached GatePay over either connection."""
    return sum(one.path.endswith("/create") for one in world.providers[GATEPAY].heard)


async def test_an_issue_surely_not_sent_fails_over(own_world: OpenWorld) -> None:
    """With nobody on the first port the spare issues the card, once, and the history says so."""
    world = await own_world(dead_first)
    for count in range(1, 5):
        fields = {"transaction_id": new_transaction_id(), **DOLLARS}
        done = await world.client.issue(**fields)  # type: ignore[arg-type]  # keywords as data
        assert (done.provider, is_approved(done), len(done.issued_cards)) == (SPARE, True, 1)
        assert creates(world) == count
        if count == 1:
            notes = [change.note for change in done.state_changes]
            assert f"not sent to {GATEPAY}; tried at {SPARE}" in notes
        replayed = await world.client.issue(**fields)  # type: ignore[arg-type]  # keywords as data
        assert replayed.issued_cards == done.issued_cards
    told = await world.client.get_provider(provider=GATEPAY)
    assert told.provider.circuit_state == v1.CircuitState.CIRCUIT_STATE_OPEN


async def test_a_provider_switched_off_is_passed_by(own_world: OpenWorld) -> None:
    """An issue whose first provider is switched off goes to the spare at once."""
    world = await own_world(first_off)
    done = await world.client.issue(transaction_id=new_transaction_id(), **DOLLARS)  # type: ignore[arg-type]  # keywords as data
    assert (done.provider, is_approved(done)) == (SPARE, True)


@pytest.mark.parametrize("fault", ["drop_request", "drop_answer", "html_502", "truncated_json"])
async def test_an_issue_that_may_have_been_sent_stays(own_world: OpenWorld, fault: str) -> None:
    """Once a byte has left nothing fails over, whether the provider acted or not."""
    world = await own_world(doubled)
    provider = world.providers[GATEPAY]
    await provider.go_wrong({"fault": fault})
    fields = {"transaction_id": new_transaction_id(), **DOLLARS}
    asking = asyncio.create_task(world.client.issue(**fields))  # type: ignore[arg-type]  # keywords as data
    await provider.script_played()
    await world.idle()
    done = await world.client.get_transaction(fields["transaction_id"])
    # Where no card was named nothing can be found, so a person must look at once.
    assert done.provider == GATEPAY
    assert done.state in {
        v1.TransactionState.TRANSACTION_STATE_PENDING,
        v1.TransactionState.TRANSACTION_STATE_UNRESOLVED,
    }
    assert creates(world) == (0 if fault in {"drop_request", "html_502"} else 1)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)


async def test_a_no_is_not_asked_elsewhere(own_world: OpenWorld) -> None:
    """A decline is the first provider's answer, and the spare is not asked."""
    world = await own_world(doubled)
    done = await world.client.issue(
        transaction_id=new_transaction_id(),
        title="sandbox: payment failed",
        **DOLLARS,  # type: ignore[arg-type]  # keywords as data
    )
    assert (done.provider, done.state) == (GATEPAY, v1.TransactionState.TRANSACTION_STATE_DECLINED)
    assert creates(world) == 1
