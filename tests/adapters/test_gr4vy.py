"""The Gr4vy adapter, beyond its golden files: tokens, keys, and requests repeated after a day."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey

from giftcard_adapters.calls import Call, Moment
from giftcard_adapters.errors import SettingsError, WebhookRejected
from giftcard_adapters.gr4vy import Gr4vy
from giftcard_adapters.gr4vy.tokens import TokenSigner
from giftcard_adapters.stanza import open_provider, read_settings
from giftcard_adapters.values.advices import Advice, AdviceKind, Receipt
from giftcard_adapters.values.cards import CardRef, ClearPin
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Redeem
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_adapters.values.reads import Webhook
from giftcard_adapters.values.secret import Secret
from giftcard_simulators.faults import Fault, FaultKind, Match, Script
from giftcard_simulators.gr4vy import sandbox_settings
from giftcard_simulators.gr4vy.simulator import Gr4vySimulator
from giftcard_simulators.gr4vy.webhooks import signed_event
from giftcard_simulators.sandbox import seeded_ids
from giftcard_simulators.transport import SimulatorTransport

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
STANZA = {"base_url": "http://gr4vy.test", **sandbox_settings()}
PEM = str(STANZA["private_key"])
SCOPES = ("gift-cards.read", "transactions.write")
CALL = Call(method="GET", path="/gift-cards")
FIFTY = Money("USD", 5_000)
CARD = CardRef(number=Secret("6045100000000001"), pin=ClearPin(pin=Secret("050000")))
ASK = Redeem(
    transaction_id="6f1c7a52-3f5e-4c39-9d0b-0d2b6f4a1e11", requested_at=START, card=CARD, amount=FIFTY
)
ADVICE = Advice(advice_id="2b7d9c1e-8a44-4f0e-9a63-5c1d2e3f4a5b", kind=AdviceKind.REVERSAL, written_at=START)


def signer(**changes: float) -> TokenSigner:
    """Make a signer with the sandbox's key."""
    return TokenSigner(private_key=Secret(PEM), scopes=SCOPES, lifetime_s=changes.get("lifetime_s", 3600.0))


def moment(now_s: float, n: int = 1) -> Moment:
    """Give a time and the n-th nonce."""
    return Moment(now_s=now_s, nonce=f"{n:032x}")


class World:
    """The adapter, a simulator and a clock that jumps."""

    def __init__(self, *, settles_after_s: float = 0.0) -> None:
        """Open all three at START."""
        self.now = START
        self.script = Script()
        self.simulator = Gr4vySimulator(
            now=lambda: self.now, ids=seeded_ids(1), settles_after_s=settles_after_s
        )
        self.provider = open_provider(
            Gr4vy,
            read_settings(Gr4vy, STANZA),
            transport=SimulatorTransport(self.simulator, self.script),
            moment=lambda: moment(self.now.timestamp()),
        )

    @property
    def gr4vy(self) -> Gr4vy:
        """The adapter by its own type."""
        assert isinstance(self.provider, Gr4vy)
        return self.provider

    def play(self, kind: FaultKind, **rest: object) -> None:
        """Put one fault in the script."""
        self.script.replace([Fault(fault=kind, match=Match(method="POST"), **rest)])  # type: ignore[arg-type]  # Fault's own fields

    def kinds(self) -> list[object]:
        """Say what the simulator did, in order."""
        return [effect["kind"] for effect in self.simulator.effects()]


def test_token_is_what_gr4vy_documents() -> None:
    """The token is ES512 by `kid` of RFC 7638, with the documented claims; jti is the nonce as a UUID."""
    header = signer()(CALL, moment(1_700_000_000.7))["authorization"]
    token = jwt.decode(header.removeprefix("Bearer "), ECKey.import_key(PEM), algorithms=["ES512"])
    assert token.header == {"typ": "JWT", "alg": "ES512", "kid": ECKey.import_key(PEM).thumbprint()}
    assert token.claims == {
        "iss": "giftcard-gateway",
        "iat": 1_700_000_000,
        "nbf": 1_700_000_000,
        "exp": 1_700_003_600,
        "jti": "00000000-0000-0000-0000-000000000001",
        "scopes": list(SCOPES),
    }


def test_token_is_reused_until_shortly_before_its_end() -> None:
    """One token serves until a minute before its end, and a clock set back makes a new one."""
    sign = signer(lifetime_s=600.0)
    first = sign(CALL, moment(1_000.0, 1))
    assert sign(CALL, moment(1_539.9, 2)) == first
    second = sign(CALL, moment(1_540.0, 3))
    assert second != first
    assert sign(CALL, moment(999.0, 4)) not in (first, second)


def test_signer_shows_no_key_and_no_token() -> None:
    """Neither the signer nor what it remembers shows the key or a token."""
    sign = signer()
    token = sign(CALL, moment(0.0))["authorization"]
    shown = f"{sign!r} {vars(sign)['_token']!r}"
    assert token not in shown
    assert PEM not in shown


def other_curve() -> str:
    """Make a key on another curve than ES512 signs with."""
    key = ec.derive_private_key(7, ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_half() -> str:
    """Give the sandbox's public key, which signs nothing."""
    return ECKey.import_key(PEM).as_pem(private=False).decode()


@pytest.mark.parametrize("make", [other_curve, public_half, lambda: "no key at all"])
def test_wrong_key_is_refused_when_opened(make: Callable[[], str]) -> None:
    """A key that cannot sign ES512 is a fault of the settings, said without showing the key."""
    settings = read_settings(Gr4vy, {**STANZA, "private_key": make()})
    nowhere = httpx.MockTransport(lambda _: httpx.Response(500))
    with pytest.raises(SettingsError) as caught:
        open_provider(Gr4vy, settings, transport=nowhere, moment=lambda: moment(0.0))
    assert str(caught.value) == "key 'private_key': expected the PEM of an EC P-521 private key"


@pytest.mark.parametrize("told", ["", "mérchant", "merchant\n", "one two"])
def test_merchant_account_that_no_header_can_carry_is_refused(told: str) -> None:
    """The account's id is sent as a header, so it is checked like one."""
    with pytest.raises(SettingsError, match="merchant_account_id"):
        read_settings(Gr4vy, {**STANZA, "merchant_account_id": told})


async def test_expired_token_is_replaced() -> None:
    """Past an hour the simulator would refuse the old token, so a new one is made."""
    world = World()
    await world.gr4vy.redeem(ASK)
    world.now += timedelta(hours=2)
    assert (await world.gr4vy.find(ASK, None)).verdict is Verdict.APPROVED


@pytest.mark.parametrize(
    "outcome", [None, Outcome(verdict=Verdict.UNKNOWN), Outcome(verdict=Verdict.APPROVED)]
)
def test_only_an_approval_is_reversed(outcome: Outcome | None) -> None:
    """To reverse what is not known to be approved is a defect of the caller: an unknown is ended first."""
    with pytest.raises(ValueError, match="end the unknown first"):
        World().gr4vy.reversal(ASK, outcome, ADVICE)


@pytest.mark.parametrize("amount", [Money("USD", 5_001), Money("EUR", 1)])
async def test_more_than_approved_is_never_put_back(amount: Money) -> None:
    """A reversal of more than was approved, or of other money, is a defect of the caller."""
    world = World()
    outcome = await world.gr4vy.redeem(ASK)
    advice = Advice(advice_id=ADVICE.advice_id, kind=AdviceKind.REVERSAL, written_at=START, amount=amount)
    with pytest.raises(ValueError, match="at most what was approved"):
        world.gr4vy.reversal(ASK, outcome, advice)


async def test_late_resend_would_redeem_twice_and_find_does_not() -> None:
    """Past 24 hours the simulator, like Gr4vy, has forgotten the key; finding moves nothing."""
    world = World()
    world.play(FaultKind.DROP_ANSWER)
    with pytest.raises(Exception, match="gr4vy redeem"):
        await world.gr4vy.redeem(ASK)
    world.now += timedelta(hours=25)
    assert (await world.gr4vy.find(ASK, None)).verdict is Verdict.APPROVED
    assert world.kinds() == ["redeem"]
    await world.gr4vy.redeem(ASK)
    assert world.kinds() == ["redeem", "redeem"]
    assert (await world.gr4vy.find(ASK, None)).evidence == "two transactions carry our external identifier"


async def test_slow_redemption_is_read_again() -> None:
    """The key brings back "pending" for a day; the adapter ends the unknown by reading the transaction."""
    world = World(settles_after_s=30.0)
    first = await world.gr4vy.redeem(ASK)
    assert first.verdict is Verdict.UNKNOWN
    world.now += timedelta(seconds=31)
    assert (await world.gr4vy.redeem(ASK)).verdict is Verdict.APPROVED
    assert (await world.gr4vy.find(ASK, first)).verdict is Verdict.APPROVED
    assert world.kinds() == ["redeem"]


async def test_slow_refund_is_read_again() -> None:
    """The key brings back "processing" for a day; the adapter reads the refund and counts it once."""
    world = World(settles_after_s=30.0)
    await world.gr4vy.redeem(ASK)
    world.now += timedelta(seconds=31)
    approved = await world.gr4vy.redeem(ASK)
    (call,) = world.gr4vy.reversal(ASK, approved, ADVICE)
    assert (await world.gr4vy.deliver(call, ADVICE, age_s=0.0)).receipt is Receipt.AGAIN
    world.now += timedelta(seconds=31)
    assert (await world.gr4vy.deliver(call, ADVICE, age_s=31.0)).receipt is Receipt.DONE
    assert world.kinds() == ["redeem", "reverse"]


async def test_refund_is_not_repeated_when_its_key_is_forgotten() -> None:
    """A refund whose answer was lost is found two days later and not made again."""
    world = World()
    approved = await world.gr4vy.redeem(ASK)
    (call,) = world.gr4vy.reversal(ASK, approved, ADVICE)
    world.play(FaultKind.STATUS, status=500, after_acting=True)
    assert (await world.gr4vy.deliver(call, ADVICE, age_s=0.0)).receipt is Receipt.AGAIN
    world.now += timedelta(days=2)
    assert (await world.gr4vy.deliver(call, ADVICE, age_s=2 * 86_400.0)).receipt is Receipt.DONE
    assert world.kinds() == ["redeem", "reverse"]


async def test_refused_refund_leaves_a_person() -> None:
    """An amount ending in 1 makes the mock connector refuse the refund: the money is not back."""
    world = World()
    ask = Redeem(transaction_id=ASK.transaction_id, requested_at=START, card=CARD, amount=Money("USD", 1_001))
    approved = await world.gr4vy.redeem(ask)
    (call,) = world.gr4vy.reversal(ask, approved, ADVICE)
    receipt = await world.gr4vy.deliver(call, ADVICE, age_s=0.0)
    assert receipt.receipt is Receipt.REFUSED
    assert receipt.evidence == "the refund is failed: the money is not back on the card"


@given(flipped=st.integers(min_value=0, max_value=10_000))
def test_one_changed_byte_spoils_a_webhook(flipped: int) -> None:
    """Whichever byte of a signed body is changed, the event is refused."""
    headers, body = signed_event("transaction.captured", {"type": "transaction"}, event_id="e1", at=START)
    place = flipped % len(body)
    changed = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
    provider = World().gr4vy
    assert provider.read_webhook(Webhook(headers=dict(headers), body=body, received_at=START))
    with pytest.raises(WebhookRejected):
        provider.read_webhook(Webhook(headers=dict(headers), body=changed, received_at=START))


def test_simulated_events_are_read_in_both_header_families() -> None:
    """What the simulator signs with two secrets is accepted by a provider that knows the second."""
    provider = World().gr4vy
    for family in ("guide", "sdk"):
        headers, body = signed_event(
            "gift-card.deleted",
            {"type": "gift-card", "id": "c"},
            event_id="e1",
            at=START,
            secrets=("another", "sandbox-gr4vy-webhook-secret"),
            family=family,
        )
        (event,) = provider.read_webhook(Webhook(headers=dict(headers), body=body, received_at=START))
        assert (event.event_id, event.name) == ("e1", "gift-card.deleted")
        assert json.loads(body)["target"]["id"] == event.attributes["target_id"]
