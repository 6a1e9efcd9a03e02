"""ProviderService: the table's guarantees; health, circuit and backlog as a provider goes and comes."""

from __future__ import annotations

import pytest

from giftcard import is_reversed, v1
from giftcard_adapters.values.names import names_of
from giftcard_simulators.serve import serve
from tests.conformance.descriptors import subject_of
from tests.providers.cells import BY_NAME, CELLS, NONE, OPERATIONS, call_of
from tests.providers.conftest import OpenWorld
from tests.providers.refusals import PROVIDER_NOT_FOUND, PROVIDER_UNREACHABLE, STATE_CONFLICT, refused
from tests.providers.world import ELECTRUM, GATEPAY, GR4VY, JEUDIMERCI, NAMES, Table, World
from tests.world.app import HOST

pytestmark = pytest.mark.asyncio(loop_scope="session")

APPROVED = v1.TransactionState.TRANSACTION_STATE_APPROVED

LETTERS = {
    v1.Guarantee.GUARANTEE_NATIVE: "N",
    v1.Guarantee.GUARANTEE_COMPENSATED: "C",
    v1.Guarantee.GUARANTEE_NONE: "1",
    v1.Guarantee.GUARANTEE_UNSUPPORTED: "-",
}
ENDINGS = {
    f"{ELECTRUM}-*": ["REVERSE"],
    f"{GR4VY}-Redeem": ["RESEND", "FIND", "PERSON"],
    f"{GR4VY}-Issue": ["PERSON"],
    f"{GR4VY}-Activate": ["PERSON"],
    f"{JEUDIMERCI}-Issue": ["FIND", "PERSON"],
    f"{GATEPAY}-Issue": ["FIND", "PERSON"],
}


def rpc_of(support: v1.OperationSupport) -> str:
    """Return the RPC of an operation."""
    return names_of(v1.Operation.Name(support.operation).removeprefix("OPERATION_")).rpc


async def told_of(world: World, provider: str) -> v1.Provider:
    """Return what the gateway tells of a provider."""
    return (await world.client.get_provider(provider=provider)).provider


@pytest.mark.parametrize("provider", NAMES)
async def test_guarantees_are_those_of_the_table(world: World, provider: str) -> None:
    """Every operation's guarantee, and every other capability, is what the provider's descriptor expects."""
    told = await told_of(world, provider)
    names = [rpc_of(one) for one in told.operations]
    assert tuple(names) == OPERATIONS
    expected = subject_of(provider)
    letters = {names_of(operation).rpc: letter for operation, letter in expected.guarantees.items()}
    row = [letters.get(operation, "-") for operation in OPERATIONS]
    assert [LETTERS[one.guarantee] for one in told.operations] == row
    capabilities = {v1.Capability.Name(one).removeprefix("CAPABILITY_") for one in told.capabilities}
    batches = {"BATCH_BALANCE"} if expected.adapter.balances_per_call > 1 else set()
    webhooks = {"WEBHOOKS"} if expected.has_webhooks else set()
    assert capabilities == {call_of(read).upper() for read in expected.reads} | batches | webhooks
    assert told.deletes_cards is expected.adapter.deletes_cards
    assert told.deletes_cards or provider != JEUDIMERCI
    assert told.enabled


@pytest.mark.parametrize("provider", NAMES)
async def test_what_is_told_beforehand_is_what_happens(world: World, provider: str) -> None:
    """Endings, parts and the end of the undecided are told as this folder sees them happen."""
    for support in (await told_of(world, provider)).operations:
        cell = BY_NAME.get(f"{provider}-{rpc_of(support)}")
        if cell is None:
            continue
        assert support.guarantee == cell.guarantee
        assert (support.partial_confirmation, support.partial_reversal) == (
            cell.partial_confirmation,
            cell.partial_reversal,
        )
        endings = [v1.UnknownEnding.Name(one).rpartition("_")[2] for one in support.unknown_endings]
        assert endings == ENDINGS.get(cell.name, ENDINGS.get(f"{provider}-*"))
        is_confirmed = support.confirm_by_action == v1.ConfirmByAction.CONFIRM_BY_ACTION_CONFIRM
        assert is_confirmed is (cell.guarantee == NONE)
        assert support.confirm_within.seconds == 900


async def test_all_are_listed_in_pages(world: World) -> None:
    """ListProviders tells all by their ids' order, in pages; an unknown one is NOT_FOUND."""
    most = len(NAMES) - 1
    first = await world.client.list_providers(page_size=most)
    rest = await world.client.list_providers(page_size=most, page_token=first.next_page_token)
    listed = [one.provider for one in (*first.providers, *rest.providers)]
    assert listed == sorted(NAMES)
    assert rest.next_page_token == ""
    with refused(*PROVIDER_NOT_FOUND):
        await told_of(world, "nobody")


def touchy(table: Table) -> None:
    """Open the circuit after three exchanges without an answer, for half a second."""
    for stanza in table["providers"].values():
        stanza["terms"] |= {"circuit_threshold": 3, "circuit_cooldown_s": 0.5}


async def test_a_provider_goes_and_comes(own_world: OpenWorld) -> None:
    """While a provider is down its reversal is backlog and new work is refused; then all ends."""
    world = await own_world(touchy)
    provider = world.providers[ELECTRUM]
    cell = BY_NAME[f"{ELECTRUM}-Redeem"]
    done = await world.ask(ELECTRUM, "Redeem", cell.fresh())
    told = await told_of(world, ELECTRUM)
    assert (told.health, told.advice_backlog) == (v1.ProviderHealth.PROVIDER_HEALTH_HEALTHY, 0)
    port = provider.served.port
    await provider.served.close()

    owed = await world.reverse("Redeem", done.transaction_id)
    assert owed.state == v1.TransactionState.TRANSACTION_STATE_REVERSING
    while (told := await told_of(world, ELECTRUM)).circuit_state != v1.CircuitState.CIRCUIT_STATE_OPEN:
        await world.client.redeliver_advice(transaction_id=done.transaction_id)
    assert (told.health, told.advice_backlog) == (v1.ProviderHealth.PROVIDER_HEALTH_DOWN, 1)
    assert told.HasField("oldest_advice_time")
    assert (await told_of(world, GR4VY)).circuit_state == v1.CircuitState.CIRCUIT_STATE_CLOSED
    fields = cell.fresh()
    with refused(*PROVIDER_UNREACHABLE) as caught:
        await world.ask(ELECTRUM, "Redeem", fields)
    assert caught.error.retry_after_s
    assert not caught.error.is_outcome_open

    again = await serve(provider.simulator, HOST, port)
    try:
        assert is_reversed(await world.settled(done.transaction_id))
        told = await told_of(world, ELECTRUM)
        assert (told.health, told.advice_backlog) == (v1.ProviderHealth.PROVIDER_HEALTH_HEALTHY, 0)
        assert told.circuit_state == v1.CircuitState.CIRCUIT_STATE_CLOSED
        assert await provider.kinds() == ["redeem", "reverse"]
        assert (await world.ask(ELECTRUM, "Redeem", fields)).state == APPROVED
    finally:
        await again.close()


async def test_nobody_there_is_surely_not_sent(own_world: OpenWorld) -> None:
    """A money request to a closed port FAILED and says so; it is an answer, and another id may try again."""
    world = await own_world()
    for cell in CELLS:
        await world.providers[cell.provider].served.close()
        done = await world.ask(cell.provider, cell.operation, cell.fresh())
        assert done.state == v1.TransactionState.TRANSACTION_STATE_FAILED
        assert "no connection" in done.evidence.summary
        with refused(*STATE_CONFLICT):
            await world.confirm(cell.operation, done.transaction_id)
        assert (await world.reverse(cell.operation, done.transaction_id)).state == done.state


async def test_an_operator_ends_what_is_unresolved(world: World) -> None:
    """The unresolved are counted; an operator ends one with a note, and the provider hears nothing."""
    provider = world.providers[GR4VY]
    before = (await told_of(world, GR4VY)).unresolved_count
    await provider.go_wrong({"fault": "drop_answer"})
    done = await world.ask(GR4VY, "Issue", BY_NAME[f"{GR4VY}-Issue"].fresh())
    assert (await told_of(world, GR4VY)).unresolved_count == before + 1
    heard = len(provider.heard)
    ended = await world.client.resolve_transaction(
        transaction_id=done.transaction_id,
        resolution=v1.Resolution.RESOLUTION_CONFIRMED,
        note="seen in the provider's portal",
    )
    assert ended.transaction.state == v1.TransactionState.TRANSACTION_STATE_CONFIRMED
    assert "seen in the provider's portal" in ended.transaction.state_changes[-1].note
    assert (await told_of(world, GR4VY)).unresolved_count == before
    assert len(provider.heard) == heard
    with refused(*STATE_CONFLICT):
        await world.client.redeliver_advice(transaction_id=done.transaction_id)
    with refused(*STATE_CONFLICT):
        await world.client.resolve_transaction(
            transaction_id=done.transaction_id, resolution=v1.Resolution.RESOLUTION_REVERSED, note="no"
        )
