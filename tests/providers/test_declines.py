"""Declined: the provider's own no is an answer, with our reason, its code, and nothing moved."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from giftcard import is_declined, new_transaction_id, v1
from tests.providers.cells import FUNDED, INACTIVE, LOW, NEW, SPARE, VAULTED, WITH_PIN
from tests.providers.world import ELECTRUM, GATEPAY, GR4VY, JEUDIMERCI, World

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOWHERE, EXPIRED, VOIDED = "6045000000009999", "6045000000000103", "6045000000000129"
PRODUCT = v1.Product(product_id="product003")
RAND = {"amount": "50.00", "currency": "ZAR"}
DOLLARS = {"amount": "50.00", "currency": "USD"}

Row = tuple[str, str, Mapping[str, object], str, str]
"""Provider, operation, fields, our reason, the provider's code."""


def mock(digits: str, code: str, reason: str) -> Row:
    """Ask Gr4vy's mock connector for one of its errors, by the PIN of a card nobody knows."""
    card = {"card": f"604510000009{digits}", "pin": f"1{digits}"}
    return GR4VY, "Redeem", {**card, **DOLLARS}, reason, code


def always(card: str, code: str, reason: str) -> Row:
    """Redeem from one of Electrum's cards that are always refused."""
    return ELECTRUM, "Redeem", {"card": card, **RAND}, reason, code


ROWS: list[Row] = [
    (ELECTRUM, "Redeem", {"card": NOWHERE, **RAND}, "CARD_UNKNOWN", "INVALID_CARD_NUMBER"),
    (ELECTRUM, "Redeem", {"card": LOW, **RAND}, "FUNDS_INSUFFICIENT", "INSUFFICIENT_FUNDS"),
    (ELECTRUM, "Redeem", {"card": EXPIRED, **RAND}, "CARD_EXPIRED", "CARD_EXPIRED"),
    (ELECTRUM, "Redeem", {"card": WITH_PIN, "pin": "4321", **RAND}, "PIN_INCORRECT", "INCORRECT_PIN"),
    (ELECTRUM, "Redeem", {"card": WITH_PIN, **RAND}, "PIN_INCORRECT", "INCORRECT_PIN"),
    (ELECTRUM, "Redeem", {"card": NEW, **RAND}, "CARD_NOT_ACTIVE", "CARD_NOT_ACTIVATED"),
    (ELECTRUM, "Redeem", {"card": VOIDED, **RAND}, "CARD_VOIDED", "CARD_VOIDED"),
    (ELECTRUM, "Redeem", {"card": FUNDED, **DOLLARS}, "AMOUNT_INVALID", "INVALID_AMOUNT"),
    always("6045000000000137", "CARD_BLOCKED", "CARD_BLOCKED"),
    always("6045000000000145", "CARD_DELETED", "CARD_DELETED"),
    always("6045000000000152", "FUNCTION_BLOCKED_FOR_CARD_RANK", "CARD_RANK_BLOCKED"),
    always("6045000000000160", "PIN_ATTEMPTS_EXCEEDED", "PIN_ATTEMPTS_EXCEEDED"),
    always("6045000000000178", "DO_NOT_HONOUR", "PROVIDER_REFUSED"),
    always("6045000000000186", "TEMPORARY_FAILURE", "PROVIDER_UNAVAILABLE"),
    (ELECTRUM, "Activate", {"card": FUNDED, "product": PRODUCT}, "CARD_ALREADY_ACTIVE", "CARD_ACTIVATED"),
    (
        ELECTRUM,
        "Activate",
        {"card": NEW, "product": v1.Product(product_id="nothing")},
        "PRODUCT_INVALID",
        "INVALID_PRODUCT",
    ),
    (ELECTRUM, "Load", {"card": NEW, **RAND}, "CARD_NOT_ACTIVE", "CARD_NOT_ACTIVATED"),
    (ELECTRUM, "Load", {"card": EXPIRED, **RAND}, "CARD_EXPIRED", "CARD_EXPIRED"),
    (
        ELECTRUM,
        "Transfer",
        {"source_card": LOW, "target_card": FUNDED, **RAND},
        "FUNDS_INSUFFICIENT",
        "INSUFFICIENT_FUNDS",
    ),
    (
        ELECTRUM,
        "Transfer",
        {"source_card": FUNDED, "target_card": VOIDED, **RAND},
        "CARD_VOIDED",
        "CARD_VOIDED",
    ),
    (ELECTRUM, "Replace", {"old_card": FUNDED, "new_card": LOW}, "CARD_ALREADY_ACTIVE", "CARD_ACTIVATED"),
    (ELECTRUM, "Replace", {"old_card": NOWHERE, "new_card": SPARE}, "CARD_UNKNOWN", "INVALID_CARD_NUMBER"),
    (ELECTRUM, "Void", {"card": VOIDED}, "CARD_VOIDED", "CARD_VOIDED"),
    (ELECTRUM, "Void", {"card": NOWHERE}, "CARD_UNKNOWN", "INVALID_CARD_NUMBER"),
    mock("0000", "invalid_gift_card", "CARD_UNKNOWN"),
    mock("0001", "expired_card", "CARD_EXPIRED"),
    mock("0002", "inactive_card", "CARD_NOT_ACTIVE"),
    mock("0003", "invalid_service_credentials", "PROVIDER_MISCONFIGURED"),
    mock("0004", "invalid_amount", "AMOUNT_INVALID"),
    mock("0005", "incorrect_currency", "CURRENCY_MISMATCH"),
    mock("0006", "insufficient_funds", "FUNDS_INSUFFICIENT"),
    mock("0007", "invalid_service_configuration", "PROVIDER_MISCONFIGURED"),
    mock("0008", "operation_canceled", "CANCELED"),
    mock("0009", "service_error", "PROVIDER_ERROR"),
    mock("0010", "service_network_error", "PROVIDER_UNAVAILABLE"),
    mock("0011", "unknown_error", "PROVIDER_ERROR"),
    (GR4VY, "Redeem", {"card": VAULTED, "pin": "050001", **DOLLARS}, "CARD_UNKNOWN", "invalid_gift_card"),
    (
        GR4VY,
        "Redeem",
        {"card": "6045100000000003", "pin": "00100", **DOLLARS},
        "FUNDS_INSUFFICIENT",
        "insufficient_funds",
    ),
    (
        GR4VY,
        "Redeem",
        {"card": "6045100000000005", "pin": "050000", **DOLLARS},
        "CARD_EXPIRED",
        "expired_card",
    ),
    (GR4VY, "Redeem", {"card": INACTIVE, "pin": "01234", **DOLLARS}, "CARD_NOT_ACTIVE", "inactive_card"),
    (GR4VY, "Issue", {"theme_id": "no such theme", **DOLLARS}, "REQUEST_MALFORMED", "bad_request"),
    (GR4VY, "Activate", {"card": VAULTED, "pin": "050000", **DOLLARS}, "REQUEST_MALFORMED", "bad_request"),
    (JEUDIMERCI, "Issue", {"amount": "10000.01", "currency": "EUR"}, "WALLET_INSUFFICIENT", "402"),
    (
        GATEPAY,
        "Issue",
        {"template_id": "255267012439183399", **DOLLARS},
        "REQUEST_MALFORMED",
        "400001",
    ),
    (GATEPAY, "Issue", {"title": "sandbox: payment failed", **DOLLARS}, "PROVIDER_REFUSED", "5"),
    (GATEPAY, "Issue", {"title": "sandbox: rejected", **DOLLARS}, "PROVIDER_REFUSED", "7"),
    (GATEPAY, "Issue", {"title": "sandbox: review payment failed", **DOLLARS}, "PROVIDER_REFUSED", "8"),
    (GATEPAY, "Issue", {"amount": "10000.01", "currency": "USD"}, "PROVIDER_REFUSED", "5"),
]


@pytest.mark.parametrize(
    ("provider", "operation", "fields", "reason", "code"),
    ROWS,
    ids=[f"{provider}-{operation}-{code}" for provider, operation, _, _, code in ROWS],
)
async def test_a_no_is_an_answer(
    world: World, provider: str, operation: str, fields: Mapping[str, object], reason: str, code: str
) -> None:
    """A decline carries one reason of our list and the provider's own code, and moves nothing at all."""
    books = await world.providers[provider].books()
    request = {"transaction_id": new_transaction_id(), **fields}
    done = await world.ask(provider, operation, request)
    assert is_declined(done)
    assert v1.DeclineReason.Name(done.decline.reason) == f"DECLINE_REASON_{reason}"
    assert done.decline.provider_code == code
    assert not done.issued_cards
    assert await world.providers[provider].effects() == []
    assert (await world.providers[provider].books()).moved_since(books) == {}
    told = str(done)
    assert not any(
        str(fields[name]) in told for name in ("card", "source_card", "old_card") if name in fields
    )
    # As a word of its own: four digits of a PIN occur in random ids, too.
    pin = str(fields.get("pin", "no PIN"))
    assert not re.search(rf"(?<![\w-]){re.escape(pin)}(?![\w-])", told)


async def test_a_decline_needs_no_undoing(world: World) -> None:
    """Reversing what was declined is harmless: it stays DECLINED and the provider hears nothing more."""
    heard = world.providers[ELECTRUM].heard
    done = await world.ask(ELECTRUM, "Redeem", {"transaction_id": new_transaction_id(), "card": LOW, **RAND})
    asked = len(heard)
    assert is_declined(await world.reverse("Redeem", done.transaction_id))
    assert len(heard) == asked == 1
