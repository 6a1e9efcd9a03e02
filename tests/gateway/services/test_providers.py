"""What the gateway tells of its providers is what their adapters declare and how they fare."""

from __future__ import annotations

from bisect import bisect_left

import grpc

from giftcard import v1
from giftcard_adapters.errors import NotSent
from giftcard_adapters.values.advices import Acknowledgement, Receipt
from giftcard_gateway.providers.connections import Terms
from giftcard_gateway.telemetry.durations import SECONDS
from giftcard_gateway.telemetry.pace import WINDOW_S, Pace
from tests.gateway.services.served import Served, serve, unresolved
from tests.gateway.wire.filled import PAN
from tests.world.provider import REFUSED_CONNECTION

CAPABILITY = v1.Capability


async def provider(served: Served, provider_id: str = "first") -> v1.Provider:
    """Return what is told of one provider."""
    request = v1.GetProviderRequest(provider=provider_id)
    found: v1.Provider = (await served.call("GetProvider", request)).provider
    return found


async def test_operations_and_guarantees(served: Served) -> None:
    """All seven operations are told, each with guarantee, ends of unknowns, windows and deadline."""
    told = {one.operation: one for one in (await provider(served)).operations}
    assert len(told) == 7
    redeem = told[v1.Operation.OPERATION_REDEEM]
    assert redeem.guarantee == v1.Guarantee.GUARANTEE_NATIVE
    assert list(redeem.unknown_endings) == [v1.UnknownEnding.UNKNOWN_ENDING_REVERSE]
    assert (redeem.partial_confirmation, redeem.partial_reversal) == (True, True)
    assert redeem.confirm_within.seconds == 900
    assert redeem.confirm_by_action == v1.ConfirmByAction.CONFIRM_BY_ACTION_REVERSE
    load = told[v1.Operation.OPERATION_LOAD]
    assert load.guarantee == v1.Guarantee.GUARANTEE_COMPENSATED
    assert load.resend_window.seconds == 3600
    assert not load.HasField("reversal_window")
    assert list(load.unknown_endings) == [
        v1.UnknownEnding.UNKNOWN_ENDING_RESEND,
        v1.UnknownEnding.UNKNOWN_ENDING_FIND,
        v1.UnknownEnding.UNKNOWN_ENDING_PERSON,
    ]
    issue = told[v1.Operation.OPERATION_ISSUE]
    assert issue.guarantee == v1.Guarantee.GUARANTEE_NONE
    assert issue.confirm_by_action == v1.ConfirmByAction.CONFIRM_BY_ACTION_CONFIRM
    activate = told[v1.Operation.OPERATION_ACTIVATE]
    assert activate.guarantee == v1.Guarantee.GUARANTEE_UNSUPPORTED
    assert not activate.unknown_endings


async def test_capabilities(served: Served) -> None:
    """What an adapter defines can be asked for; what it does not, cannot."""
    shop, plain = await provider(served), await provider(served, "second")
    assert set(shop.capabilities) == set(CAPABILITY.values()) - {0}
    assert (shop.display_name, shop.enabled, shop.deletes_cards) == ("The first", True, True)
    assert not plain.capabilities
    assert (plain.display_name, plain.deletes_cards) == ("second", False)


async def test_health_follows_the_answers(served: Served) -> None:
    """A provider is healthy once it answered, degraded when it stops to, down once it does for money."""
    seen = [(await provider(served)).health]
    await served.redeem()
    told = await provider(served)
    assert told.HasField("last_answer_time")
    seen.append(told.health)
    served.telling.answers["lookup"] = NotSent("no connection")
    lookup = v1.LookupRequest(card=v1.Card(number=v1.CardNumber(pan=PAN)))
    await served.refused("Lookup", lookup)
    seen.append((await provider(served)).health)
    for _ in range(9):
        await served.refused("Lookup", lookup)
    told = await provider(served)
    seen.append(told.health)
    assert told.circuit_state == v1.CircuitState.CIRCUIT_STATE_CLOSED
    served.script.reactions.extend([REFUSED_CONNECTION] * 10)
    for _ in range(10):
        await served.redeem()
    told = await provider(served)
    seen.append(told.health)
    health = v1.ProviderHealth
    assert seen == [
        health.PROVIDER_HEALTH_UNSPECIFIED,
        health.PROVIDER_HEALTH_HEALTHY,
        health.PROVIDER_HEALTH_DEGRADED,
        health.PROVIDER_HEALTH_DEGRADED,
        health.PROVIDER_HEALTH_DOWN,
    ]
    assert told.circuit_state == v1.CircuitState.CIRCUIT_STATE_OPEN


async def test_how_its_answers_came_of_late(served: Served) -> None:
    """The last minutes' exchanges are told where there were any, with times where there were answers."""
    assert not (await provider(served)).HasField("recent_exchanges")
    pace = Pace(served.app.clock.monotonic_s)
    served.app.telemetry.paces["first"] = pace
    assert not (await provider(served)).HasField("recent_exchanges")
    pace.add(served.app.clock.monotonic_s(), 0.001, 0, "", "ReadTimeout")
    told = (await provider(served)).recent_exchanges
    assert (told.exchange_count, told.failure_count) == (1, 1)
    assert not told.HasField("p50_latency")
    assert not told.HasField("p99_latency")
    pace.add(served.app.clock.monotonic_s(), 0.06, bisect_left(SECONDS, 0.06), "200", "")
    told = (await provider(served)).recent_exchanges
    assert (told.exchange_count, told.failure_count) == (2, 1)
    assert 50 < told.p50_latency.ToMilliseconds() <= told.p99_latency.ToMilliseconds() <= 75
    assert told.window.ToTimedelta().total_seconds() <= WINDOW_S
    assert not (await provider(served, "second")).HasField("recent_exchanges")


async def test_backlog() -> None:
    """Advices that wait and transactions that need a person are counted, with the age of the oldest."""
    async with serve(terms=Terms(retry_base_s=3600.0, retry_cap_s=3600.0)) as served:
        quiet = await provider(served)
        assert (quiet.advice_backlog, quiet.unresolved_count) == (0, 0)
        assert not quiet.HasField("oldest_advice_time")
        transaction = await served.redeem()
        served.script.reactions.append(Acknowledgement(receipt=Receipt.AGAIN))
        confirm = v1.ConfirmRedeemRequest(transaction_id=transaction.transaction_id)
        await served.call("ConfirmRedeem", confirm)
        await unresolved(served)
        told = await provider(served)
        assert (told.advice_backlog, told.unresolved_count) == (1, 1)
        assert told.HasField("oldest_advice_time")


async def test_list_in_pages(served: Served) -> None:
    """Providers are listed by their ids, a page at a time."""
    first = await served.call("ListProviders", v1.ListProvidersRequest(page_size=1))
    assert [one.provider for one in first.providers] == ["first"]
    request = v1.ListProvidersRequest(page_size=1, page_token=first.next_page_token)
    second = await served.call("ListProviders", request)
    assert [one.provider for one in second.providers] == ["second"]
    assert not second.next_page_token


async def test_no_such_provider(served: Served) -> None:
    """A provider that is not configured is NOT_FOUND, by the name asked for."""
    refusal = await served.refused("GetProvider", v1.GetProviderRequest(provider="nobody"))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "PROVIDER_NOT_FOUND")
    assert refusal.info.metadata["provider"] == "nobody"
