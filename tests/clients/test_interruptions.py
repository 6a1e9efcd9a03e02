"""What interrupts a call or a block, and that it is undone all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NoReturn

import anyio
import pytest

from giftcard import AsyncClient, CallNotSent, Client, ConfirmationFailed
from tests.clients.scripted import PAN, UNREACHABLE, ScriptedGateway, State, Time, response


class SignalError(BaseException):
    """What a signal's handler raises."""


class TokenError(Exception):
    """What fails in whatever fetches a token."""


@pytest.fixture(autouse=True)
def _willing(gateway: ScriptedGateway) -> None:
    """Approve, confirm and reverse redemptions."""
    gateway.expect("Redeem", response("Redeem", State.TRANSACTION_STATE_APPROVED))
    gateway.expect("ConfirmRedeem", response("ConfirmRedeem", State.TRANSACTION_STATE_CONFIRMED))
    gateway.expect("ReverseRedeem", response("ReverseRedeem", State.TRANSACTION_STATE_REVERSED))


def interrupt_with(kind: type[BaseException]) -> Callable[[float], NoReturn]:
    """Give a sleep in which something happens."""

    def sleep(_pause_s: float) -> NoReturn:
        raise kind

    return sleep


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, SignalError])
async def test_whatever_interrupts_an_ask_reverses_it(
    address: str, gateway: ScriptedGateway, kind: type[BaseException]
) -> None:
    """SystemExit, Ctrl-C and what a signal's handler raises during the ask of a block reverse it."""
    gateway.expect("Redeem", UNREACHABLE)

    def sell() -> None:
        with (
            Client(address, plaintext=True, policy=Time().policy(), sleep=interrupt_with(kind)) as client,
            pytest.raises(kind),
            client.redemption(transaction_id="t", card=PAN),
        ):
            pytest.fail("the block ran")

    await asyncio.to_thread(sell)
    assert gateway.names() == ["Redeem", "ReverseRedeem"]


@pytest.mark.parametrize("kind", [SystemExit, SignalError])
async def test_whatever_interrupts_an_async_ask_reverses_it(
    address: str, gateway: ScriptedGateway, kind: type[BaseException]
) -> None:
    """The async client reverses an ask that SystemExit or a signal's handler interrupts."""
    gateway.expect("Redeem", UNREACHABLE)

    async def sleep(_pause_s: float) -> NoReturn:
        raise kind

    async with AsyncClient(address, plaintext=True, policy=Time().policy(), sleep=sleep) as client:
        with pytest.raises(kind):
            await client.redemption(transaction_id="t", card=PAN).__aenter__()
    assert gateway.names() == ["Redeem", "ReverseRedeem"]


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
async def test_an_interrupted_confirmation_says_so(
    address: str, gateway: ScriptedGateway, kind: type[BaseException]
) -> None:
    """What interrupts a confirmation carries a note: the goods may be gone, confirm again; no reversal."""
    gateway.expect("ConfirmRedeem", UNREACHABLE)

    def sell() -> None:
        with (
            Client(address, plaintext=True, policy=Time().policy(), sleep=interrupt_with(kind)) as client,
            pytest.raises(kind) as caught,
            client.redemption(transaction_id="t", card=PAN),
        ):
            pass
        assert "repeat the confirmation" in caught.value.__notes__[0]

    await asyncio.to_thread(sell)
    assert gateway.names() == ["Redeem", "ConfirmRedeem"]


async def test_an_anyio_scope_that_ends_the_ask_reverses(address: str, gateway: ScriptedGateway) -> None:
    """A cancel scope around a block, such as a web framework's, reverses a request in flight."""
    gateway.expect("Redeem", None)
    async with AsyncClient(address, plaintext=True) as client:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(cancel_when, gateway.arrived, scope)
                async with client.redemption(transaction_id="t", card=PAN):
                    pytest.fail("the block ran")
    assert scope.cancelled_caught
    assert gateway.names() == ["Redeem", "ReverseRedeem"]


async def cancel_when(event: asyncio.Event, scope: anyio.CancelScope) -> None:
    """Cancel a scope once something has happened."""
    await event.wait()
    scope.cancel()


async def test_an_anyio_scope_that_ends_the_block_reverses(address: str, gateway: ScriptedGateway) -> None:
    """A cancel scope that ends while the block runs reverses it."""
    async with AsyncClient(address, plaintext=True) as client:
        with anyio.CancelScope() as scope:
            async with client.redemption(transaction_id="t", card=PAN):
                scope.cancel()
                await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert gateway.names() == ["Redeem", "ReverseRedeem"]


async def test_a_scope_cancelled_before_the_end_still_confirms(
    address: str, gateway: ScriptedGateway
) -> None:
    """A block that ended well is confirmed though its scope was cancelled meanwhile."""
    async with AsyncClient(address, plaintext=True) as client:
        with anyio.CancelScope() as scope:
            async with client.redemption(transaction_id="t", card=PAN) as held:
                scope.cancel()
    assert held.transaction.state == State.TRANSACTION_STATE_CONFIRMED
    assert gateway.names() == ["Redeem", "ConfirmRedeem"]


async def test_a_cancelled_confirmation_is_seen_through(address: str, gateway: ScriptedGateway) -> None:
    """A task cancelled while its block is being confirmed confirms it, and then is cancelled."""
    confirmed = response("ConfirmRedeem", State.TRANSACTION_STATE_CONFIRMED)
    gateway.expect("ConfirmRedeem", UNREACHABLE, confirmed)
    task: asyncio.Task[None]

    async def sleep(_pause_s: float) -> None:
        task.cancel()
        await asyncio.sleep(0)

    async with AsyncClient(address, plaintext=True, policy=Time().policy(), sleep=sleep) as client:

        async def sell() -> None:
            async with client.redemption(transaction_id="t", card=PAN):
                pass

        task = asyncio.create_task(sell())
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
    assert gateway.names() == ["Redeem", "ConfirmRedeem", "ConfirmRedeem"]
    assert "had been decided as its block asked" in caught.value.__notes__[0]


async def test_a_cancelled_reversal_is_seen_through(address: str, gateway: ScriptedGateway) -> None:
    """A task cancelled while its block is being reversed reverses it; what the block raised comes out."""
    gateway.expect("ReverseRedeem", UNREACHABLE, response("ReverseRedeem", State.TRANSACTION_STATE_REVERSED))
    task: asyncio.Task[None]

    async def sleep(_pause_s: float) -> None:
        task.cancel()
        await asyncio.sleep(0)

    async with AsyncClient(address, plaintext=True, policy=Time().policy(), sleep=sleep) as client:

        async def sell() -> None:
            async with client.redemption(transaction_id="t", card=PAN):
                raise TokenError

        task = asyncio.create_task(sell())
        with pytest.raises(TokenError):
            await task
    assert gateway.names() == ["Redeem", "ReverseRedeem", "ReverseRedeem"]


def failing_after(good: int) -> Callable[[], str]:
    """Give a token source that fails after some good answers."""
    left = iter([True] * good)

    def fetch() -> str:
        if not next(left, False):
            raise TokenError
        return "token"

    return fetch


async def test_a_token_that_fails_at_the_end_leaves_the_users_exception(
    address: str, gateway: ScriptedGateway
) -> None:
    """When the token for the reversal fails, the block's own exception comes out, with a note."""

    def sell() -> None:
        time = Time()
        with (
            Client(
                address, plaintext=True, token=failing_after(1), policy=time.policy(), sleep=time.sleep
            ) as client,
            pytest.raises(ZeroDivisionError) as caught,
            client.redemption(transaction_id="t", card=PAN),
        ):
            raise ZeroDivisionError
        assert "could not be reversed" in caught.value.__notes__[0]

    await asyncio.to_thread(sell)
    assert gateway.names() == ["Redeem"]


async def test_a_token_that_fails_once_does_not_lose_a_confirmation(
    address: str, gateway: ScriptedGateway
) -> None:
    """A confirmation is repeated when its token failed; one that fails on becomes ConfirmationFailed."""
    tokens = iter(["one", TokenError(), "three"])

    async def fetch() -> str:
        token = next(tokens, TokenError())
        if isinstance(token, Exception):
            raise token
        return str(token)

    time = Time()
    async with AsyncClient(
        address, plaintext=True, token=fetch, policy=time.policy(), sleep=time.asleep
    ) as client:
        async with client.redemption(transaction_id="t", card=PAN):
            pass
        assert gateway.names() == ["Redeem", "ConfirmRedeem"]
        with pytest.raises(ConfirmationFailed) as caught:
            await client.confirm_redeem(transaction_id="t")
    assert isinstance(caught.value.failure, CallNotSent)
    assert isinstance(caught.value.failure.__cause__, TokenError)


async def test_a_token_that_fails_at_the_ask_sends_nothing(address: str, gateway: ScriptedGateway) -> None:
    """Without a token nothing is sent, nothing is open, and nothing has to be reversed."""
    async with AsyncClient(address, plaintext=True, token=failing_after(0)) as client:
        with pytest.raises(CallNotSent) as caught:
            await client.redemption(transaction_id="t", card=PAN).__aenter__()
    assert isinstance(caught.value.__cause__, TokenError)
    assert not caught.value.is_outcome_open
    assert not gateway.seen


async def test_a_token_that_hangs_ends_with_the_deadline(address: str, gateway: ScriptedGateway) -> None:
    """An async source has the call's deadline; past that the call is not sent."""

    async def hang() -> str:
        await asyncio.Event().wait()
        return ""

    async with AsyncClient(address, plaintext=True, token=hang) as client:
        with pytest.raises(CallNotSent):
            await client.calling(deadline_s=0.01).list_providers()
    assert not gateway.seen


def test_the_waiting_client_refuses_an_async_source(address: str) -> None:
    """Client cannot await: an async source is refused in a sentence, and nothing is sent."""

    async def fetch() -> str:
        return "token"

    with (
        Client(address, plaintext=True, token=fetch) as client,  # type: ignore[arg-type]  # what is refused
        pytest.raises(CallNotSent) as caught,
    ):
        client.list_providers()
    assert "use AsyncClient" in str(caught.value.__cause__)


async def test_a_second_interruption_ends_the_reversing(address: str, gateway: ScriptedGateway) -> None:
    """Whoever presses Ctrl-C again, while the block is being reversed, waits no longer; a note says so."""
    gateway.expect("ReverseRedeem", UNREACHABLE)
    cause = ZeroDivisionError()

    def sell() -> None:
        sleep = interrupt_with(KeyboardInterrupt)
        with (
            Client(address, plaintext=True, policy=Time().policy(), sleep=sleep) as client,
            pytest.raises(KeyboardInterrupt) as caught,
            client.redemption(transaction_id="t", card=PAN),
        ):
            raise cause
        assert caught.value.__context__ is cause

    await asyncio.to_thread(sell)
    assert "was interrupted: KeyboardInterrupt" in cause.__notes__[0]
