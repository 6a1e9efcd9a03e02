"""Electrum's adapter and simulator speak to each other as Electrum's wire format says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from giftcard_adapters.calls import Moment
from giftcard_adapters.electrum import Electrum
from giftcard_adapters.electrum.codes import (
    CONDITIONS,
    DECLINES,
    ENTRY_MODES,
    PIN_BLOCK_FORMATS,
    PIN_ENTRY,
    TRANSACTION_TYPES,
    UNKNOWN_MODE,
)
from giftcard_adapters.stanza import open_provider, read_settings
from giftcard_adapters.values.advices import Advice, AdviceKind, Receipt, ReversalReason
from giftcard_adapters.values.cards import CardRef, ClearPin
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import (
    Activate,
    AnyOperation,
    Load,
    Redeem,
    Replace,
    Transfer,
    Void,
)
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_adapters.values.point_of_sale import AccountType, Product, Tender, TenderType
from giftcard_adapters.values.reads import Lookup
from giftcard_adapters.values.secret import Secret
from giftcard_simulators.electrum.books import EXPIRY, INSTITUTION_ID, PASSWORD, PIN
from giftcard_simulators.electrum.simulator import ElectrumSimulator
from giftcard_simulators.sandbox import seeded_ids
from giftcard_simulators.transport import SimulatorTransport
from tests.specs.validating import Watched, described

STANZA = Path(__file__).resolve().parents[1] / "adapters" / "golden" / "electrum" / "provider.json"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ELECTRUM = described("electrum")


def card(number: str, pin: str = "") -> CardRef:
    """Name a demo card."""
    return CardRef(number=Secret(number), expiry=EXPIRY, pin=ClearPin(pin=Secret(pin)) if pin else None)


FRESH_ID = seeded_ids(9)
NEW, FUNDED, LOW = card("6045000000000012"), card("6045000000000061"), card("6045000000000087")
PRODUCT = Product(product_id="product003")
TEN = Money("ZAR", 1_000)


def operations() -> Iterator[AnyOperation]:
    """Give each operation once as the simulator approves it, under a fresh id."""
    asked: dict[str, Any] = {"requested_at": NOW, "system_trace_number": "000001"}
    yield Activate(transaction_id=FRESH_ID(), card=NEW, product=PRODUCT, amount=TEN, **asked)
    yield Load(transaction_id=FRESH_ID(), card=FUNDED, amount=TEN, **asked)
    yield Redeem(transaction_id=FRESH_ID(), card=card("6045000000000079", PIN), amount=TEN, **asked)
    yield Transfer(transaction_id=FRESH_ID(), source_card=FUNDED, target_card=LOW, amount=TEN, **asked)
    yield Replace(transaction_id=FRESH_ID(), old_card=FUNDED, new_card=NEW, **asked)
    yield Void(transaction_id=FRESH_ID(), card=FUNDED, **asked)


def opened() -> tuple[Electrum, Watched]:
    """Open the adapter on a fresh simulator that is watched."""
    simulator = Watched(ElectrumSimulator(now=lambda: NOW, ids=seeded_ids(1)), ELECTRUM)
    stanza = json.loads(STANZA.read_text(encoding="utf-8"))["settings"]
    settings = read_settings(Electrum, {**stanza, "institution_id": INSTITUTION_ID, "password": PASSWORD})
    provider = open_provider(
        Electrum,
        settings,
        transport=SimulatorTransport(simulator),
        moment=lambda: Moment(now_s=0.0, nonce=""),
    )
    assert isinstance(provider, Electrum)
    return provider, simulator


async def request(provider: Electrum, ask: AnyOperation) -> Outcome:
    """Send an operation."""
    outcome: Outcome = await getattr(provider, ask.operation.value.lower())(ask)
    return outcome


def advice(kind: AdviceKind, *, amount: Money | None = None) -> Advice:
    """Write an advice with all it can carry."""
    tender = Tender(
        tender_type=TenderType.CREDIT_CARD,
        amount=TEN,
        account_type=AccountType.CREDIT,
        masked_card_number="411111******1111",
        reference="till 1",
    )
    return Advice(
        advice_id=FRESH_ID(),
        kind=kind,
        written_at=NOW,
        amount=amount,
        reason=ReversalReason.CANCELLED if kind is AdviceKind.REVERSAL else None,
        tenders=(tender,) if kind is AdviceKind.CONFIRMATION else (),
    )


@pytest.mark.parametrize("ask", [*operations()], ids=lambda ask: ask.operation.value)
@pytest.mark.parametrize("kind", AdviceKind)
async def test_two_phases_fit(ask: AnyOperation, kind: AdviceKind) -> None:
    """Requests, responses, advices and acknowledgements of both readings fit the interface."""
    provider, simulator = opened()
    outcome = await request(provider, ask)
    assert outcome.verdict is Verdict.APPROVED, outcome.decline
    written = advice(kind)
    write = provider.confirmation if kind is AdviceKind.CONFIRMATION else provider.reversal
    for call in write(ask, outcome, written):
        receipt = await provider.deliver(call, written, age_s=0.0)
        assert receipt.receipt is Receipt.DONE, receipt.evidence
    assert sorted(status for _, status in simulator.seen) == [201, 202]


async def test_refusals_fit() -> None:
    """A decline, an advice for nothing and a lookup of nothing are documented ErrorDetails."""
    provider, simulator = opened()
    ask = Load(transaction_id=FRESH_ID(), requested_at=NOW, card=NEW, amount=TEN)
    assert (await request(provider, ask)).verdict is Verdict.DECLINED
    stray = advice(AdviceKind.REVERSAL)
    for call in provider.reversal(
        Load(transaction_id=FRESH_ID(), requested_at=NOW, card=NEW, amount=TEN), None, stray
    ):
        assert (await provider.deliver(call, stray, age_s=0.0)).receipt is Receipt.NO_SUCH_TRANSACTION
    assert simulator.seen == {("load", 400), ("reverseLoad", 404)}


async def test_lookup_fits() -> None:
    """A lookup and all it tells of a card with points and clubs fit the interface."""
    provider, simulator = opened()
    view = await provider.lookup(Lookup(lookup_id=FRESH_ID(), asked_at=NOW, card=FUNDED))
    assert view.clubs
    assert view.points is not None
    assert simulator.seen == {("lookupGiftcard", 201)}


def test_every_error_has_a_row() -> None:
    """Every documented errorType has a decline reason, and no other word has."""
    assert set(DECLINES) == ELECTRUM.words("ErrorDetail", "errorType")


def test_every_word_is_documented() -> None:
    """Each table says every documented word, and nothing else."""
    modes = ("PosInfo", "entryMode")
    assert {*ENTRY_MODES.values(), UNKNOWN_MODE} == ELECTRUM.words(*modes, "panEntryMode")
    assert {*PIN_ENTRY.values(), UNKNOWN_MODE} == ELECTRUM.words(*modes, "pinEntryCapability")
    assert set(CONDITIONS.values()) == ELECTRUM.words("PosInfo", "posConditionCode")
    assert set(PIN_BLOCK_FORMATS.values()) == ELECTRUM.words(
        "PinEncrypted", "encryptionParameters", "pinBlockFormat"
    )
    assert ELECTRUM.words("TranType") == TRANSACTION_TYPES
    assert {str(kind) for kind in TenderType} == ELECTRUM.words("Tender", "tenderType")
    assert {str(kind) for kind in AccountType} == ELECTRUM.words("AccountType")
