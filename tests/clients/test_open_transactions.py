"""The `with` blocks of both clients: when they confirm, when they reverse, when they leave alone."""

from __future__ import annotations

import asyncio
from typing import NoReturn

import grpc
import pytest

from giftcard import (
    AsyncClient,
    CallError,
    Client,
    ConfirmationFailed,
    Conflict,
    Declined,
    NoAnswer,
    NotApproved,
    is_confirmed,
    to_money,
    v1,
)
from giftcard.open_transactions import AsyncOpenTransaction, OpenTransaction
from giftcard.operations import redeem
from tests.clients.scripted import (
    LATE,
    OPERATIONS,
    PAN,
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

NOUNS = dict(
    zip(
        OPERATIONS,
        ("issuance", "activation", "loading", "redemption", "transferring", "replacement", "voiding"),
        strict=True,
    )
)
Reason = v1.ReversalReason
Held = OpenTransaction | AsyncOpenTransaction


class SaleError(Exception):
    """What goes wrong in a shop."""


def fail(_held: Held) -> NoReturn:
    """End the block badly."""
    raise SaleError


def never(_held: Held) -> None:
    """Be a block that must not run."""
    pytest.fail("the block ran")


@pytest.fixture(autouse=True)
def _willing(gateway: ScriptedGateway) -> None:
    """Let every operation be approved, confirmed and reversed, unless a test says otherwise."""
    for operation in OPERATIONS:
        gateway.expect(operation, response(operation, State.TRANSACTION_STATE_APPROVED))
        gateway.expect(f"Confirm{operation}", response(operation, State.TRANSACTION_STATE_CONFIRMED))
        gateway.expect(f"Reverse{operation}", response(operation, State.TRANSACTION_STATE_REVERSED))


def last_reversal(gateway: ScriptedGateway) -> v1.ReverseRedeemRequest:
    """Give the last request, which must be the reversal of a redemption."""
    request = gateway.seen[-1].request
    assert isinstance(request, v1.ReverseRedeemRequest)
    return request


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_block_that_ends_well_is_confirmed(
    driver: Driver, gateway: ScriptedGateway, operation: str
) -> None:
    """Every operation has a block: asked before it, confirmed after it, under one id."""
    states: list[int] = []
    given = fields_of(operation)
    await driver.hold(NOUNS[operation], lambda held: states.append(held.transaction.state), **given)
    assert states == [State.TRANSACTION_STATE_APPROVED]
    assert gateway.names() == [operation, f"Confirm{operation}"]
    assert {seen.text("transaction_id") for seen in gateway.seen} == {given["transaction_id"]}


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_block_that_raises_is_reversed(
    driver: Driver, gateway: ScriptedGateway, operation: str
) -> None:
    """What the block raises comes out of it, after the reversal."""
    with pytest.raises(SaleError):
        await driver.hold(NOUNS[operation], fail, **fields_of(operation))
    assert gateway.names() == [operation, f"Reverse{operation}"]


async def test_a_confirmation_carries_what_the_block_said(driver: Driver, gateway: ScriptedGateway) -> None:
    """`confirm_with` sets the final amount and the tenders of the confirmation."""
    tender = v1.Tender(tender_type=v1.TenderType.TENDER_TYPE_CASH, amount=to_money("20", "ZAR"))

    def sell(held: Held) -> None:
        held.confirm_with(final_amount="80.00", currency="ZAR", tenders=[tender])

    await driver.hold("redemption", sell, **fields_of("Redeem"))
    request = gateway.seen[-1].request
    assert isinstance(request, v1.ConfirmRedeemRequest)
    assert request.final_amount == to_money("80.00", "ZAR")
    assert list(request.tenders) == [tender]


async def test_a_decline_keeps_the_block_from_running(driver: Driver, gateway: ScriptedGateway) -> None:
    """A decline is raised before the block, and nothing else is sent."""
    gateway.expect("Redeem", response("Redeem", State.TRANSACTION_STATE_DECLINED))
    with pytest.raises(Declined):
        await driver.hold("redemption", never, **fields_of("Redeem"))
    assert gateway.names() == ["Redeem"]


@pytest.mark.parametrize(
    "state",
    [
        State.TRANSACTION_STATE_FAILED,
        State.TRANSACTION_STATE_REVERSED,
        State.TRANSACTION_STATE_REVERSING,
        State.TRANSACTION_STATE_UNRESOLVED,
    ],
)
async def test_a_transaction_decided_before_is_left_alone(
    driver: Driver, gateway: ScriptedGateway, state: State.ValueType
) -> None:
    """A replay of a transaction that is decided already neither runs the block again nor undoes anything."""
    gateway.expect("Redeem", response("Redeem", state))
    with pytest.raises(NotApproved, match=State.Name(state).removeprefix("TRANSACTION_STATE_")):
        await driver.hold("redemption", never, **fields_of("Redeem"))
    assert gateway.names() == ["Redeem"]


async def test_a_pending_transaction_is_reversed(driver: Driver, gateway: ScriptedGateway) -> None:
    """PENDING is no yes: the block does not run, and what may still come is reversed."""
    gateway.expect("Redeem", response("Redeem", State.TRANSACTION_STATE_PENDING))
    with pytest.raises(NotApproved, match="is PENDING"):
        await driver.hold("redemption", never, **fields_of("Redeem"))
    assert last_reversal(gateway).reason == Reason.REVERSAL_REASON_RESPONSE_NOT_FINAL


async def test_a_lost_request_is_reversed(driver: Driver, gateway: ScriptedGateway) -> None:
    """When nobody knows whether the request arrived, it is reversed: a reversal may come first."""
    gateway.expect("Redeem", LATE)
    gateway.expect("GetTransaction", UNKNOWN_ID)
    with pytest.raises(NoAnswer):
        await driver.hold("redemption", never, **fields_of("Redeem"))
    assert last_reversal(gateway).reason == Reason.REVERSAL_REASON_TIMEOUT


async def test_a_refused_request_is_not_reversed(driver: Driver, gateway: ScriptedGateway) -> None:
    """An id that belongs to another transaction must not be reversed because a new one was refused."""
    gateway.expect("Redeem", Refusal(grpc.StatusCode.ALREADY_EXISTS, "TRANSACTION_ID_REUSED"))
    with pytest.raises(Conflict):
        await driver.hold("redemption", never, **fields_of("Redeem"))
    assert gateway.names() == ["Redeem"]


async def test_a_failed_confirmation_is_told(driver: Driver, gateway: ScriptedGateway) -> None:
    """A confirmation that is refused comes out of the block as ConfirmationFailed, which is no CallError."""
    gateway.expect("ConfirmRedeem", Refusal(grpc.StatusCode.FAILED_PRECONDITION, "TRANSACTION_REVERSED"))
    with pytest.raises(ConfirmationFailed) as caught:
        await driver.hold("redemption", lambda _held: None, **fields_of("Redeem"))
    assert isinstance(caught.value.failure, Conflict)
    assert not isinstance(caught.value, CallError)


@pytest.mark.parametrize("state", [State.TRANSACTION_STATE_CONFIRMING, State.TRANSACTION_STATE_CONFIRMED])
async def test_a_block_of_a_confirmed_id_runs_and_sends_nothing(
    driver: Driver, gateway: ScriptedGateway, state: State.ValueType
) -> None:
    """A block entered again with an id that is confirmed runs with that transaction, and decides nothing."""
    gateway.expect("Redeem", response("Redeem", state))
    seen: list[bool] = []
    await driver.hold(
        "redemption", lambda held: seen.append(is_confirmed(held.transaction)), **fields_of("Redeem")
    )
    assert seen == [True]
    with pytest.raises(SaleError) as caught:
        await driver.hold("redemption", fail, **fields_of("Redeem"))
    assert "had been confirmed before: it stays" in caught.value.__notes__[0]
    assert gateway.names() == ["Redeem", "Redeem"]


async def test_a_failed_reversal_is_noted(driver: Driver, gateway: ScriptedGateway) -> None:
    """The block's own exception stays the one that is raised; that the reversal failed is noted on it."""
    gateway.expect("ReverseRedeem", Refusal(grpc.StatusCode.FAILED_PRECONDITION, "REVERSAL_UNSUPPORTED"))
    with pytest.raises(SaleError) as caught:
        await driver.hold("redemption", fail, **fields_of("Redeem"))
    assert "could not be reversed: ReverseRedeem" in caught.value.__notes__[0]
    assert "FAILED_PRECONDITION - REVERSAL_UNSUPPORTED" in caught.value.__notes__[0]


async def test_a_cancelled_request_is_reversed(address: str, gateway: ScriptedGateway) -> None:
    """A task cancelled while its request is in flight reverses it before it ends."""
    gateway.expect("Redeem", None)
    async with AsyncClient(address, plaintext=True) as client:
        driver = Driver(client)
        task = asyncio.create_task(driver.hold("redemption", never, **fields_of("Redeem")))
        await gateway.arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert last_reversal(gateway).reason == Reason.REVERSAL_REASON_TIMEOUT


async def test_an_interrupted_request_is_reversed(address: str, gateway: ScriptedGateway) -> None:
    """Ctrl-C while a request is being repeated reverses it before the program ends."""
    gateway.expect("Redeem", UNREACHABLE)

    def interrupt(_pause_s: float) -> NoReturn:
        raise KeyboardInterrupt

    def sell() -> None:
        with (
            Client(address, plaintext=True, policy=Time().policy(), sleep=interrupt) as client,
            pytest.raises(KeyboardInterrupt),
            client.redemption(transaction_id="t", card=PAN),
        ):
            pytest.fail("the block ran")

    await asyncio.to_thread(sell)
    assert gateway.names() == ["Redeem", "ReverseRedeem"]


async def test_there_is_no_transaction_before_the_block(driver: Driver) -> None:
    """Reading the transaction too early is said in a sentence."""
    assert isinstance(driver.client, Client | AsyncClient)
    held = driver.client.redemption(transaction_id="t", card=PAN)
    with pytest.raises(RuntimeError, match="before the `with` block begins"):
        _ = held.transaction


def test_call_errors_are_not_declines() -> None:
    """Whoever handles a refused call does not handle a decline by accident, nor the other way round."""
    assert not issubclass(Declined, CallError)
    assert redeem(transaction_id="t", card=PAN).name == "Redeem"
