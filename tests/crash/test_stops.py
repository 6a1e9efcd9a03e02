"""A process dies at every point of every operation, another goes on, and the end is as it must be.

Exhaustive and small: nothing else goes wrong. Points are before and after every write and every exchange.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

import pytest

from giftcard_adapters.values.advices import ReversalReason
from giftcard_adapters.values.cards import CardRef, ClearPin
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import (
    Activate,
    AnyOperation,
    Issue,
    Load,
    Redeem,
    Replace,
    Transfer,
    Void,
)
from giftcard_adapters.values.point_of_sale import Product
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.access.identities import LOCAL
from giftcard_gateway.errors import TransactionReversed
from giftcard_gateway.ledger.entry import Entry, State
from giftcard_gateway.pipeline.transactions import Transactions
from tests.crash.callers import Shared
from tests.crash.life import Lost
from tests.crash.plan import quiet
from tests.crash.providers import (
    ACTIVE_CARDS,
    ELECTRUM,
    GATEPAY,
    GR4VY,
    GR4VY_CARDS,
    GR4VY_NEW_CARDS,
    JEUDIMERCI,
    NEW_CARDS,
    POOR_CARD,
)
from tests.crash.simulation import Stage, open_stage
from tests.crash.weather import Weather
from tests.world import clock as virtual
from tests.world.clock import VirtualClock

_DULL = frozenset({"reading", "waiting for a change", "hearing of time"})
"""Points at which nothing is written or sent."""


class StopAt(Weather):
    """Fair weather, but one process dies when the `nth` point is reached."""

    nth = 0
    reached = 0

    def stops(self, place: str, subject: str) -> bool:
        """Count, and stop once."""
        del subject
        if place in _DULL:
            return False
        self.reached += 1
        return self.reached == self.nth


@dataclass(frozen=True)
class Deed:
    """One operation and what its caller decides: confirm, part, reverse, first (a reversal) or leave."""

    name: str
    ask: Callable[[Shared], AnyOperation]
    decision: str
    ends: State

    def __str__(self) -> str:
        """Name it for pytest."""
        return f"{self.name}-{self.decision}"


def _card(number: str, pin: str = "") -> CardRef:
    return CardRef(number=Secret(number), pin=ClearPin(pin=Secret(pin)) if pin else None)


_RAND = Money("ZAR", 1_000)
_CARD, _OTHER_CARD, _NEW_CARD = (_card(number) for number in (*ACTIVE_CARDS[:2], NEW_CARDS[0]))
_ASKS: dict[str, Callable[[Shared], AnyOperation]] = {
    "redeem": lambda s: Redeem(**s, provider=ELECTRUM, amount=_RAND, card=_CARD),
    "decline": lambda s: Redeem(**s, provider=ELECTRUM, amount=_RAND, card=_card(POOR_CARD)),
    "load": lambda s: Load(**s, provider=ELECTRUM, amount=_RAND, card=_CARD),
    "activate": lambda s: Activate(
        **s, provider=ELECTRUM, amount=_RAND, card=_NEW_CARD, product=Product(product_id="product009")
    ),
    "transfer": lambda s: Transfer(
        **s, provider=ELECTRUM, amount=_RAND, source_card=_CARD, target_card=_OTHER_CARD
    ),
    "replace": lambda s: Replace(**s, provider=ELECTRUM, old_card=_CARD, new_card=_NEW_CARD),
    "void": lambda s: Void(**s, provider=ELECTRUM, card=_CARD),
    "gr4vy-redeem": lambda s: Redeem(
        **s, provider=GR4VY, amount=Money("USD", 1_000), card=_card(*GR4VY_CARDS[0])
    ),
    "gr4vy-activate": lambda s: Activate(
        **s, provider=GR4VY, amount=Money("USD", 1_000), card=_card(*GR4VY_NEW_CARDS[0])
    ),
    "jeudimerci-issue": lambda s: Issue(**s, provider=JEUDIMERCI, amount=Money("EUR", 2_000), quantity=2),
    "gatepay-issue": lambda s: Issue(
        **s, provider=GATEPAY, amount=Money("USD", 2_000), title=s["transaction_id"]
    ),
}
_DECISIONS = {
    "confirm": ("redeem", "load", "activate", "transfer", "replace", "void", "gr4vy-redeem"),
    "part": ("redeem", "load", "activate", "transfer"),
    "reverse": ("redeem", "load", "activate", "transfer", "replace", "void", "gr4vy-redeem"),
    "leave": ("redeem", "decline", "gr4vy-redeem", "gr4vy-activate", "jeudimerci-issue", "gatepay-issue"),
    "first": ("redeem", "gatepay-issue"),
}
_ENDS = {
    "confirm": State.CONFIRMED,
    "part": State.CONFIRMED,
    "reverse": State.REVERSED,
    "first": State.REVERSED,
}
_LEFT = {
    "redeem": State.REVERSED,
    "decline": State.DECLINED,
    "gr4vy-redeem": State.REVERSED,
    "gr4vy-activate": State.CONFIRMED,
    "jeudimerci-issue": State.REVERSED,
    "gatepay-issue": State.CONFIRMED,
}
DEEDS = [
    Deed(name, _ASKS[name], decision, _ENDS.get(decision) or _LEFT[name])
    for decision, names in _DECISIONS.items()
    for name in names
] + [
    Deed("jeudimerci-issue", _ASKS["jeudimerci-issue"], "reverse", State.REVERSED),
    Deed("jeudimerci-issue", _ASKS["jeudimerci-issue"], "confirm", State.CONFIRMED),
]


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("deed", DEEDS, ids=str)
def test_stop_at_every_point(deed: Deed, processes: int) -> None:
    """Wherever it dies, gateway and provider agree; once approved, it ends as the caller decided (17)."""
    whole = _run(deed, processes, nth=0)
    assert whole.state is deed.ends
    assert whole.points > (1 if deed.decision == "first" else 4)
    for nth in range(1, whole.points + 1):
        stopped = _run(deed, processes, nth=nth)
        where = f"stopped at point {nth} of {whole.points}"
        assert not stopped.broken, f"{where}: {stopped.broken}"
        if stopped.was_approved:
            assert stopped.state is deed.ends, f"{where}: {stopped.state}"


@dataclass(frozen=True)
class Run:
    """How one run ended."""

    state: State
    was_approved: bool
    points: int
    broken: list[str]


def _run(deed: Deed, processes: int, *, nth: int) -> Run:
    async def play(clock: VirtualClock) -> Run:
        async with open_stage(quiet(processes), clock, StopAt) as stage:
            weather = stage.world.weather
            assert isinstance(weather, StopAt)
            weather.nth = nth
            subject = clock.uuid4()
            ask = deed.ask({"transaction_id": subject, "requested_at": clock.now()})
            await _persist(stage, ask, deed.decision)
            await stage.settle()
            broken = [one.sentence for one in (await stage.judge()).broken]
            rows = stage.world.auditor
            return Run(
                state=State(rows.rows[subject].state),
                was_approved=(subject, "", State.APPROVED) in rows.held,
                points=weather.reached,
                broken=broken,
            )

    return virtual.run(1, play)


async def _persist(stage: Stage, ask: AnyOperation, decision: str) -> None:
    """Be a caller that repeats each call until it knows."""
    amount = (
        Money(ask.amount.currency, ask.amount.amount_minor // 2)
        if decision == "part" and ask.amount
        else None
    )

    async def begin(gateway: Transactions) -> Entry:
        return (await gateway.begin(ask, wait_s=30, by=LOCAL)).entry

    async def confirm(gateway: Transactions) -> Entry:
        return await gateway.confirm(ask.operation, ask.transaction_id, amount=amount, wait_s=30, by=LOCAL)

    async def reverse(gateway: Transactions) -> Entry:
        return await gateway.reverse(
            ask.operation, ask.transaction_id, reason=ReversalReason.CANCELLED, wait_s=30, by=LOCAL
        )

    if decision == "first":
        await _insist(stage, reverse)
        with pytest.raises(TransactionReversed):
            await _insist(stage, begin)
        return
    begun = await _insist(stage, begin)
    if begun is not None and begun.state is State.APPROVED and decision != "leave":
        await _insist(stage, reverse if decision == "reverse" else confirm)


async def _insist(
    stage: Stage, call: Callable[[Transactions], Coroutine[object, object, Entry]]
) -> Entry | None:
    for _ in range(50):
        try:
            entry = await stage.cluster.ask(call)
        except Lost:
            await asyncio.sleep(1)
            continue
        if entry.state is not State.PENDING:
            return entry
        await asyncio.sleep(5)
    return None
