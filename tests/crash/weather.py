"""All that goes wrong in a simulated world, drawn from its seed: exchanges, the journal, the processes.

Only faults that leave the truth to be found out are played: a provider may be silent, slow, broken or
contradict itself about an amount, but it does not say a final no to what it did.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from giftcard_simulators.faults import Fault, FaultKind, Script
from giftcard_simulators.sandbox import SimRequest
from tests.crash.chronicle import WORLD, Chronicle
from tests.crash.life import SUBJECT
from tests.crash.plan import Plan

_OUTAGE_ODDS = 0.9
LONGEST_DELAY_S = 400.0
"""Longer than any lease: a request can arrive after its own reversal was delivered."""

Span = tuple[float, float]


class Weather:
    """Decides at every point whether something goes wrong there; never once it is calm."""

    def __init__(self, plan: Plan, chronicle: Chronicle, providers: Sequence[str]) -> None:
        """Draw the outages beforehand."""
        self.chronicle = chronicle
        self._plan = plan
        self._chance = random.Random(f"{plan.seed}/weather")
        self._is_calm = False
        self._now_s = chronicle.now_s
        self._journal_outages = self._spans(plan.journal_outages)
        self._provider_outages = {
            provider: self._spans(self._chance.randint(0, plan.provider_outages)) for provider in providers
        }

    def calm(self) -> None:
        """Let nothing more go wrong."""
        self._is_calm = True
        self.chronicle.note(WORLD, "nothing goes wrong any more")

    def stops(self, place: str, subject: str) -> bool:
        """Tell whether a process dies at this point."""
        del place, subject
        return self._happens(self._plan.stop_odds)

    def is_journal_away(self) -> bool:
        """Tell whether the journal's database is away now."""
        return not self._is_calm and _is_within(self._journal_outages, self._now_s())

    def loses_acknowledgement(self) -> bool:
        """Tell whether a write that took effect is not acknowledged."""
        return self._happens(self._plan.journal_odds)

    def lag_s(self) -> float:
        """Return how long a write takes, which lets others run in between."""
        return self._chance.uniform(0.0, 0.05) if self._happens(self._plan.lag_odds) else 0.0

    def forgets(self) -> bool:
        """Tell whether a provider loses a transaction it approved."""
        return self._happens(self._plan.forget_odds)

    def fault(self, provider_id: str, *, is_read: bool) -> Fault | None:
        """Return what goes wrong with an exchange; None for nothing."""
        is_out = _is_within(self._provider_outages[provider_id], self._now_s())
        if not self._happens(_OUTAGE_ODDS if is_out else self._plan.provider_odds):
            return None
        return self._draw_fault(is_read=is_read)

    def _draw_fault(self, *, is_read: bool) -> Fault:
        kind = self._chance.choice(tuple(FaultKind))
        acts = self._chance.random() < 0.5
        if kind is FaultKind.DELAY:
            longest_s = self._chance.choice((2.0, 30.0, LONGEST_DELAY_S))
            delay_s = round(self._chance.uniform(0.01, longest_s), 3)
            return Fault(fault=kind, delay_s=delay_s, after_acting=acts)
        if kind is FaultKind.STATUS:
            status = self._chance.choice((500, 502, 504) if acts else (500, 502, 503, 504, 401))
            return Fault(fault=kind, status=status, after_acting=acts)
        if kind is FaultKind.HTML_502:
            return Fault(fault=kind, after_acting=acts)
        if kind is FaultKind.WRONG_AMOUNT and is_read:
            # A read that lies is believed: nothing else is there to compare it with.
            return Fault(fault=FaultKind.TRUNCATED_JSON)
        return Fault(fault=kind)

    def _happens(self, odds: float) -> bool:
        return not self._is_calm and odds > 0 and self._chance.random() < odds

    def _spans(self, count: int) -> list[Span]:
        begins = [self._chance.uniform(0, self._plan.traffic_s) for _ in range(count)]
        return [(begin, begin + self._chance.choice((1.0, 10.0, 60.0))) for begin in begins]


class WeatherScript(Script):
    """A script of faults that is drawn as it is played."""

    def __init__(self, weather: Weather, provider_id: str) -> None:
        """Draw from `weather`."""
        super().__init__()
        self._weather = weather
        self._provider_id = provider_id

    def take(self, request: SimRequest) -> Fault | None:
        """Return the fault to play on this request."""
        fault = self._weather.fault(self._provider_id, is_read=request.method == "GET")
        if fault is not None:
            told = " ".join(
                str(one) for one in (fault.status, fault.delay_s and f"{fault.delay_s} s") if one is not None
            )
            when = "after acting" if fault.acts_first() else "before acting"
            self._weather.chronicle.fault(fault.fault.value, SUBJECT.get(), f"{told} {when}".strip())
        return fault


def _is_within(spans: Sequence[Span], at_s: float) -> bool:
    return any(begin <= at_s < end for begin, end in spans)
