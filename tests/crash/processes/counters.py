"""The providers of the rounds: Electrum's and Gr4vy's simulators on real ports, in bad weather.

They live in the process that runs the rounds, so their books outlive every gateway. What the books must
say is in `verdict`.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from giftcard_gateway.clock import Clock
from giftcard_simulators.bank import BankCard
from giftcard_simulators.catalogue import SANDBOXES, Sandbox
from giftcard_simulators.electrum.checks import CardStage
from giftcard_simulators.electrum.simulator import ElectrumSimulator
from giftcard_simulators.faults import Fault, FaultKind, Script
from giftcard_simulators.gr4vy.simulator import Gr4vySimulator
from giftcard_simulators.sandbox import SimRequest, Simulator
from giftcard_simulators.serve import Served, serve
from tests.crash.providers import electrum_card
from tests.world.app import HOST

ELECTRUM, GR4VY = "electrum-sandbox", "gr4vy-sandbox"
TIMEOUT_S = 1.0
"""How long the gateways wait for an answer; a fault below is longer than that."""

TILL_CARDS = tuple(f"60459000000000{n:02d}" for n in range(6))
"""For redemptions, loads and transfers: 500 rand each."""
ENDING_CARDS = tuple(f"60459100000000{n:02d}" for n in range(6))
"""For voids and replacements alone: an advice about a card voided meanwhile would be refused."""
NEW_CARDS = tuple(f"60459200000000{n:02d}" for n in range(8))
DOLLAR_CARDS = (("6045100000000001", "050000"), ("6045100000000002", "050000"))
OPENING_MINOR = 50_000

_PREFIXES: Mapping[str, tuple[str, ...]] = {ELECTRUM: ("60459",), GR4VY: ("60451",)}
_FAULTS: tuple[tuple[float, Fault], ...] = (
    (0.55, Fault(fault=FaultKind.DELAY, delay_s=0.01)),
    (0.12, Fault(fault=FaultKind.DELAY, delay_s=0.2, after_acting=False)),
    (0.12, Fault(fault=FaultKind.DELAY, delay_s=0.2)),
    (0.01, Fault(fault=FaultKind.DELAY, delay_s=TIMEOUT_S * 1.5)),
    (0.03, Fault(fault=FaultKind.DROP_REQUEST)),
    (0.04, Fault(fault=FaultKind.DROP_ANSWER)),
    (0.01, Fault(fault=FaultKind.STATUS, status=500)),
    # A 503 is Electrum's final no (its protocol page), so it never comes after acting.
    (0.01, Fault(fault=FaultKind.STATUS, status=503)),
    (0.01, Fault(fault=FaultKind.STATUS, status=504, after_acting=True)),
    (0.02, Fault(fault=FaultKind.HTML_502, after_acting=True)),
    (0.02, Fault(fault=FaultKind.TRUNCATED_JSON)),
    (0.01, Fault(fault=FaultKind.ANSWER_TWICE)),
)
"""The odds of each on one exchange; the rest is answered at once and well. A delay of 10 or 200 ms is what
gives a kill something to hit."""


@dataclass
class Weather(Script):
    """Faults by chance instead of by script; it also keeps what was asked and what it did to it."""

    chance: random.Random
    played: Counter[str] = field(default_factory=Counter)
    asked: list[str] = field(default_factory=list)
    """Path and idempotency key of every request."""
    is_fair: bool = False

    def __post_init__(self) -> None:
        """Begin with an empty script, which is played first."""
        super().__init__()

    def take(self, request: SimRequest) -> Fault | None:
        """Return what to do to this request, and remember both."""
        self.asked.append(f"{request.path} {request.headers.get('idempotency-key', '')}")
        fault = super().take(request)
        if fault is None and not self.is_fair:
            fault = self._draw()
        if fault is not None and (fault.fault is not FaultKind.DELAY or fault.delay_s == TIMEOUT_S * 1.5):
            self.played[fault.fault.value] += 1
        return fault

    def _draw(self) -> Fault | None:
        drawn = self.chance.random()
        for odds, fault in _FAULTS:
            drawn -= odds
            if drawn < 0:
                return fault
        return None


@dataclass
class Counters:
    """Both providers, open."""

    served: Mapping[str, Served]
    weather: Weather

    def open_afresh(self) -> None:
        """Forget every request and open the books again; only when nobody owes anybody anything."""
        for one in self.served.values():
            one.simulator.reset()
        self.weather.asked.clear()
        self.weather.played.clear()

    def requests_naming(self, transaction_id: str) -> list[str]:
        """Return what was asked of any provider under this id."""
        return [line for line in self.weather.asked if transaction_id in line]

    def stanzas(self, timeout_s: float) -> dict[str, dict[str, object]]:
        """Return [providers.ID] of a gateway that is to talk to them, and waits so long for an answer."""
        return {
            sandbox.provider_id: {
                "adapter": sandbox.adapter,
                "prefixes": list(_PREFIXES[sandbox.provider_id]),
                "settings": {
                    **sandbox.settings(),
                    "base_url": self.served[sandbox.provider_id].url + sandbox.base_path,
                    "timeout_s": timeout_s,
                },
            }
            for sandbox in _sandboxes()
        }


@asynccontextmanager
async def open_counters(clock: Clock, chance: random.Random) -> AsyncIterator[Counters]:
    """Serve both on free ports until the block ends."""
    weather = Weather(chance)
    async with AsyncExitStack() as stack:
        served = {}
        for sandbox in _sandboxes():
            one = await serve(_simulator(sandbox, clock), HOST, 0, script=weather)
            stack.push_async_callback(one.close)
            served[sandbox.provider_id] = one
        yield Counters(served, weather)


def _sandboxes() -> Iterable[Sandbox]:
    return (sandbox for sandbox in SANDBOXES if sandbox.provider_id in _PREFIXES)


def _simulator(sandbox: Sandbox, clock: Clock) -> Simulator:
    if sandbox.provider_id == ELECTRUM:
        return ElectrumSimulator(now=clock.now, ids=clock.uuid4, open_with=_rand_cards)
    return Gr4vySimulator(now=clock.now, ids=clock.uuid4)


def _rand_cards() -> Iterable[BankCard]:
    for number in (*TILL_CARDS, *ENDING_CARDS):
        yield electrum_card(number, CardStage.ACTIVATED_CONFIRMED, OPENING_MINOR)
    for number in NEW_CARDS:
        yield electrum_card(number, CardStage.NEW, 0)
