"""What others do at the simulated Gr4vy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from giftcard_simulators.acts import CARD, CARD_AND_AMOUNT, Act, card_of, spend
from giftcard_simulators.gr4vy.webhooks import signed_event
from giftcard_simulators.sandbox import SimRequest

if TYPE_CHECKING:
    from giftcard_simulators.gr4vy.simulator import Gr4vySimulator


def _redeem(simulator: Gr4vySimulator, card: str, amount_minor: int) -> None:
    spend(simulator.bank, card_of(simulator.bank, card), amount_minor)


def _block(simulator: Gr4vySimulator, card: str) -> None:
    card_of(simulator.bank, card).state = "blocked"


def _send(simulator: Gr4vySimulator, name: str, transaction_id: str) -> SimRequest:
    target = {"type": "transaction", "id": str(transaction_id)}
    headers, body = signed_event(str(name), target, event_id=simulator.ids(), at=simulator.now())
    return SimRequest(method="POST", path="/", headers=headers, body=body)


ACTS: Mapping[str, Act] = {
    "redeem": Act(does="Spends money of a card elsewhere.", takes=CARD_AND_AMOUNT, play=_redeem),
    "block": Act(does="Blocks a card.", takes=CARD, play=_block),
    "webhook": Act(
        does="Sends a signed event about a transaction.",
        takes={"name": "such as transaction.captured", "transaction_id": "Gr4vy's id of it"},
        play=_send,
        sends=True,
    ),
}
