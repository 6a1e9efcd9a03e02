"""Look-ups and balances: what is told, what a miss says, who is throttled, and how reads end."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import grpc
import grpc.aio
import msgspec
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from giftcard import v1
from giftcard_adapters.errors import Invalid, NoAnswer, NotSent, Refused, TimedOut, Unreadable, Unsupported
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.outcomes import Balances, Outcome, Verdict
from giftcard_adapters.values.reads import CardState, CardView, Lookup
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.providers.routing import Rule
from tests.gateway.services.served import RAND, Served, read_status, refusal_of, serve
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


def card(pan: str = PAN, pin: str = "") -> v1.Card:
    """Return a card by its number, with a PIN if one is given."""
    return v1.Card(number=v1.CardNumber(pan=pan, clear_pin=pin) if pin else v1.CardNumber(pan=pan))


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


async def misses(served: Served, end_user: str = "") -> int:
    """Return how often cards that are not there may be looked up until one is refused."""
    served.telling.answers["lookup"] = Refused(UNKNOWN)
    for made in range(200):
        call = served.start("Lookup", v1.LookupRequest(card=card(f"60451200{made:08}")), end_user=end_user)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await call
        refusal = refusal_of(raised.value)
        if refusal.reason != "CARD_NOT_FOUND":
            assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED")
            assert refusal.retry_after_s
            return made
    raise AssertionError("never refused")


async def test_who_misses_too_often_guesses_no_more(served: Served) -> None:
    """A used-up budget refuses cards that nobody has shown yet, unasked; those in use are served."""
    await served.call("Balance", balance())
    assert (await served.redeem()).state == v1.TransactionState.TRANSACTION_STATE_APPROVED
    assert await misses(served) == 100
    asked = len(served.telling.asked)
    assert (await served.refused("Balance", balance("6045120000777777"))).reason == "RATE_LIMITED"
    batch = v1.BatchBalanceRequest(requests=[balance(), balance("6045120000777777"), balance()])
    items = (await served.call("BatchBalance", batch)).items
    assert [item.HasField("card_balance") for item in items] == [True, False, True]
    assert read_status(items[1].error).reason == "RATE_LIMITED"
    await served.call("Balance", balance())
    assert len(served.telling.asked) == asked + 3
    assert (await served.redeem()).state == v1.TransactionState.TRANSACTION_STATE_APPROVED


async def test_an_end_user_has_a_budget(served: Served) -> None:
    """An end user whom the caller names is stopped alone, and a name that is too long is refused."""
    assert await misses(served, "shopper-1") == 10
    served.telling.answers.clear()
    await served.call("Balance", balance("6045120000777777"))
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await served.start("Balance", balance(), end_user="x" * 129)
    assert refusal_of(raised.value).violations == ("giftcard-end-user",)


async def test_a_refusal_tells_no_secret_of_its_card(served: Served) -> None:
    """Whatever read a provider refuses, the card's number and PIN that its words echo are masked."""
    pin = "73910482"
    said = f"PIN {pin[:4]} {pin[4:]} of {PAN[:4]}-{PAN[4:]}"
    no = Decline(reason=DeclineReason.CARD_BLOCKED, provider_code=f"E{pin}", provider_text=said)
    asked, answers = v1.BalanceRequest(card=card(pin=pin)), served.telling.answers
    answers |= {name: Refused(no) for name in ("lookup", "balances", "store_card")}
    reads: list[tuple[str, Message]] = [
        ("Lookup", v1.LookupRequest(card=card(pin=pin))),
        ("Balance", asked),
        ("StoreCard", v1.StoreCardRequest(card=card(pin=pin))),
    ]
    for name, request in reads:
        refusal = await served.refused(name, request)
        assert (refusal.reason, refusal.info.metadata["provider_code"]) == ("PROVIDER_REFUSED", "E***")
        assert PAN[4:] not in str(refusal.info)
        assert pin[4:] not in str(refusal.info)
    for told in (Refused(no), {PAN: no}):
        answers["balances"] = told
        refusal = await served.refused("Balance", asked)
        assert refusal.info.metadata["provider_code"] == "E***"
        batch = await served.call("BatchBalance", v1.BatchBalanceRequest(requests=[asked]))
        (item,) = batch.items
        assert item.error.code == grpc.StatusCode.FAILED_PRECONDITION.value[0]
        assert b"E***" in item.error.SerializeToString()
        assert pin.encode() not in item.error.SerializeToString()


async def test_declines_of_money_are_guesses(served: Served) -> None:
    """Wrong PINs of one card end after ten, whatever is asked, and repeats of what was asked stay free."""
    wrong = Outcome(verdict=Verdict.DECLINED, decline=Decline(reason=DeclineReason.PIN_INCORRECT))
    first = ""
    for number in range(10):
        served.script.reactions.append(wrong)
        told = await served.redeem(card=card(pin=f"{number:04}"))
        assert told.decline.reason == v1.DeclineReason.DECLINE_REASON_PIN_INCORRECT
        first = first or told.transaction_id
    sent = len(served.script.requests)
    refusal = await served.refused("Redeem", served.redemption(card=card(pin="7777")))
    assert (refusal.reason, len(served.script.requests)) == ("RATE_LIMITED", sent)
    again = await served.redeem(first, card=card(pin="0000"))
    assert again.decline.reason == v1.DeclineReason.DECLINE_REASON_PIN_INCORRECT
    assert (await served.redeem()).state == v1.TransactionState.TRANSACTION_STATE_APPROVED


async def asked(served: Served, count: int) -> None:
    """Return once the shop has been asked for money so many times."""
    await until(lambda: len(served.script.requests) >= count)


async def test_silence_of_a_provider_is_no_guess(served: Served) -> None:
    """However often a provider does not answer, the next card and PIN are asked for all the same."""
    for _ in range(12):
        served.script.reactions.append(NoAnswer("no answer in time"))
        lost = await served.redeem(card=card(pin="1234"))
        assert lost.state == v1.TransactionState.TRANSACTION_STATE_REVERSED
    assert (
        await served.redeem(card=card(pin="1234"))
    ).state == v1.TransactionState.TRANSACTION_STATE_APPROVED


@pytest.mark.parametrize("is_cancelled", [True, False])
async def test_who_leaves_early_has_guessed(served: Served, is_cancelled: bool) -> None:
    """A wrong PIN counts although its caller left, or heard PENDING, before the provider said so."""
    wrong = Outcome(verdict=Verdict.DECLINED, decline=Decline(reason=DeclineReason.PIN_INCORRECT))
    for number in range(10):
        served.script.reactions.extend([0.1, wrong])
        request = served.redemption(card=card(pin=f"{number:04}"))
        if is_cancelled:
            call = served.start("Redeem", request)
            await asked(served, number + 1)
            call.cancel()
        else:
            # PENDING, or nothing where the machine is slow; then it may not have heard the call yet.
            while len(served.script.requests) <= number:
                with suppress(grpc.aio.AioRpcError):
                    await served.call("Redeem", request, timeout_s=0.05)
        read = v1.GetTransactionRequest(transaction_id=request.transaction_id, wait=Duration(seconds=30))
        ended = await served.call("GetTransaction", read)
        assert ended.transaction.decline.reason == v1.DeclineReason.DECLINE_REASON_PIN_INCORRECT
    assert (await served.refused("Redeem", served.redemption(card=card(pin="7777")))).reason == "RATE_LIMITED"


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
