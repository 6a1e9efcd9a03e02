"""The four real adapters, each over its own simulator, and what the simulation must read of their traffic.

A request is told apart by method and path alone: what it asks (money, a confirmation, a reversal, or
only to see), never what its body says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from giftcard_adapters.stanza import find_adapter, read_settings
from giftcard_simulators import catalogue
from giftcard_simulators.bank import BankCard
from giftcard_simulators.electrum.checks import CardStage
from giftcard_simulators.electrum.simulator import ElectrumSimulator
from giftcard_simulators.gatepay.simulator import GatePaySimulator
from giftcard_simulators.gr4vy.simulator import Gr4vySimulator
from giftcard_simulators.jeudimerci.simulator import JeudiMerciSimulator
from giftcard_simulators.sandbox import SimAnswer, SimRequest, Simulator, json_answer
from giftcard_simulators.transport import SimulatorTransport
from tests.crash.life import SUBJECT
from tests.crash.weather import Weather, WeatherScript

if TYPE_CHECKING:
    from giftcard_adapters.contract import Provider, Settings
    from tests.crash.plan import Plan
    from tests.world.clock import VirtualClock

ELECTRUM, GR4VY, JEUDIMERCI, GATEPAY = "electrum", "gr4vy", "jeudimerci", "gatepay"

ACTIVE_CARDS = tuple(f"60459000000000{n:02d}" for n in range(6))
"""Electrum's cards in use, with 500 rand each."""
POOR_CARD = "6045900000000099"
NEW_CARDS = tuple(f"60459100000000{n:02d}" for n in range(12))
OPENING_MINOR = 50_000

GR4VY_CARDS = (("6045100000000001", "050000"), ("6045100000000002", "050000"))
GR4VY_NEW_CARDS = tuple((f"60451900000000{n:02d}", "01234") for n in range(12))


class Purpose(Enum):
    """What a request to a provider is for."""

    REQUEST = "request"
    CONFIRMATION = "confirmation"
    REVERSAL = "reversal"
    READ = "read"


_ROUTES: Mapping[str, tuple[tuple[str, str, Purpose], ...]] = {
    ELECTRUM: (
        ("POST", "/confirmations/", Purpose.CONFIRMATION),
        ("POST", "/reversals/", Purpose.REVERSAL),
        ("POST", "", Purpose.REQUEST),
    ),
    GR4VY: (
        ("POST", "/refunds$", Purpose.REVERSAL),
        ("POST", "/transactions$", Purpose.REQUEST),
        ("POST", "/gift-cards/activations$", Purpose.REQUEST),
    ),
    JEUDIMERCI: (("POST", "/generate$", Purpose.REQUEST), ("DELETE", "", Purpose.REVERSAL)),
    GATEPAY: (("POST", "/create$", Purpose.REQUEST),),
}


class Forgetful(ElectrumSimulator):
    """Electrum, which can lose a transaction after it was approved, as a restore from a backup would."""

    weather: Weather | None = None

    def reset(self) -> None:
        """Remember again."""
        super().reset()
        self.kept: dict[str, bool] = {}
        """By path of a confirmed request: whether it is still known."""

    def answer(self, request: SimRequest) -> SimAnswer:
        """Act, unless what is to be confirmed was lost: then it is unknown for good."""
        asked, is_confirmation, _ = request.path.partition("/confirmations/")
        if not is_confirmation or self.weather is None:
            return super().answer(request)
        if asked not in self.kept:
            self.kept[asked] = not self.weather.forgets()
            if not self.kept[asked]:
                self.weather.chronicle.fault("provider forgot", SUBJECT.get(), "what it approved")
        if self.kept[asked]:
            return super().answer(request)
        return json_answer(404, {"errorType": "UNABLE_TO_LOCATE_RECORD", "errorMessage": "No such record"})


class Attributed(JeudiMerciSimulator):
    """JeudiMerci, which names nothing of ours, with a note of which request bought what."""

    def reset(self) -> None:
        """Forget the notes too."""
        super().reset()
        self.buyers: dict[str, str] = {}

    def answer(self, request: SimRequest) -> SimAnswer:
        """Act, and note for whom."""
        before = len(self.effects())
        answer = super().answer(request)
        for effect in self.effects()[before:]:
            self.buyers.setdefault(str(effect["transaction"]), SUBJECT.get())
        return answer


@dataclass
class Counter:
    """One provider at its counter: simulator, adapter class, and settings that fit."""

    provider_id: str
    simulator: Simulator
    adapter: type[Provider]
    settings: Settings
    transport: SimulatorTransport

    def purpose(self, method: str, path: str) -> Purpose:
        """Tell what a request is for."""
        for wanted, pattern, purpose in _ROUTES[self.provider_id]:
            if method == wanted and re.search(pattern, path):
                return purpose
        return Purpose.READ


def open_counters(clock: VirtualClock, weather: Weather, plan: Plan) -> dict[str, Counter]:
    """Open all four with fresh books."""
    now, ids = clock.now, clock.uuid4
    electrum = Forgetful(
        now=now,
        ids=ids,
        open_with=_electrum_cards,
        are_repeats_duplicates=plan.are_repeats_duplicates,
        remembers_reversals=plan.remembers_reversals,
        settles_again=plan.settles_again,
    )
    electrum.weather = weather
    simulators: Mapping[str, Simulator] = {
        ELECTRUM: electrum,
        GR4VY: Gr4vySimulator(now=now, ids=ids, settles_after_s=plan.gr4vy_settles_after_s),
        JEUDIMERCI: Attributed(now=now, ids=ids),
        GATEPAY: GatePaySimulator(now=now, ids=ids),
    }
    return {
        provider_id: _open(provider_id, simulator, weather, plan.timeout_s)
        for provider_id, simulator in simulators.items()
    }


def _open(provider_id: str, simulator: Simulator, weather: Weather, timeout_s: float) -> Counter:
    sandbox = _SANDBOXES[provider_id]
    adapter = find_adapter(sandbox.adapter)
    own = {"base_url": f"http://{provider_id}.test{sandbox.base_path}", "timeout_s": timeout_s}
    settings = read_settings(adapter, {**sandbox.settings(), **own})
    transport = SimulatorTransport(simulator, WeatherScript(weather, provider_id))
    return Counter(provider_id, simulator, adapter, settings, transport)


def _electrum_cards() -> Iterable[BankCard]:
    for number in ACTIVE_CARDS:
        yield electrum_card(number, CardStage.ACTIVATED_CONFIRMED, OPENING_MINOR)
    yield electrum_card(POOR_CARD, CardStage.ACTIVATED_CONFIRMED, 100)
    for number in NEW_CARDS:
        yield electrum_card(number, CardStage.NEW, 0)


def electrum_card(number: str, state: CardStage, minor: int) -> BankCard:
    """Return a card of Electrum's books."""
    return BankCard(
        number=number,
        currency="ZAR",
        state=state.value,
        book_minor=minor,
        available_minor=minor,
        expiry="4912",
        labels={} if state is CardStage.NEW else {"product": "product001"},
    )


_SANDBOXES = {sandbox.provider_id.partition("-")[0]: sandbox for sandbox in catalogue.PROVIDERS}
