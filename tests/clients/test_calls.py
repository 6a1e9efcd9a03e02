"""The calls of both clients: what is sent, what is repeated, what is looked up, what comes back."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import assert_type

import grpc
import pytest

from giftcard import (
    AsyncClient,
    Card,
    Client,
    ConfirmationFailed,
    Conflict,
    InvalidRequest,
    NoAnswer,
    PermissionDenied,
    Unavailable,
    fields,
    new_transaction_id,
    to_money,
    v1,
)
from giftcard.calls import Calls, Rpc
from giftcard.stubs import Stubs
from tests.clients.scripted import (
    CUT,
    LATE,
    OPERATIONS,
    PAN,
    PIN,
    UNKNOWN_ID,
    UNREACHABLE,
    Driver,
    Refusal,
    ScriptedGateway,
    State,
    Time,
    fields_of,
    response,
)

# What the client adds to the contract's own fields.
SHORTHANDS = {
    "amount_minor",
    "final_amount_minor",
    "fee_amount_minor",
    "currency",
    "pin",
    "expiry",
    "deadline_s",
}
REASON = v1.ReversalReason.REVERSAL_REASON_CANCELLED
# Calls that stream are for `client.stubs` alone.
STREAMS = {"watch_transactions", "stream_events", "download_export", "reconcile"}


def method(rpc: str) -> str:
    """Return the client's name of a call: `ConfirmCashOut` is `confirm_cash_out`."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in rpc).lstrip("_")


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_every_operation_is_asked_confirmed_and_reversed(
    driver: Driver, gateway: ScriptedGateway, operation: str
) -> None:
    """Each of the 21 money calls sends its own request under the given id, and gives back the transaction."""
    given = fields_of(operation)
    same = {"transaction_id": given["transaction_id"]}
    gateway.expect(operation, response(operation, State.TRANSACTION_STATE_APPROVED))
    gateway.expect(f"Confirm{operation}", response(operation, State.TRANSACTION_STATE_CONFIRMED))
    gateway.expect(f"Reverse{operation}", response(operation, State.TRANSACTION_STATE_REVERSING))
    asked = await driver.transact(method(operation), **given)
    confirmed = await driver.transact(method(f"Confirm{operation}"), **same)
    reversed_ = await driver.transact(method(f"Reverse{operation}"), **same, reason=REASON)
    assert gateway.names() == [operation, f"Confirm{operation}", f"Reverse{operation}"]
    assert {seen.text("transaction_id") for seen in gateway.seen} == {given["transaction_id"]}
    assert asked.state == State.TRANSACTION_STATE_APPROVED
    assert confirmed.state == State.TRANSACTION_STATE_CONFIRMED
    assert reversed_.state == State.TRANSACTION_STATE_REVERSING


def test_every_unary_call_of_the_contract_is_friendly() -> None:
    """Each unary call of each service has a method of the same name, and nothing else has."""
    friendly = {name for name, value in vars(Calls).items() if isinstance(value, Rpc)}
    stubs = vars(Stubs(grpc.insecure_channel("127.0.0.1:1"))).values()
    methods = {name for stub in stubs for name in vars(stub)}
    assert friendly == {method(name) for name in methods} - STREAMS


KEYWORDS: list[tuple[type, type]] = [
    (fields.IssueFields, v1.IssueRequest),
    (fields.ActivateFields, v1.ActivateRequest),
    (fields.LoadFields, v1.LoadRequest),
    (fields.RedeemFields, v1.RedeemRequest),
    (fields.TransferFields, v1.TransferRequest),
    (fields.ReplaceFields, v1.ReplaceRequest),
    (fields.VoidFields, v1.VoidRequest),
    *((fields.ConfirmFields, getattr(v1, f"Confirm{operation}Request")) for operation in OPERATIONS),
    *((fields.ReverseFields, getattr(v1, f"Reverse{operation}Request")) for operation in OPERATIONS),
    (fields.BalanceFields, v1.BalanceRequest),
    (fields.LookupFields, v1.LookupRequest),
    (fields.StoreCardFields, v1.StoreCardRequest),
]


@pytest.mark.parametrize(("keywords", "request_kind"), KEYWORDS)
def test_keywords_are_the_fields_of_the_request(keywords: type, request_kind: type[v1.RedeemRequest]) -> None:
    """A call's typed keywords are the fields of its request, none missing and none made up."""
    assert set(keywords.__annotations__) - SHORTHANDS == set(request_kind.DESCRIPTOR.fields_by_name)


async def test_a_redemption_says_what_was_given(driver: Driver, gateway: ScriptedGateway) -> None:
    """Card, PIN, amount and the contract's own fields arrive as the contract has them."""
    await driver.transact(
        "redeem",
        transaction_id=new_transaction_id(),
        card=PAN,
        pin=PIN,
        expiry="3012",
        amount="99.95",
        currency="ZAR",
        provider="p",
        labels={"till": "4"},
        point_of_sale=v1.PointOfSale(terminal_id="12345678"),
    )
    request = gateway.seen[0].request
    assert isinstance(request, v1.RedeemRequest)
    assert request.card == v1.Card(number=v1.CardNumber(pan=PAN, expiry="3012", clear_pin=PIN))
    assert request.amount == to_money("99.95", "ZAR")
    assert (request.provider, request.labels["till"], request.point_of_sale.terminal_id) == (
        "p",
        "4",
        "12345678",
    )


async def test_a_call_has_a_deadline(driver: Driver, gateway: ScriptedGateway) -> None:
    """A money call's own `deadline_s` bounds it; the last quarter is kept for finding out how it ended."""
    await driver.transact("redeem", **fields_of("Redeem"), deadline_s=800.0)
    await driver.transact("confirm_redeem", transaction_id="t", deadline_s=800.0)
    ask_s, confirm_s = (seen.seconds_left or 0.0 for seen in gateway.seen)
    # So long that what a slow machine takes of it is nothing beside a quarter of it; gRPC rounds it up.
    assert 500.0 < ask_s < 650.0
    assert 700.0 < confirm_s < 850.0


async def test_what_was_not_sent_is_repeated_with_the_same_request(
    driver: Driver, gateway: ScriptedGateway, time: Time
) -> None:
    """After UNAVAILABLE and RESOURCE_EXHAUSTED the same request goes again, no sooner than it may."""
    full = Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", retry_after_ms=500)
    approved = response("Redeem", State.TRANSACTION_STATE_APPROVED)
    gateway.expect("Redeem", UNREACHABLE, full, CUT, approved)
    transaction = await driver.transact("redeem", **fields_of("Redeem"))
    assert transaction.state == State.TRANSACTION_STATE_APPROVED
    assert gateway.names() == ["Redeem"] * 4
    assert all(seen.request == gateway.seen[0].request for seen in gateway.seen)
    assert time.pauses_s == [2.1, 0.7, 0.4]


async def test_repeating_ends_with_the_budget(driver: Driver, gateway: ScriptedGateway, time: Time) -> None:
    """Nothing is repeated past the deadline: the last error is raised instead."""
    gateway.expect("Redeem", dataclasses.replace(UNREACHABLE, retry_after_ms=200_000))
    with pytest.raises(Unavailable) as caught:
        await driver.transact("redeem", **fields_of("Redeem"), deadline_s=800.0)
    assert caught.value.reason == "PROVIDER_UNREACHABLE"
    assert not caught.value.is_outcome_open
    assert 200.0 <= time.now_s <= 600.0
    assert set(gateway.names()) == {"Redeem"}


async def test_a_refusal_is_not_repeated(driver: Driver, gateway: ScriptedGateway, time: Time) -> None:
    """What the gateway refuses is asked once, and raised with all it says."""
    gateway.expect(
        "Redeem",
        Refusal(
            grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID", violations={"amount": "missing", "card": "two"}
        ),
    )
    with pytest.raises(InvalidRequest) as caught:
        await driver.transact("redeem", transaction_id="t", card=PAN)
    assert [each.field for each in caught.value.violations] == ["amount", "card"]
    assert len(gateway.seen) == 1
    assert not time.pauses_s


async def test_a_lost_answer_is_looked_up(driver: Driver, gateway: ScriptedGateway) -> None:
    """After a deadline the transaction is read, waiting for its outcome, instead of being asked again."""
    given = fields_of("Redeem")
    gateway.expect("Redeem", LATE)
    gateway.expect("GetTransaction", response("GetTransaction", State.TRANSACTION_STATE_DECLINED))
    transaction = await driver.transact("redeem", **given)
    assert transaction.state == State.TRANSACTION_STATE_DECLINED
    assert gateway.names() == ["Redeem", "GetTransaction"]
    look = gateway.seen[1].request
    assert isinstance(look, v1.GetTransactionRequest)
    assert look.transaction_id == given["transaction_id"]
    # No time has passed on the test's clock: all 40 s are left, of which one is kept for the answer.
    assert look.wait.ToMilliseconds() == 39_000


@pytest.mark.parametrize("look_up", [UNKNOWN_ID, LATE])
async def test_what_cannot_be_found_out_is_said(
    driver: Driver, gateway: ScriptedGateway, look_up: Refusal
) -> None:
    """When the gateway does not know or does not answer, the first error is raised, its outcome open."""
    gateway.expect("Redeem", LATE)
    gateway.expect("GetTransaction", look_up)
    with pytest.raises(NoAnswer) as caught:
        await driver.transact("redeem", **fields_of("Redeem"))
    assert caught.value.is_outcome_open
    assert caught.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert caught.value.__suppress_context__


async def test_a_lost_issue_is_asked_again_for_its_cards(driver: Driver, gateway: ScriptedGateway) -> None:
    """A look-up masks what was issued, so the same request goes once more: its replay shows the cards."""
    shown = v1.IssuedCard(masked_card="****1234", number=PAN)
    masked = v1.IssuedCard(masked_card="****1234")
    approved = State.TRANSACTION_STATE_APPROVED
    gateway.expect("Issue", LATE, response("Issue", approved, shown))
    gateway.expect("GetTransaction", response("GetTransaction", approved, masked))
    transaction = await driver.transact("issue", **fields_of("Issue"))
    assert transaction.issued_cards[0].number == PAN
    assert gateway.names() == ["Issue", "GetTransaction", "Issue"]


async def test_an_issue_that_was_found_stays_open(driver: Driver, gateway: ScriptedGateway) -> None:
    """When the second request for the cards of a lost issue is refused, they were issued all the same."""
    approved = State.TRANSACTION_STATE_APPROVED
    found = response("GetTransaction", approved, v1.IssuedCard(masked_card="****1234"))
    gateway.expect("Issue", LATE, Refusal(grpc.StatusCode.PERMISSION_DENIED, "SCOPE_MISSING"))
    gateway.expect("GetTransaction", found)
    with pytest.raises(PermissionDenied) as caught:
        await driver.transact("issue", **fields_of("Issue"))
    assert caught.value.is_outcome_open


async def test_an_outcome_once_open_stays_open(driver: Driver, gateway: ScriptedGateway) -> None:
    """When one attempt may have worked, a later refusal that proves nothing was sent does not close it."""
    gateway.expect("Redeem", CUT, Refusal(grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN"))
    gateway.expect("GetTransaction", UNKNOWN_ID)
    with pytest.raises(Unavailable) as caught:
        await driver.transact("redeem", **fields_of("Redeem"))
    assert caught.value.reason == "SHUTTING_DOWN"
    assert caught.value.is_outcome_open


@pytest.mark.parametrize("name", ["ConfirmRedeem", "ReverseRedeem"])
async def test_advices_are_repeated_after_lost_answers_too(
    driver: Driver, gateway: ScriptedGateway, name: str
) -> None:
    """A confirmation or reversal is sent again until the gateway has promised it; a refusal ends that."""
    call = method(name)
    given = {"transaction_id": "t", "reason": REASON if call == "reverse_redeem" else None}
    fault = Refusal(grpc.StatusCode.INTERNAL, "INTERNAL")
    gateway.expect(
        name, LATE, fault, CUT, Refusal(grpc.StatusCode.FAILED_PRECONDITION, "TRANSACTION_REVERSED")
    )
    with pytest.raises(ConfirmationFailed if name.startswith("Confirm") else Conflict):
        await driver.transact(call, **given)
    assert gateway.names() == [name] * 4


async def test_a_read_is_left_to_the_service_config(
    driver: Driver, gateway: ScriptedGateway, time: Time
) -> None:
    """A read is repeated by gRPC itself and has its timeout, both as the shipped service config says."""
    balances = v1.Balances(available=to_money("5", "ZAR"))
    found = v1.BalanceResponse(card_balance=v1.CardBalance(balances=balances))
    gateway.expect("Balance", Refusal(grpc.StatusCode.UNAVAILABLE), found)
    balance = await driver.call("balance", card=PAN)
    assert isinstance(balance, v1.CardBalance)
    assert balance.balances.available.units == 5
    assert gateway.names() == ["Balance"] * 2
    assert not time.pauses_s
    assert (gateway.seen[0].seconds_left or 0.0) <= 10.1


async def test_reads_give_what_they_are_for(driver: Driver, gateway: ScriptedGateway) -> None:
    """Reads of one thing give that thing; pages are given whole."""
    gateway.expect("Lookup", v1.LookupResponse(card=v1.CardView(provider="p")))
    gateway.expect("GetTransaction", response("GetTransaction", State.TRANSACTION_STATE_PENDING))
    gateway.expect("StoreCard", v1.StoreCardResponse(stored_card=v1.StoredCard(stored_card_id="s")))
    gateway.expect("ListTransactions", v1.ListTransactionsResponse(next_page_token="next"))
    looked = await driver.call("lookup", card=Card.at_provider("c"))
    assert isinstance(looked, v1.CardView)
    read = await driver.call("get_transaction", "t", wait_s=1.5)
    assert isinstance(read, v1.Transaction)
    stored = await driver.call("store_card", card=PAN, provider="p")
    assert isinstance(stored, v1.StoredCard)
    page = await driver.call("list_transactions", page_size=3)
    assert isinstance(page, v1.ListTransactionsResponse)
    await driver.call("batch_balance", [{"card": PAN, "pin": PIN}, {"card": Card.stored("s")}])
    batch = gateway.seen[-1].request
    assert isinstance(batch, v1.BatchBalanceRequest)
    assert [each.card.WhichOneof("reference") for each in batch.requests] == ["number", "stored_card_id"]


async def test_a_change_without_an_id_is_made_once(
    driver: Driver, gateway: ScriptedGateway, time: Time
) -> None:
    """A call that changes something and has no transaction id is never repeated, and has a deadline."""
    gateway.expect("StoreCard", UNREACHABLE)
    with pytest.raises(Unavailable):
        await driver.call("store_card", card=PAN)
    assert gateway.names() == ["StoreCard"]
    assert (gateway.seen[0].seconds_left or 0.0) <= 40.1
    assert not time.pauses_s


async def test_metadata_is_asked_for_every_attempt(address: str, gateway: ScriptedGateway) -> None:
    """The metadata hook gives each attempt its own token, and the gateway learns the client's name."""
    tokens = iter(("one", "two"))
    gateway.expect("ConfirmRedeem", LATE, response("ConfirmRedeem", State.TRANSACTION_STATE_CONFIRMED))
    time = Time()
    async with AsyncClient(
        address,
        plaintext=True,
        policy=time.policy(),
        sleep=time.asleep,
        metadata=lambda: (("authorization", f"Bearer {next(tokens)}"),),
    ) as client:
        await client.confirm_redeem(transaction_id="t")
    assert [seen.metadata["authorization"] for seen in gateway.seen] == ["Bearer one", "Bearer two"]
    assert str(gateway.seen[0].metadata["user-agent"]).startswith("giftcard-python/")


async def test_the_types_tell_the_clients_apart(address: str) -> None:
    """The same call is a value on one client and awaitable on the other; the type checker knows both."""
    with Client(address, plaintext=True) as client:
        waited = await asyncio.to_thread(lambda: client.void(transaction_id="t", card=PAN))
        assert_type(waited, v1.Transaction)
    async with AsyncClient(address, plaintext=True) as async_client:
        awaited = await async_client.void(transaction_id="t", card=PAN)
        assert_type(awaited, v1.Transaction)
    assert waited == awaited == v1.Transaction()


def test_calls_explain_themselves() -> None:
    """Every call and every opening has a docstring of its own to read in a shell."""
    assert [
        name for name, value in vars(Calls).items() if not name.startswith("_") and not value.__doc__
    ] == []
