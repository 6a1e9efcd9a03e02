"""Callers by the hundred in one process: each asks again and again, and notes how every call ended."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
from google.type.money_pb2 import Money

from giftcard import new_transaction_id, read_error, v1
from tests.attacks.target import calls

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

PAN = "6045000000000061"
_CARD = v1.Card(number=v1.CardNumber(pan=PAN, expiry="4912"))


@dataclass
class Ended:
    """How the calls of one group ended: by code and reason, with the seconds each took and the ids."""

    seconds: float
    is_money: bool
    kinds: Counter[str] = field(default_factory=Counter)
    took_s: dict[str, list[float]] = field(default_factory=dict)
    served: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    """The ids of transactions that were refused OVERLOADED."""

    @property
    def per_s(self) -> float:
        """Return how many calls a second ended well."""
        return self.kinds["OK"] / self.seconds

    def within_s(self, share: float, kind: str = "OK") -> float:
        """Return within how many seconds such a share of the calls of one kind was answered."""
        took_s = sorted(self.took_s.get(kind, [0.0]))
        return took_s[min(len(took_s) - 1, int(share * len(took_s)))]


OVERLOADED = "RESOURCE_EXHAUSTED OVERLOADED"


def redeem(stubs: Any, transaction_id: str, how: dict[str, Any]) -> Awaitable[object]:  # noqa: ANN401 - for asyncio
    """Ask for one rand from a card."""
    request = v1.RedeemRequest(
        transaction_id=transaction_id, card=_CARD, amount=Money(currency_code="ZAR", units=1)
    )
    answer: Awaitable[object] = stubs.gift_cards.Redeem(request, **how)
    return answer


def balance(stubs: Any, _: str, how: dict[str, Any]) -> Awaitable[object]:  # noqa: ANN401 - as above
    """Ask for a card's balance."""
    answer: Awaitable[object] = stubs.gift_cards.Balance(v1.BalanceRequest(card=_CARD), **how)
    return answer


async def load(
    address: str,
    *,
    callers: int,
    seconds: float,
    connections: int = 16,
    heeds: bool = True,
    deadline_s: float = 30.0,
    machine: str = "10.0.0.1",
    ask: Callable[[Any, str, dict[str, Any]], Awaitable[object]] = redeem,
) -> Ended:
    """Let so many callers ask at once for so many seconds.

    Who `heeds` waits after a refusal as it was told. Each comes from `machine`, by which limits count it.
    """
    ways = [_way(address) for _ in range(min(callers, connections))]
    ended, began_s = Ended(seconds, is_money=ask is redeem), time.monotonic()
    until_s = began_s + seconds
    how = {"timeout": deadline_s, "metadata": (("x-forwarded-for", machine),)}

    async def call_on(stubs: Any) -> None:  # noqa: ANN401 - as above
        while (asked_s := time.monotonic()) < until_s:
            transaction_id, come_back_s = new_transaction_id(), 0.0
            try:
                await ask(stubs, transaction_id, how)
                kind = "OK"
                ended.served.add(transaction_id)
            except grpc.RpcError as raised:
                fault = read_error(raised)
                kind = f"{fault.code.name} {fault.reason or 'without a word'}"
                if kind == OVERLOADED:
                    ended.refused.add(transaction_id)
                    come_back_s = fault.retry_after_s or 0.0
            now_s = time.monotonic()
            if now_s < until_s or kind != "OK":
                ended.kinds[kind] += 1
                ended.took_s.setdefault(kind, []).append(now_s - asked_s)
            if heeds and come_back_s:
                await asyncio.sleep(min(come_back_s, max(0.0, until_s - now_s)))

    stubs = [calls(way) for way in ways]
    await asyncio.gather(*(call_on(stubs[place % len(stubs)]) for place in range(callers)))
    await asyncio.gather(*(way.close() for way in ways))
    return ended


async def streams(address: str, count: int) -> Counter[str]:
    """Open so many endless streams at once; return how those ended that did within two seconds."""
    way = _way(address)
    held = [calls(way).events.StreamEvents(v1.StreamEventsRequest()) for _ in range(count)]
    reading = [asyncio.ensure_future(one.read()) for one in held]
    await asyncio.wait(reading, timeout=2)
    told: Counter[str] = Counter(_kinds(reading))
    for one in reading:
        one.cancel()
    await way.close()
    return told


def _kinds(reading: Sequence[asyncio.Future[object]]) -> Iterator[str]:
    for one in reading:
        fault = one.exception() if one.done() and not one.cancelled() else None
        if isinstance(fault, grpc.RpcError):
            told = read_error(fault)
            yield f"{told.code.name} {told.reason or 'without a word'}"
        else:
            yield "open"


def _way(address: str) -> grpc.aio.Channel:
    """Return a connection of its own."""
    return grpc.aio.insecure_channel(
        address, [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
    )
