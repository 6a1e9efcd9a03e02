"""Look-ups and balances: what is told, what a miss says, who is throttled, and how reads end."""

from __future__ import annotations

from typing import Any

import grpc
import grpc.aio
import msgspec
import pytest

from giftcard import v1
from giftcard_adapters.errors import Invalid, NoAnswer, NotSent, Refused, TimedOut, Unreadable, Unsupported
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.outcomes import Balances
from giftcard_adapters.values.reads import CardState, CardView, Lookup
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.access.lookup_throttle import LookupThrottle
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.errors import CardNotFound, ProviderTimeout, RateLimited, ReadRefused
from giftcard_gateway.providers.routing import Rule
from tests.gateway.services.served import RAND, Served, read_status, serve
from tests.gateway.wire.filled import PAN
from tests.world.app import until

UNKNOWN = Decline(reason=DeclineReason.CARD_UNKNOWN)
BLOCKED = Decline(reason=DeclineReason.CARD_BLOCKED, provider_code="62")
VIEW = CardView(
    masked_card="604512******0007",
    state=CardState.ACTIVE,
    balances=Balances(available=Money("ZAR", 10_000)),
    references={"rrn": "1"},
)


def card(pan: str = PAN) -> v1.Card:
    """Return a card by its number."""
    return v1.Card(number=v1.CardNumber(pan=pan))


def balance(pan: str = PAN, **more: Any) -> v1.BalanceRequest:  # noqa: ANN401 - any field
    """Ask for the balance of a card."""
    return v1.BalanceRequest(card=card(pan), **more)


async def test_lookup_tells_everything(served: Served) -> None:
    """A look-up hands the card and the till to the provider and tells all that it told."""
    served.telling.answers["lookup"] = VIEW
    till = v1.PointOfSale(terminal_id="T1")
    answer = await served.call("Lookup", v1.LookupRequest(card=card(), point_of_sale=till))
    assert (answer.card.provider, answer.card.masked_card) == ("first", "604512******0007")
    assert answer.card.state == v1.CardState.CARD_STATE_ACTIVE
    assert dict(answer.card.provider_references) == {"rrn": "1"}
    ((_, asked),) = served.telling.asked
    assert isinstance(asked, Lookup)
    assert asked.card is not None
    assert asked.card.number == Secret(PAN)
    assert asked.point_of_sale is not None
    assert asked.point_of_sale.terminal_id == "T1"
    assert len(asked.lookup_id) == 36


async def test_lookup_of_a_person(served: Served) -> None:
    """A person's card is looked up at the provider named, or at the default one."""
    person = v1.CardHolder(phone="+27821234567")
    answer = await served.call("Lookup", v1.LookupRequest(card_holder=person))
    assert answer.card.provider == "first"
    elsewhere = v1.LookupRequest(card_holder=person, provider="second")
    assert (await served.refused("Lookup", elsewhere)).reason == "OPERATION_UNSUPPORTED"


async def test_balance(served: Served) -> None:
    """A balance tells both balances as far as known, the card masked, and when it was read."""
    served.telling.answers["balances"] = {PAN: VIEW}
    answer = (await served.call("Balance", balance())).card_balance
    assert answer.balances.available == RAND
    assert not answer.balances.HasField("book")
    assert answer.HasField("read_time")
    assert answer.masked_card == "604512******0007"
    ((_, (cards, asked)),) = served.telling.asked
    assert [one.number for one in cards] == [Secret(PAN)]
    assert asked.card is None


REFUSALS = [
    (Refused(UNKNOWN), grpc.StatusCode.NOT_FOUND, "CARD_NOT_FOUND"),
    (Refused(BLOCKED), grpc.StatusCode.FAILED_PRECONDITION, "PROVIDER_REFUSED"),
    (NotSent("no connection"), grpc.StatusCode.UNAVAILABLE, "PROVIDER_UNREACHABLE"),
    (TimedOut("no answer in time"), grpc.StatusCode.DEADLINE_EXCEEDED, "PROVIDER_TIMEOUT"),
    (NoAnswer("cut"), grpc.StatusCode.UNAVAILABLE, "PROVIDER_FAILED"),
    (Unreadable("not JSON"), grpc.StatusCode.UNAVAILABLE, "PROVIDER_FAILED"),
    (Unsupported("not by key"), grpc.StatusCode.UNIMPLEMENTED, "OPERATION_UNSUPPORTED"),
    (Invalid([("card", "is needed")]), grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID"),
]


@pytest.mark.parametrize(("fault", "code", "reason"), REFUSALS, ids=lambda value: type(value).__name__)
async def test_each_failure_of_a_read(
    served: Served, fault: Exception, code: grpc.StatusCode, reason: str
) -> None:
    """Whatever goes wrong with a read has its code and reason, the same for look-up and balance."""
    served.telling.answers |= {"lookup": fault, "balances": fault}
    for name, request in (("Lookup", v1.LookupRequest(card=card())), ("Balance", balance())):
        refusal = await served.refused(name, request)
        assert (refusal.code, refusal.reason) == (code, reason)


async def test_every_miss_says_the_same(served: Served) -> None:
    """A card nobody knows gives one uniform answer by every way to read it (rule 16)."""
    served.telling.answers |= {"lookup": Refused(UNKNOWN), "balances": {PAN: UNKNOWN}}
    one = await served.refused("Lookup", v1.LookupRequest(card=card()))
    two = await served.refused("Balance", balance())
    batch = await served.call("BatchBalance", v1.BatchBalanceRequest(requests=[balance()]))
    three = read_status(batch.items[0].error)
    assert one.message == two.message == three.message
    assert one.details == two.details == three.details == ("google.rpc.ErrorInfo",)
    assert not one.info.metadata


async def test_who_misses_too_often_waits(served: Served) -> None:
    """A caller who missed often is refused before anybody is asked, for cards that are there as well."""
    served.telling.answers["lookup"] = Refused(UNKNOWN)
    request = v1.LookupRequest(card=card())
    refusal = None
    for _ in range(40):
        refusal = await served.refused("Lookup", request)
        if refusal.reason == "RATE_LIMITED":
            break
    assert refusal is not None
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED")
    assert refusal.retry_after_s
    asked = len(served.telling.asked)
    served.telling.answers["lookup"] = VIEW
    assert (await served.refused("Balance", balance())).reason == "RATE_LIMITED"
    assert len(served.telling.asked) == asked
    assert (await served.redeem()).provider == "first"


class Turned(SystemClock):
    """A clock that a test turns."""

    seconds = 0.0

    def monotonic_s(self) -> float:
        """Return what the test says."""
        return self.seconds


def test_misses_are_forgiven_with_time() -> None:
    """A bucket fills again, holds no more than its burst, and is each caller's own."""
    clock = Turned()
    throttle = LookupThrottle(clock, burst=2, refill_per_s=0.5)
    for _ in range(3):
        throttle.admit("a") if _ < 2 else None
        throttle.note("a", CardNotFound())
    with pytest.raises(RateLimited) as refused:
        throttle.admit("a")
    assert refused.value.retry_after_s == pytest.approx(4.0)
    throttle.admit("b")
    clock.seconds = 4.0
    throttle.admit("a")
    throttle.note("a", ProviderTimeout())
    throttle.admit("a")
    throttle.note("a", ReadRefused(Decline(reason=DeclineReason.PIN_INCORRECT)))
    with pytest.raises(RateLimited):
        throttle.admit("a")


async def test_a_read_ends_with_its_caller(served: Served) -> None:
    """A caller who leaves takes the read along, and the provider is asked as before."""
    served.telling.answers["lookup"] = 30.0
    call = served.start("Lookup", v1.LookupRequest(card=card()))
    await served.asked()
    call.cancel()
    await served.idle()
    connection = served.app.connections.get("first")
    assert connection.in_flight == 0
    with pytest.raises(grpc.aio.AioRpcError) as late:
        await served.call("Lookup", v1.LookupRequest(card=card()), timeout_s=0.1)
    assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await until(lambda: connection.in_flight == 0)


async def test_batch_keeps_order_and_tells_each_error() -> None:
    """Each card of a batch has its own answer in its own place, whatever becomes of the others."""
    async with serve(rules=[Rule(provider="second", prefix="70")]) as served:
        pans = [f"60451200000000{n:02}" for n in range(5)]
        served.telling.answers["balances"] = {pans[1]: UNKNOWN, pans[3]: BLOCKED}
        requests = [balance(pan) for pan in pans]
        requests.insert(2, balance("7000000000000000"))
        requests.append(balance(pans[0], provider="nobody"))
        items = (await served.call("BatchBalance", v1.BatchBalanceRequest(requests=requests))).items
        told = [
            item.card_balance.masked_card if item.HasField("card_balance") else read_status(item.error).reason
            for item in items
        ]
        assert told == [
            "604512******0000",
            "CARD_NOT_FOUND",
            "OPERATION_UNSUPPORTED",
            "604512******0002",
            "PROVIDER_REFUSED",
            "604512******0004",
            "PROVIDER_NOT_FOUND",
        ]
        assert sorted(len(cards) for _, (cards, _) in served.telling.asked) == [1, 2, 2]


async def test_batch_asks_each_till_apart(served: Served) -> None:
    """Cards asked for from different tills are not put into one exchange."""
    tills = [v1.PointOfSale(terminal_id=f"T{n % 2}") for n in range(4)]
    requests = [balance(point_of_sale=till) for till in tills]
    await served.call("BatchBalance", v1.BatchBalanceRequest(requests=requests))
    asked = [(len(cards), ask.point_of_sale.terminal_id) for _, (cards, ask) in served.telling.asked]
    assert sorted(asked) == [(2, "T0"), (2, "T1")]


async def test_batch_survives_a_fault_of_ours(served: Served) -> None:
    """An exchange that breaks costs its own cards their answer and says nothing of why."""
    served.telling.answers["balances"] = ValueError(PAN)
    answer = await served.call("BatchBalance", v1.BatchBalanceRequest(requests=[balance()] * 3))
    assert [read_status(item.error).reason for item in answer.items] == ["INTERNAL"] * 3
    assert PAN not in str(answer)


async def test_what_cannot_be_written_costs_its_own_card(served: Served) -> None:
    """A view of one card that no message can hold is that card's error, and the others are told."""
    pans = [f"60451200000000{n:02}" for n in range(3)]
    served.telling.answers["balances"] = {pans[1]: msgspec.structs.replace(VIEW, masked_card="\ud800")}
    answer = await served.call(
        "BatchBalance", v1.BatchBalanceRequest(requests=[balance(pan) for pan in pans])
    )
    assert [item.HasField("card_balance") for item in answer.items] == [True, False, True]
    assert read_status(answer.items[1].error).reason == "INTERNAL"


async def test_batch_is_bounded(served: Served) -> None:
    """A hundred cards are a batch, a hundred and one are refused, and a bad field is named by its place."""
    whole = v1.BatchBalanceRequest(requests=[balance()] * 100)
    assert len((await served.call("BatchBalance", whole)).items) == 100
    whole.requests.append(balance("x y"))
    refusal = await served.refused("BatchBalance", whole)
    assert set(refusal.violations) == {"requests"}


async def test_circuit_refuses_reads_too(served: Served) -> None:
    """A provider that does not answer is not asked for a while, and the caller is told when to come again."""
    served.telling.answers["lookup"] = NotSent("no connection")
    for _ in range(10):
        await served.refused("Lookup", v1.LookupRequest(card=card()))
    asked = len(served.telling.asked)
    refusal = await served.refused("Balance", balance())
    assert refusal.reason == "PROVIDER_UNREACHABLE"
    assert refusal.retry_after_s
    assert len(served.telling.asked) == asked


async def test_expired_balance_says_so(served: Served) -> None:
    """A balance that is refused because the card expired says so in words, beside the reason."""
    expired = Decline(reason=DeclineReason.CARD_EXPIRED, provider_code="54", provider_text="x")
    served.telling.answers["balances"] = {PAN: expired}
    refusal = await served.refused("Balance", balance())
    assert "card expired" in refusal.message
    assert refusal.info.metadata["decline_reason"] == "CARD_EXPIRED"
