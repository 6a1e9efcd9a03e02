"""What others do at the simulated GatePay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from giftcard_simulators.acts import CARD, Act, ActError, card_of, spend
from giftcard_simulators.gatepay import books

if TYPE_CHECKING:
    from giftcard_simulators.bank import BankCard
    from giftcard_simulators.gatepay.simulator import GatePaySimulator
    from giftcard_simulators.sandbox import SimRequest


def _ready(simulator: GatePaySimulator, number: object) -> BankCard:
    card = card_of(simulator.bank, number)
    if card.state != books.READY or card.number.startswith(books.ACCOUNT):
        raise ActError("the card is not ready to be redeemed")
    return card


def _redeem(simulator: GatePaySimulator, card: str) -> None:
    found = _ready(simulator, card)
    spend(simulator.bank, found, found.available_minor)
    found.state = books.REDEEMED


def _block(simulator: GatePaySimulator, card: str) -> None:
    _ready(simulator, card).state = books.FROZEN


def _send(simulator: GatePaySimulator, external_id: str, amount: str) -> SimRequest:
    return simulator.batch_event(str(external_id), [str(amount)])


ACTS: Mapping[str, Act] = {
    "redeem": Act(does="Redeems a card into an account at Gate.", takes=CARD, play=_redeem),
    "block": Act(does="Freezes a card.", takes=CARD, play=_block),
    "webhook": Act(
        does="Sends the signed event of a paid batch.",
        takes={"external_id": "the batch's id", "amount": "of its one card, such as 25"},
        play=_send,
        sends=True,
    ),
}
