"""Reading transactions, watching them, and ending them by hand."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.duration_pb2 import Duration

from giftcard import v1
from giftcard_adapters.values.advices import Acknowledgement, Receipt
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.outcomes import IssuedCard, Outcome, Verdict
from giftcard_adapters.values.reads import ProviderEvent, Webhook
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.providers.connections import Terms
from tests.gateway.services.served import RAND, Served, refusal_of, serve, unresolved
from tests.gateway.wire.filled import PAN
from tests.patience import PATIENCE_S
from tests.world.app import until

STATE = v1.TransactionState
KEY, NEW_PIN = "QK7XP2M9ZT4B", "884466"
URL, BARCODE = "https://gift.example/r/Zx81kQ", "99Q7731K2210"
HUNDRED = Money("ZAR", 10_000)
OTHER_PAN = "6045120000000015"


async def page(served: Served, token: str = "", size: int = 0, **wanted: Any) -> v1.ListTransactionsResponse:  # noqa: ANN401 - any filter
    """Return one page of what a filter takes."""
    request = v1.ListTransactionsRequest(
        filter=v1.TransactionFilter(**wanted), page_size=size, page_token=token
    )
    answer: v1.ListTransactionsResponse = await served.call("ListTransactions", request)
    return answer


async def test_get_waits_until_settled(served: Served) -> None:
    """GetTransaction with a wait answers when the transaction has settled; without one, at once."""
    served.script.reactions.append(0.3)
    request = served.redemption()
    call = served.start("Redeem", request)
    await served.asked()
    get = v1.GetTransactionRequest(transaction_id=request.transaction_id)
    assert (await served.call("GetTransaction", get)).transaction.state == STATE.TRANSACTION_STATE_PENDING
    get.wait.CopyFrom(Duration(seconds=5))
    assert (await served.call("GetTransaction", get)).transaction.state == STATE.TRANSACTION_STATE_APPROVED
    await call


async def test_get_nothing(served: Served) -> None:
    """An id never seen is NOT_FOUND."""
    get = v1.GetTransactionRequest(transaction_id=served.clock.uuid4())
    refusal = await served.refused("GetTransaction", get)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "TRANSACTION_NOT_FOUND")


async def test_pages_newest_first(served: Served) -> None:
    """Pages come newest first, join without gap or repeat, and the last has no token."""
    ids = [(await served.redeem()).transaction_id for _ in range(5)]
    seen, token, pages = [], "", 0
    while True:
        answer = await page(served, token, 2)
        seen += [one.transaction_id for one in answer.transactions]
        pages += 1
        if not (token := answer.next_page_token):
            break
    assert seen == ids[::-1]
    assert pages == 3
    exact = await page(served, size=5)
    assert (len(exact.transactions), exact.next_page_token) == (5, "")


async def test_filters(served: Served) -> None:
    """Each condition of a filter takes what it says, by the index or after it, and all must hold."""
    till = v1.PointOfSale(terminal_id="T1", merchant=v1.Merchant(merchant_id="M1"))
    first = await served.redeem(point_of_sale=till, external_reference="order-1", labels={"a": "1", "b": "2"})
    other = v1.Card(number=v1.CardNumber(pan=OTHER_PAN))
    second = await served.redeem(card=other, provider="second", labels={"a": "1"})
    confirm = v1.ConfirmRedeemRequest(transaction_id=second.transaction_id)
    await served.call("ConfirmRedeem", confirm)
    cases: list[tuple[dict[str, Any], list[v1.Transaction]]] = [
        ({}, [second, first]),
        ({"states": [STATE.TRANSACTION_STATE_APPROVED]}, [first]),
        ({"states": [STATE.TRANSACTION_STATE_DECLINED]}, []),
        ({"operations": [v1.Operation.OPERATION_LOAD]}, []),
        ({"providers": ["second"]}, [second]),
        ({"providers": ["first", "second"]}, [second, first]),
        ({"card": v1.Card(number=v1.CardNumber(pan=OTHER_PAN, expiry="3012"))}, [second]),
        ({"merchant_id": "M1"}, [first]),
        ({"terminal_id": "T1"}, [first]),
        ({"terminal_id": "T2"}, []),
        ({"external_reference": "order-1"}, [first]),
        ({"labels": {"a": "1"}}, [second, first]),
        ({"labels": {"a": "1", "b": "2"}}, [first]),
        ({"created_from": second.create_time}, [second]),
        ({"created_before": second.create_time}, [first]),
        ({"merchant_id": "M1", "providers": ["second"]}, []),
    ]
    for wanted, expected in cases:
        found = [one.transaction_id for one in (await page(served, **wanted)).transactions]
        assert found == [one.transaction_id for one in expected], wanted


@pytest.mark.parametrize("token", ["x", "!!", "gqRrZXk", "AAAA"])
async def test_tokens_that_are_none(served: Served, token: str) -> None:
    """A page token nobody gave is refused as a malformed field."""
    refusal = await served.refused("ListTransactions", v1.ListTransactionsRequest(page_token=token))
    assert (refusal.reason, refusal.violations) == ("FIELD_INVALID", ("page_token",))


async def test_token_of_another_filter(served: Served) -> None:
    """A token goes on in its own list only, and holds nothing of a card (rule 16)."""
    for _ in range(2):
        await served.redeem()
    card = v1.Card(number=v1.CardNumber(pan=PAN))
    token = (await page(served, size=1, card=card)).next_page_token
    assert token
    assert len((await page(served, token, 1, card=card)).transactions) == 1
    request = v1.ListTransactionsRequest(page_size=1, page_token=token)
    assert (await served.refused("ListTransactions", request)).violations == ("page_token",)


async def test_watch_tells_each_change_and_resumes(served: Served) -> None:
    """A watcher hears every change with its cursor, and starting again at one loses and repeats nothing."""
    stream = served.stream("WatchTransactions", v1.WatchTransactionsRequest())
    heard = asyncio.create_task(take(stream, 3))
    await until(lambda: served.app.admission.inside == 1)
    transaction = await served.redeem()
    await served.call("ConfirmRedeem", v1.ConfirmRedeemRequest(transaction_id=transaction.transaction_id))
    changes = await heard
    states = [one.change.state for one in changes]
    assert states == [
        STATE.TRANSACTION_STATE_PENDING,
        STATE.TRANSACTION_STATE_APPROVED,
        STATE.TRANSACTION_STATE_CONFIRMING,
    ]
    assert changes[0].change.note == "asked"
    again = served.stream("WatchTransactions", v1.WatchTransactionsRequest(cursor=changes[0].cursor))
    resumed = await take(again, 3)
    assert [one.change.state for one in resumed] == [
        *states[1:],
        STATE.TRANSACTION_STATE_CONFIRMED,
    ]
    from_start = v1.WatchTransactionsRequest(start_time=transaction.create_time)
    from_start.filter.states.append(STATE.TRANSACTION_STATE_CONFIRMED)
    (last,) = await take(served.stream("WatchTransactions", from_start), 1)
    assert last.change.state == STATE.TRANSACTION_STATE_CONFIRMED


async def take(stream: Any, count: int) -> list[v1.WatchTransactionsResponse]:  # noqa: ANN401 - a call
    """Return the first answers of a stream and end it."""
    found = []
    async with asyncio.timeout(PATIENCE_S):
        async for answer in stream:
            found.append(answer)
            if len(found) == count:
                break
    stream.cancel()
    return found


async def test_watch_by_card(served: Served) -> None:
    """A watcher of one card hears of no other."""
    other = v1.Card(number=v1.CardNumber(pan=OTHER_PAN))
    request = v1.WatchTransactionsRequest()
    request.filter.card.CopyFrom(other)
    request.start_time.GetCurrentTime()
    request.start_time.seconds -= 60
    await served.redeem()
    wanted = await served.redeem(card=other)
    heard = await take(served.stream("WatchTransactions", request), 2)
    assert {one.transaction.transaction_id for one in heard} == {wanted.transaction_id}


async def test_malformed_cursor(served: Served) -> None:
    """A cursor no stream gave is refused as a malformed field."""
    stream = served.stream("WatchTransactions", v1.WatchTransactionsRequest(cursor="x"))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await take(stream, 1)
    assert refusal_of(refused.value).violations == ("cursor",)


async def test_who_resolves_what_is_decided_hears_what_to_do(served: Served) -> None:
    """What is not UNRESOLVED is refused with its state, and with what to do instead."""
    begun = await served.redeem()
    wanted = v1.ResolveTransactionRequest(
        transaction_id=begun.transaction_id, resolution=v1.Resolution.RESOLUTION_REVERSED, note="no"
    )
    said = (await served.refused("ResolveTransaction", wanted)).message
    assert said == (
        "Only an UNRESOLVED transaction can be resolved, and this one is APPROVED: confirm or reverse it."
    )
    hurried = v1.RedeliverAdviceRequest(transaction_id=begun.transaction_id)
    said = (await served.refused("RedeliverAdvice", hurried)).message
    assert said == "This transaction owes its provider nothing: it is APPROVED: confirm or reverse it."
    confirmed = v1.ConfirmRedeemRequest(transaction_id=begun.transaction_id)
    await served.call("ConfirmRedeem", confirmed)
    said = (await served.refused("ResolveTransaction", wanted)).message
    assert said.endswith("this one has ended as CONFIRMED: nothing is left to do.")


async def test_resolve(served: Served) -> None:
    """A person ends an UNRESOLVED transaction with a note; again changes nothing, otherwise is refused."""
    transaction = await unresolved(served)
    assert transaction.evidence.summary == "no answer in time"
    request = v1.ResolveTransactionRequest(
        transaction_id=transaction.transaction_id,
        resolution=v1.Resolution.RESOLUTION_CONFIRMED,
        note="seen in the settlement of 21 November",
    )
    ended = (await served.call("ResolveTransaction", request)).transaction
    assert ended.state == STATE.TRANSACTION_STATE_CONFIRMED
    assert "21 November" in ended.state_changes[-1].note
    assert (await served.call("ResolveTransaction", request)).transaction == ended
    request.resolution = v1.Resolution.RESOLUTION_REVERSED
    refusal = await served.refused("ResolveTransaction", request)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "STATE_CONFLICT")
    assert refusal.info.metadata["state"] == "CONFIRMED"


async def test_refused_advice_is_told(served: Served) -> None:
    """A provider's final no to a confirmation is UNRESOLVED, and its code is in the evidence."""
    transaction = await served.redeem()
    no = Decline(reason=DeclineReason.CARD_BLOCKED, provider_code="62")
    served.script.reactions.append(Acknowledgement(receipt=Receipt.REFUSED, evidence="blocked", decline=no))
    confirm = v1.ConfirmRedeemRequest(transaction_id=transaction.transaction_id)
    told = (await served.call("ConfirmRedeem", confirm)).transaction
    assert told.state == STATE.TRANSACTION_STATE_UNRESOLVED
    assert told.evidence.refusal.provider_code == "62"


async def test_nobody_reads_a_new_card_in_its_providers_words(served: Served) -> None:
    """Secrets of new cards in references, notes and words of attempts are masked but for who issued."""
    said = f"made {KEY[:4]}-{KEY[4:]}, pin {NEW_PIN}, {URL} {BARCODE}"
    card = IssuedCard(
        redemption_key=Secret(KEY), pin=Secret(NEW_PIN), redemption_url=Secret(URL), barcode=Secret(BARCODE)
    )
    made = Outcome(
        verdict=Verdict.APPROVED,
        approved=HUNDRED,
        issued_cards=(card,),
        references={"said": said},
        evidence=said,
    )
    served.script.reactions.append(made)
    issue = v1.IssueRequest(transaction_id=served.clock.uuid4(), amount=RAND)
    shown = (await served.call("Issue", issue)).transaction
    assert shown.issued_cards[0].redemption_key == KEY
    assert shown.provider_references["said"] == said
    get = v1.GetTransactionRequest(transaction_id=shown.transaction_id)
    got = (await served.call("GetTransaction", get)).transaction
    assert got.progress.attempts[0].summary
    for told in (got, *(await page(served)).transactions):
        assert told.provider_references["said"]
        for secret in (KEY[4:], NEW_PIN, URL, BARCODE):
            assert secret not in str(told)


async def test_an_event_tells_no_card(served: Served) -> None:
    """What a provider's event says of a transaction's card, or of one that it brings, is masked."""
    transaction = await served.redeem()
    brought = Outcome(verdict=Verdict.UNKNOWN, issued_cards=(IssuedCard(redemption_key=Secret(KEY)),))
    for told_of, outcome in ((transaction.transaction_id, None), ("", brought)):
        event = ProviderEvent(
            event_id=served.clock.uuid4(),
            name="card.used",
            transaction_id=told_of,
            outcome=outcome,
            references={"order": f"o-{PAN}", "key": KEY},
            attributes={"text": f"card {PAN[:4]} {PAN[4:]} of {KEY}", "else": "as it is"},
        )
        served.telling.answers["read_webhook"] = [event]
        webhook = Webhook(headers={}, body=b"", received_at=served.clock.now())
        await served.app.pipeline.events.receive(served.app.connections.get("first"), webhook)
    request = v1.StreamEventsRequest()
    request.start_time.FromSeconds(1)
    stream = served.stream("StreamEvents", request)
    of_card, of_new = [(await stream.read()).event for _ in range(2)]
    stream.cancel()
    assert PAN[4:] not in str(of_card)
    assert KEY not in str(of_new)
    assert of_card.attributes["else"] == of_new.attributes["else"] == "as it is"


async def test_redeliver() -> None:
    """A promise is answered after its first delivery; asked to, the next is tried at once, the same bytes."""
    async with serve(terms=Terms(retry_base_s=3600.0, retry_cap_s=3600.0)) as served:
        transaction = await served.redeem()
        served.script.reactions.append(Acknowledgement(receipt=Receipt.AGAIN, evidence="busy"))
        confirm = v1.ConfirmRedeemRequest(transaction_id=transaction.transaction_id)
        async with asyncio.timeout(PATIENCE_S):
            told = (await served.call("ConfirmRedeem", confirm, timeout_s=PATIENCE_S)).transaction
        assert told.state == STATE.TRANSACTION_STATE_CONFIRMING
        request = v1.RedeliverAdviceRequest(transaction_id=transaction.transaction_id)
        told = (await served.call("RedeliverAdvice", request)).transaction
        assert told.state == STATE.TRANSACTION_STATE_CONFIRMED
        assert len({call.body for call, _ in served.script.advices}) == 1
        refusal = await served.refused("RedeliverAdvice", request)
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "STATE_CONFLICT")


async def test_a_note_of_who_hurries_stays_with_the_transaction(served: Served) -> None:
    """What was said stands among the changes, in the same state; a card's number is refused."""
    transaction = await served.redeem()
    # As often as it is tried by itself on a machine that takes its time.
    served.script.reactions.extend([Acknowledgement(receipt=Receipt.AGAIN, evidence="HTTP 503")] * 999)
    confirm = v1.ConfirmRedeemRequest(transaction_id=transaction.transaction_id)
    owed = (await served.call("ConfirmRedeem", confirm)).transaction
    assert owed.state == STATE.TRANSACTION_STATE_CONFIRMING
    hurried = v1.RedeliverAdviceRequest(transaction_id=transaction.transaction_id, note="shop 7 called")
    after = (await served.call("RedeliverAdvice", hurried)).transaction
    said = next(one for one in after.state_changes if "shop 7 called" in one.note)
    assert said.state == STATE.TRANSACTION_STATE_CONFIRMING
    hurried.note = f"card {PAN}"
    assert (await served.refused("RedeliverAdvice", hurried)).code == grpc.StatusCode.INVALID_ARGUMENT
