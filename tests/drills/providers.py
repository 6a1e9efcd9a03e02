"""Drills of providers that are away, slow or forgetful, and of what they are owed then."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from giftcard import CallError, Client, RepeatPolicy, Unavailable, is_approved, new_transaction_id, v1
from tests.drills.catalogue import drill
from tests.drills.stage import DrillFailed, Scene, Stage
from tests.e2e.sandboxes import ELECTRUM
from tests.patience import PATIENCE_S

PAN = "6045000000000061"
TERMS = "GIFTCARD_GATEWAY__PROVIDERS__ELECTRUM_SANDBOX__TERMS__"
SETTINGS = "GIFTCARD_GATEWAY__PROVIDERS__ELECTRUM_SANDBOX__SETTINGS__"
HURRIED = {f"{TERMS}CIRCUIT_THRESHOLD": "3", f"{TERMS}CIRCUIT_COOLDOWN_S": "0.5", f"{TERMS}RETRY_CAP_S": "1"}
UNTRIED = {f"{TERMS}RETRY_BASE_S": "3000", f"{TERMS}RETRY_CAP_S": "3600"}
"""What was not taken is not tried again by itself before a person comes."""
ONCE = RepeatPolicy(attempts=1, deadline_s=PATIENCE_S)


def till(scene: Scene) -> Client:
    """Return a caller who asks once."""
    return Client(scene.sandbox.address, plaintext=True, policy=ONCE)


def sold(client: Client) -> v1.Transaction:
    """Redeem one rand."""
    return client.redeem(transaction_id=new_transaction_id(), card=PAN, amount="1.00", currency="ZAR")


def is_sold(client: Client) -> bool:
    """Redeem one rand, and tell whether that was approved."""
    try:
        return is_approved(sold(client))
    except CallError:
        return False


def comes_to(client: Client, transaction_id: str, state: str) -> bool:
    """Tell whether a transaction has come to a state."""
    told = client.get_transaction(transaction_id=transaction_id).state
    return v1.TransactionState.Name(told) == f"TRANSACTION_STATE_{state}"


@drill("A circuit is open", "A budget is burning", "Calls fail")
def provider_down(stage: Stage) -> None:
    """A provider does not answer any more, and comes back."""
    with stage.gateway(HURRIED) as scene, till(scene) as client:
        sold(client)
        scene.sandbox.spoil(ELECTRUM, {"fault": "drop_request", "times": 9999})
        stage.say("broken: the provider cuts every connection")

        def is_refused() -> bool:
            try:
                sold(client)
            except Unavailable as refusal:
                return refusal.reason == "PROVIDER_UNREACHABLE" and not refusal.is_outcome_open
            return False

        stage.until(is_refused, "what is new is refused before it is sent")
        scene.rings("GiftcardCircuitOpen", meanwhile=is_refused)
        scene.rings("GiftcardBudgetBurnsFast", meanwhile=is_refused)
        scene.sandbox.spoil(ELECTRUM)
        stage.say("mended: the provider answers")
        stage.until(lambda: is_sold(client), "a redemption is approved")
        scene.is_silent("GiftcardCircuitOpen")
        stage.until(lambda: not owed(scene), "nothing is owed to the provider")
        scene.booked(ELECTRUM, "redeem", "redeem")


def owed(scene: Scene) -> bool:
    """Tell whether a reversal or an unknown is not through yet."""
    states = 'giftcard_state=~"PENDING|REVERSING|CONFIRMING"'
    return bool(scene.asked(f"max by (giftcard_state) (giftcard_backlog_transactions{{{states}}}) > 0"))


@drill("A provider is slow")
def provider_slow(stage: Stage) -> None:
    """A provider answers after six seconds, and then at once again."""
    with stage.gateway() as scene, till(scene) as client, ThreadPoolExecutor() as hands:
        sold(client)
        stage.until(
            lambda: bool(scene.asked("giftcard:exchanges:rate5m >= 0")), "the first exchange is known"
        )
        scene.sandbox.spoil(ELECTRUM, {"fault": "delay", "delay_s": 6, "times": 3})
        stage.say("broken: the provider takes six seconds")
        done = list(hands.map(lambda _: sold(client), range(3)))
        scene.rings("GiftcardProviderSlow")
        stage.say("mended: the provider is quick")

        def is_quick() -> bool:
            for _ in range(20):
                client.balance(card=PAN, provider="electrum-sandbox")
            return not scene.asked("giftcard:exchange_duration:p95_5m > 5")

        stage.until(is_quick, "slow exchanges are few")
        scene.is_silent("GiftcardProviderSlow")
        if not all(map(is_approved, done)):
            raise DrillFailed("a slow answer was no answer")
        scene.booked(ELECTRUM, "redeem", "redeem", "redeem", "redeem")


@drill("A transaction is UNRESOLVED")
def unresolved(stage: Stage) -> None:
    """A provider forgets what it approved; one is ended by hand, one is sent again."""
    heading = "A transaction is UNRESOLVED"
    with stage.gateway() as scene, till(scene) as client:
        ids = []
        for _ in range(2):
            ids.append(sold(client).transaction_id)
            scene.sandbox.reset(ELECTRUM)
            client.confirm_redeem(transaction_id=ids[-1])
            stage.until(lambda: comes_to(client, ids[-1], "UNRESOLVED"), "it is a person's")
        stage.say("broken: the provider does not know two redemptions that it approved")
        scene.rings("GiftcardTransactionUnresolved")
        scene.typed(heading, 0, TRANSACTION_ID=ids[0])
        scene.typed(heading, 1, TRANSACTION_ID=ids[0])
        if not comes_to(client, ids[0], "REVERSED"):
            raise DrillFailed("what was resolved is not REVERSED")
        scene.typed(heading, 2, TRANSACTION_ID=ids[1])
        stage.until(lambda: comes_to(client, ids[1], "UNRESOLVED"), "it is a person's again")
        scene.typed(heading, 3, PROVIDER="electrum-sandbox")
        stage.until(lambda: comes_to(client, ids[1], "UNRESOLVED"), "it is a person's again")
        scene.typed(heading, 1, TRANSACTION_ID=ids[1])
        stage.until(lambda: not scene.asked(UNRESOLVED), "nothing waits for a person")
        stage.say("ended: nothing waits for a person")
        scene.booked(ELECTRUM)


UNRESOLVED = 'max(giftcard_backlog_transactions{giftcard_state="UNRESOLVED"}) > 0'


@drill("Advices pile up")
def advices_pile_up(stage: Stage) -> None:
    """Confirmations are answered 500, and then taken."""
    with stage.gateway(UNTRIED) as scene, till(scene) as client:
        done = sold(client)
        scene.sandbox.spoil(
            ELECTRUM, {"fault": "status", "status": 500, "match": {"path": "confirmations"}, "times": 9999}
        )
        stage.say("broken: the provider answers confirmations with 500")
        client.confirm_redeem(transaction_id=done.transaction_id)
        scene.rings("GiftcardAdvicesPileUp", sooner=("3600", "1"))
        scene.sandbox.spoil(ELECTRUM)
        stage.say("mended: the provider takes them")
        scene.typed("Advices pile up", TRANSACTION_ID=done.transaction_id)
        stage.until(lambda: comes_to(client, done.transaction_id, "CONFIRMED"), "it is CONFIRMED")
        scene.is_silent("GiftcardAdvicesPileUp", sooner=("3600", "1"))
        scene.booked(ELECTRUM, "redeem", "confirm")
