"""What others do at the simulated JeudiMerci."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from giftcard_simulators.acts import CARD, CARD_AND_AMOUNT, Act, ActError, card_of, spend
from giftcard_simulators.jeudimerci import books

if TYPE_CHECKING:
    from giftcard_simulators.bank import BankCard
    from giftcard_simulators.jeudimerci.simulator import JeudiMerciSimulator
    from giftcard_simulators.sandbox import SimRequest


def _live(simulator: JeudiMerciSimulator, code: object) -> BankCard:
    card = card_of(simulator.bank, code)
    if card.number == books.WALLET or card.state != books.ACTIVE:
        raise ActError("the e-card is not live")
    return card


def _consume(simulator: JeudiMerciSimulator, card: str) -> None:
    simulator.consume(_live(simulator, card).number)


def _redeem(simulator: JeudiMerciSimulator, card: str, amount_minor: int) -> None:
    spend(simulator.bank, _live(simulator, card), amount_minor)


def _send(simulator: JeudiMerciSimulator, card: str) -> SimRequest:
    return simulator.completed_event(_live(simulator, card).number)


ACTS: Mapping[str, Act] = {
    "consume": Act(does="Spends all that is left on an e-card.", takes=CARD, play=_consume),
    "redeem": Act(does="Spends a part of an e-card in a shop.", takes=CARD_AND_AMOUNT, play=_redeem),
    "webhook": Act(does="Sends the event of a completed purchase.", takes=CARD, play=_send, sends=True),
}
