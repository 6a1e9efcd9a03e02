"""Drills of what waits at one transaction: a confirmation, a reversal, a decision that nobody takes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from giftcard import Client, v1
from tests.drills.catalogue import drill
from tests.drills.providers import TERMS, UNTRIED, comes_to, sold, till
from tests.drills.stage import DrillFailed, Stage
from tests.e2e.sandboxes import ELECTRUM

ADVICES_PILE_UP = "GiftcardAdvicesPileUp"
SOONER = ("3600", "1")
IN_HAND = 3
"""How many overdue transactions of four slots are worked on at once."""


def lost(path: str) -> Mapping[str, object]:
    """Return a provider's fault: it does not take what goes to such a path."""
    return {"fault": "status", "status": 503, "match": {"path": path}, "times": 9999}


def must_be(client: Client, transaction_id: str, state: str) -> None:
    """Look that a transaction is in a state still."""
    if not comes_to(client, transaction_id, state):
        raise DrillFailed(f"it is not {state}")


@drill("A confirmation is not delivered")
def confirmation_owed(stage: Stage) -> None:
    """The provider took no confirmations for a while; one is sent at once instead of in an hour."""
    with stage.gateway(UNTRIED) as scene, till(scene) as client:
        transaction_id = sold(client).transaction_id
        scene.sandbox.spoil(ELECTRUM, lost("confirmations"))
        stage.say("broken: the provider answers a confirmation with 503")
        client.confirm_redeem(transaction_id=transaction_id)
        scene.rings(ADVICES_PILE_UP, sooner=SOONER)
        scene.sandbox.spoil(ELECTRUM)
        must_be(client, transaction_id, "CONFIRMING")
        stage.say("mended: the provider takes them, and the next try is an hour away")
        scene.typed("A confirmation is not delivered", TRANSACTION_ID=transaction_id)
        must_be(client, transaction_id, "CONFIRMED")
        scene.is_silent(ADVICES_PILE_UP, sooner=SOONER)
        scene.booked(ELECTRUM, "redeem", "confirm")


@drill("A reversal is stuck at a provider")
def reversal_stuck(stage: Stage) -> None:
    """The provider took no reversals for a while; one is sent at once instead of in an hour."""
    with stage.gateway(UNTRIED) as scene, till(scene) as client:
        transaction_id = sold(client).transaction_id
        scene.sandbox.spoil(ELECTRUM, lost("reversals"))
        stage.say("broken: the provider answers a reversal with 503")
        client.reverse_redeem(
            transaction_id=transaction_id, reason=v1.ReversalReason.REVERSAL_REASON_CANCELLED
        )
        scene.rings(ADVICES_PILE_UP, sooner=SOONER)
        scene.sandbox.spoil(ELECTRUM)
        must_be(client, transaction_id, "REVERSING")
        scene.booked(ELECTRUM, "redeem")
        stage.say("mended: the provider takes them, and the next try is an hour away")
        scene.typed("A reversal is stuck at a provider", TRANSACTION_ID=transaction_id)
        must_be(client, transaction_id, "REVERSED")
        scene.is_silent(ADVICES_PILE_UP, sooner=SOONER)
        scene.booked(ELECTRUM, "redeem", "reverse")


@drill("An approval is not decided")
def undecided(stage: Stage) -> None:
    """A slow provider has its hands full, so an overdue approval waits; the shop tells what happened."""
    environ = {
        f"{TERMS}CONFIRM_BY_S": "5",
        f"{TERMS}CONFIRM_GRACE_S": "0",
        f"{TERMS}ADVICE_CONCURRENCY": "4",
    }
    with stage.gateway(environ) as scene, till(scene) as client:
        slow = {"fault": "delay", "delay_s": 45, "after_acting": False, "match": {"path": "reversals"}}
        scene.sandbox.spoil(ELECTRUM, slow | {"times": IN_HAND})
        first = [sold(client).transaction_id for _ in range(IN_HAND)]
        stage.say(
            f"broken: the provider takes 45 seconds for {IN_HAND} reversals; another sale is not decided"
        )
        for one in first:
            stage.until(partial(comes_to, client, one, "REVERSING"), "it is being reversed")
        late = sold(client).transaction_id
        scene.rings("GiftcardRecoveryLate", sooner=("60", "1"))
        must_be(client, late, "APPROVED")
        scene.typed("An approval is not decided", TRANSACTION_ID=late)
        must_be(client, late, "CONFIRMED")
        for one in first:
            stage.until(partial(comes_to, client, one, "REVERSED"), "it is reversed")
        scene.is_silent("GiftcardRecoveryLate", sooner=("60", "1"))
        scene.booked(ELECTRUM, *["redeem", "reverse"] * IN_HAND, "redeem", "confirm")
