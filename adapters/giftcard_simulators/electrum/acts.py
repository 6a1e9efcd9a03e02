"""What others do at the simulated Electrum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from giftcard_simulators.acts import CARD, CARD_AND_AMOUNT, Act, card_of, spend
from giftcard_simulators.electrum.checks import Refusal

if TYPE_CHECKING:
    from giftcard_simulators.electrum.simulator import ElectrumSimulator


def _redeem(simulator: ElectrumSimulator, card: str, amount_minor: int) -> None:
    spend(simulator.bank, card_of(simulator.bank, card), amount_minor)


def _block(simulator: ElectrumSimulator, card: str) -> None:
    card_of(simulator.bank, card).state = str(Refusal.CARD_BLOCKED)


ACTS: Mapping[str, Act] = {
    "redeem": Act(does="Spends money of a card at another till.", takes=CARD_AND_AMOUNT, play=_redeem),
    "block": Act(does="Blocks a card.", takes=CARD, play=_block),
}
