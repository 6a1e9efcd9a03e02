"""Whether time or a byte tells an id that exists in another tenant from one that exists nowhere."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import grpc

from giftcard import new_transaction_id, v1
from tests.attacks.strangers import PAN, make_tenants_key, sent, until_in
from tests.attacks.target import calls, channel
from tests.e2e.sandboxes import Sandbox, redemption

_ROUNDS = 3000
_SHUFFLES = 500
_DETAILS = "grpc-status-details-bin"


async def another_tenants_id(target: Sandbox) -> str:
    """GetTransaction for ids of another tenant's, and of nobody's, in turns that chance decides.

    The figure is how far the medians are apart, and how often labels drawn by lot lie at least as far.
    """
    owner, stranger = make_tenants_key(target, "till-1", "shop"), make_tenants_key(target, "till-2", "kiosk")
    chance = random.Random(1)
    async with channel(target.port) as way:
        for key in (owner, stranger):
            await until_in(way, key, "OK")
        stubs = calls(way)
        theirs = [await _sold(stubs, owner) for _ in range(20)]
        waits: dict[bool, list[float]] = {True: [], False: []}
        said: dict[bool, set[bytes]] = {True: set(), False: set()}
        for _ in range(_ROUNDS):
            turns = [True, False]
            chance.shuffle(turns)
            for is_theirs in turns:
                asked = chance.choice(theirs) if is_theirs else new_transaction_id()
                wait_s, answer = await _refused(stubs, asked, stranger)
                waits[is_theirs].append(wait_s)
                said[is_theirs].add(answer)
    apart = _apart(waits[True], waits[False])
    alike = "one answer" if said[True] == said[False] and len(said[True]) == 1 else "the answers DIFFER"
    return (
        f"{_ROUNDS} of each: {alike}; medians {statistics.median(waits[True]) * 1e6:,.0f} and"
        f" {statistics.median(waits[False]) * 1e6:,.0f} µs, {apart * 1e6:,.1f} apart;"
        f" by lot as far or farther in {_by_lot(waits, apart, chance):.0%}"
    )


async def _sold(stubs: Any, key: str) -> str:  # noqa: ANN401 - stubs have no types of their own
    request = redemption(PAN)
    await stubs.gift_cards.Redeem(request, timeout=20, metadata=sent(key))
    return request.transaction_id


async def _refused(stubs: Any, transaction_id: str, key: str) -> tuple[float, bytes]:  # noqa: ANN401 - as above
    """Return how long a refusal took, in seconds, and all of it, but for the id that was asked for."""
    request = v1.GetTransactionRequest(transaction_id=transaction_id)
    began = time.perf_counter()
    try:
        await stubs.transactions.GetTransaction(request, timeout=20, metadata=sent(key))
    except grpc.aio.AioRpcError as fault:
        wait_s = time.perf_counter() - began
        details = b"".join(
            value if isinstance(value, bytes) else value.encode()
            for name, value in fault.trailing_metadata() or ()
            if name == _DETAILS
        )
        whole = b"\0".join((fault.code().name.encode(), (fault.details() or "").encode(), details))
        return wait_s, whole.replace(transaction_id.encode(), b"ID")
    raise AssertionError("another tenant's transaction was shown")


def _apart(one: list[float], other: list[float]) -> float:
    return abs(statistics.median(one) - statistics.median(other))


def _by_lot(waits: Mapping[bool, list[float]], apart: float, chance: random.Random) -> float:
    """Return the share of random halves of all waits whose medians lie at least so far apart."""
    both = [*waits[True], *waits[False]]
    half = len(waits[True])
    count = 0
    for _ in range(_SHUFFLES):
        chance.shuffle(both)
        count += _apart(both[:half], both[half:]) >= apart
    return count / _SHUFFLES


TIMINGS: Mapping[str, Callable[[Sandbox], Awaitable[str]]] = {"another_tenants_id": another_tenants_id}
