"""An operator acts for other tenants on a real server: what it sees, ends, and leaves in the audit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TypeVar

import grpc
import pytest

from giftcard import v1
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_adapters.values.reads import ProviderEvent, Webhook
from giftcard_gateway.access.acting import OF_EVERY_TENANT
from giftcard_gateway.access.identities import EVERYTHING
from giftcard_gateway.access.metadata import PERSON, TENANT
from giftcard_gateway.config.access import Scope
from tests.gateway.services.served import Served, Shown, serve, unresolved
from tests.gateway.services.test_audit import told
from tests.gateway.services.test_reach import Disguise
from tests.gateway.wire.filled import METHODS, fill

T = TypeVar("T", v1.StreamEventsRequest, v1.WatchTransactionsRequest)

SHOP = ((TENANT, "shop"),)
EVERY = ((TENANT, "*"),)


@pytest.fixture
def disguise() -> Disguise:
    """Give who the caller is taken for."""
    return Disguise()


@pytest.fixture
async def served(disguise: Disguise) -> AsyncIterator[Served]:
    """Serve a gateway to somebody in disguise."""
    async with serve(signing_in=disguise) as served:
        yield served


def of_old(request: T) -> T:
    """Return a request of a stream, from the beginning of all time."""
    request.start_time.FromSeconds(1)
    return request


async def of_the_shop(served: Served, disguise: Disguise) -> v1.Transaction:
    """Leave an UNRESOLVED transaction of the tenant `shop`, and be an operator of `house` from then on."""
    disguise.wear(tenant="shop", name="till")
    left = await unresolved(served)
    disguise.wear(tenant="house", name="ops")
    return left


async def test_an_operator_ends_what_is_another_tenants(served: Served, disguise: Disguise) -> None:
    """For the tenant it names an operator reads and resolves; the audit has who, for whom, what person."""
    left = await of_the_shop(served, disguise)
    shown = v1.GetTransactionRequest(transaction_id=left.transaction_id)
    ended = v1.ResolveTransactionRequest(
        transaction_id=left.transaction_id, resolution=v1.Resolution.RESOLUTION_REVERSED, note="never booked"
    )
    assert (await served.refused("GetTransaction", shown)).reason == "TRANSACTION_NOT_FOUND"
    assert (await served.refused("ResolveTransaction", ended)).reason == "TRANSACTION_NOT_FOUND"
    seen = (await served.call("GetTransaction", shown, metadata=SHOP)).transaction
    assert (seen.tenant, seen.state) == ("shop", left.state)
    done = await served.call("ResolveTransaction", ended, metadata=(*SHOP, (PERSON, "ann")))
    assert done.transaction.state == v1.TransactionState.TRANSACTION_STATE_REVERSED
    record = [one for one in await told(served) if one.act == "ResolveTransaction"][-1]
    assert (record.by, record.person, record.tenant, record.for_tenant) == ("ops", "ann", "house", "shop")
    assert record.transaction_id == left.transaction_id


async def test_nobody_acts_for_another_without_the_scope(served: Served, disguise: Disguise) -> None:
    """Who has every other scope is refused, moves nothing, and is recorded as itself."""
    left = await of_the_shop(served, disguise)
    disguise.wear(tenant="house", name="ops", scopes=EVERYTHING - {Scope.TENANTS})
    asked = v1.GetTransactionRequest(transaction_id=left.transaction_id)
    refusal = await served.refused("GetTransaction", asked, metadata=SHOP)
    assert (refusal.reason, refusal.info.metadata["scope"]) == ("SCOPE_MISSING", "giftcard.tenants")
    refused = [one for one in await told(served) if one.act == "refused"]
    assert [(one.by, one.tenant, one.about) for one in refused] == [("ops", "house", "GetTransaction")]


async def test_another_tenants_money_stays(served: Served, disguise: Disguise) -> None:
    """Acting for another tenant brings no money operation, however much the operator may do for its own."""
    await of_the_shop(served, disguise)
    sent = len(served.script.requests)
    refusal = await served.refused("Redeem", served.redemption(), metadata=SHOP)
    assert (refusal.reason, refusal.info.metadata["scope"]) == ("SCOPE_MISSING", "giftcard.money")
    assert len(served.script.requests) == sent


async def test_every_tenants_transactions_are_listed(served: Served, disguise: Disguise) -> None:
    """`*` lists and streams what is every tenant's, each with its tenant; an id alone names none of them."""
    left = await of_the_shop(served, disguise)
    own = await served.redeem()
    page = await served.call("ListTransactions", v1.ListTransactionsRequest(), metadata=EVERY)
    assert [(one.tenant, one.transaction_id) for one in page.transactions] == [
        ("house", own.transaction_id),
        ("shop", left.transaction_id),
    ]
    card = v1.TransactionFilter(card=served.redemption().card)
    found = await served.call("ListTransactions", v1.ListTransactionsRequest(filter=card), metadata=EVERY)
    assert {one.tenant for one in found.transactions} == {"house", "shop"}
    asked = v1.GetTransactionRequest(transaction_id=left.transaction_id)
    refusal = await served.refused("GetTransaction", asked, metadata=EVERY)
    assert refusal.violations == ("giftcard-tenant",)
    watch = served.stream("WatchTransactions", of_old(v1.WatchTransactionsRequest()), metadata=EVERY)
    heard = {(await watch.read()).transaction.tenant for _ in range(4)}
    watch.cancel()
    assert heard == {"house", "shop"}


async def test_what_is_counted_of_a_provider_is_the_tenants(served: Served, disguise: Disguise) -> None:
    """Advices and UNRESOLVED are counted for the caller's tenant, one it acts for, or with `*` for all."""
    await of_the_shop(served, disguise)

    async def counted(shown: Shown = ()) -> dict[str, int]:
        told = await served.call("ListProviders", v1.ListProvidersRequest(), metadata=shown)
        return {one.provider: one.unresolved_count for one in told.providers}

    assert await counted() == {"first": 0, "second": 0}
    alone = await served.call("GetProvider", v1.GetProviderRequest(provider="first"))
    assert alone.provider.unresolved_count == 0
    assert await counted(SHOP) == {"first": 1, "second": 0}
    assert await counted(EVERY) == {"first": 1, "second": 0}
    disguise.wear(tenant="shop", name="till")
    assert await counted() == {"first": 1, "second": 0}


AN_API_KEY = "gck_aaaaaaaaaaaaa_not-a-key"
ONE_TENANTS = [
    name
    for name, method in METHODS.items()
    if method.name not in OF_EVERY_TENANT and not method.client_streaming and not method.server_streaming
]


@pytest.mark.parametrize("name", ONE_TENANTS)
async def test_every_tenant_at_once_is_for_lists(served: Served, disguise: Disguise, name: str) -> None:
    """`*` sent to any other call is refused by the header's name, and nothing is asked of a provider."""
    disguise.wear(tenant="house", name="ops")
    request = fill(METHODS[name].input_type)
    refusal = await served.refused(METHODS[name].name, request, metadata=EVERY)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID")
    assert refusal.violations == (TENANT,)
    assert (served.script.requests, served.telling.asked) == ([], [])


@pytest.mark.parametrize(
    "shown",
    [(*SHOP, *EVERY), (*SHOP, *SHOP), ((TENANT, "shop,house"),), ((TENANT, ""),), ((TENANT, AN_API_KEY),)],
)
async def test_several_tenants_are_none(served: Served, disguise: Disguise, shown: Shown) -> None:
    """Two names, a list of them, or an API key are refused by the header's name, also where `*` may stand."""
    disguise.wear(tenant="house", name="ops")
    refusal = await served.refused("ListTransactions", v1.ListTransactionsRequest(), metadata=shown)
    assert (refusal.reason, refusal.violations) == ("FIELD_INVALID", (TENANT,))


async def test_what_has_a_tenants_own_index_needs_one(served: Served, disguise: Disguise) -> None:
    """Conditions that are hashed with the tenant are refused by name for every tenant at once."""
    await of_the_shop(served, disguise)
    wanted = v1.TransactionFilter(merchant_id="M1", external_reference="order-1", labels={"shop": "1"})
    request = v1.ListTransactionsRequest(filter=wanted)
    refusal = await served.refused("ListTransactions", request, metadata=EVERY)
    assert refusal.violations == ("filter.external_reference", "filter.labels", "filter.merchant_id")


async def test_an_operator_hears_the_events_of_a_tenant(served: Served, disguise: Disguise) -> None:
    """Events of another tenant's transaction are told to who acts for it, or for all, and to no other."""
    left = await of_the_shop(served, disguise)
    (ask,) = served.script.requests
    event = ProviderEvent(
        event_id="e1",
        name="moved",
        transaction_id=ask.transaction_id,
        outcome=Outcome(verdict=Verdict.UNKNOWN),
    )
    served.telling.answers["read_webhook"] = (event,)
    webhook = Webhook(headers={}, body=b"", received_at=served.clock.now())
    await served.app.pipeline.events.receive(served.app.connections.get("first"), webhook)
    for shown in (SHOP, EVERY):
        stream = served.stream("StreamEvents", of_old(v1.StreamEventsRequest()), metadata=shown)
        assert (await stream.read()).event.transaction_id == left.transaction_id
        stream.cancel()
