"""What providers can do, as data: a row with sample fields for each ✔ of the capability table.

Written from the providers' pages and the sandbox's books, not from the adapters. Amounts of effects
are in the provider's own minor units: cents, and millionths at GatePay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from giftcard import Card, new_transaction_id, v1
from giftcard_adapters.values.names import names_of
from tests.conformance.descriptors import subject_of
from tests.providers.world import BY_RPC, ELECTRUM, GATEPAY, GR4VY, JEUDIMERCI, NAMES

OPERATIONS = tuple(BY_RPC)

NATIVE = v1.Guarantee.GUARANTEE_NATIVE
COMPENSATED = v1.Guarantee.GUARANTEE_COMPENSATED
NONE = v1.Guarantee.GUARANTEE_NONE

Moved = Mapping[str, tuple[int, int]]
"""Card number to what is added to its book and available balance; empty where nothing moves."""
Shown = tuple[str, str]
"""A card's book and available balance as an answer shows them; empty where the provider does not tell."""

NEW, SPARE, FUNDED = "6045000000000012", "6045000000000020", "6045000000000061"
WITH_PIN, LOW = "6045000000000079", "6045000000000087"
VAULTED, VAULTED_PIN = "6045100000000001", "050000"
INACTIVE, INACTIVE_PIN = "6045100000000006", "01234"
THEME = "031111372"
WALLET = "WALLET"
ACCOUNT = "ACCOUNT-USDT"


@dataclass(frozen=True)
class Cell:
    """One ✔: what to ask, and what must be seen at both ends."""

    provider: str
    operation: str
    guarantee: v1.Guarantee.ValueType
    fields: Mapping[str, object]
    """Keywords of the client's call."""
    kind: str
    """What the provider's books call the effect."""
    asked: Moved
    """What moves when it is asked for."""
    final: Moved
    """What has moved once it is confirmed."""
    requested: str = ""
    """The amount of the request; empty where it has none."""
    cards: tuple[str, ...] = ()
    """The cards of the answer, masked, in their order."""
    roles: tuple[v1.CardRole.ValueType, ...] = (v1.CardRole.CARD_ROLE_SUBJECT,)
    shown: tuple[Shown | None, ...] = ()
    """The balances of the answer's cards; None where none are told."""
    references: frozenset[str] = frozenset()
    """The names of the provider's references in the answer."""
    issued: tuple[str, ...] = ()
    """The secrets that each issued card has."""
    quantity: int = 1
    partial_confirmation: bool = False
    partial_reversal: bool = False
    is_confirmation_told: bool = False
    """Whether the provider books the confirmation."""
    is_asynchronous: bool = False
    """Whether the provider issues later than it answers."""

    @property
    def name(self) -> str:
        """Return the cell's name for reports."""
        return f"{self.provider}-{self.operation}"

    def fresh(self, **changed: object) -> dict[str, object]:
        """Return the fields under a new transaction id, with some of them changed."""
        return {"transaction_id": new_transaction_id(), **self.fields, **changed}


def _electrum(operation: str, kind: str, fields: Mapping[str, object], **cell: object) -> Cell:
    money = {"amount": "50.00", "currency": "ZAR"} if cell.pop("has_amount", True) else {}
    made: Cell = Cell(
        provider=ELECTRUM,
        operation=operation,
        guarantee=NATIVE,
        fields={**fields, **money},
        kind=kind,
        requested="50.00" if money else "",
        is_confirmation_told=True,
        **cell,  # type: ignore[arg-type]  # the fields of Cell by name
    )
    return made


CELLS = (
    _electrum(
        "Activate",
        "activate",
        {"card": NEW, "product": v1.Product(product_id="product003")},
        asked={NEW: (5_100, 5_100)},
        final={NEW: (5_100, 5_100)},
        cards=("604500******0012",),
        shown=(("51.00", "51.00"),),
        partial_confirmation=True,
    ),
    _electrum(
        "Load",
        "load",
        {"card": FUNDED},
        asked={FUNDED: (5_000, 0)},
        final={FUNDED: (5_000, 5_000)},
        cards=("604500******0061",),
        shown=(("550.00", "500.00"),),
        partial_confirmation=True,
        partial_reversal=True,
    ),
    _electrum(
        "Redeem",
        "redeem",
        {"card": WITH_PIN, "pin": "1234"},
        asked={WITH_PIN: (-5_000, -5_000)},
        final={WITH_PIN: (-5_000, -5_000)},
        cards=("604500******0079",),
        shown=(("450.00", "450.00"),),
        partial_confirmation=True,
        partial_reversal=True,
    ),
    _electrum(
        "Transfer",
        "transfer",
        {"source_card": FUNDED, "target_card": LOW},
        asked={FUNDED: (-5_000, -5_000), LOW: (5_000, 0)},
        final={FUNDED: (-5_000, -5_000), LOW: (5_000, 5_000)},
        cards=("604500******0061", "604500******0087"),
        roles=(v1.CardRole.CARD_ROLE_SOURCE, v1.CardRole.CARD_ROLE_TARGET),
        shown=(("450.00", "450.00"), None),
        partial_confirmation=True,
        partial_reversal=True,
    ),
    _electrum(
        "Replace",
        "replace",
        {"old_card": FUNDED, "new_card": SPARE},
        has_amount=False,
        asked={FUNDED: (-50_000, -50_000), SPARE: (50_000, 50_000)},
        final={FUNDED: (-50_000, -50_000), SPARE: (50_000, 50_000)},
        cards=("604500******0061", "604500******0020"),
        roles=(v1.CardRole.CARD_ROLE_OLD, v1.CardRole.CARD_ROLE_NEW),
        shown=(None, ("500.00", "500.00")),
    ),
    _electrum(
        "Void",
        "void",
        {"card": FUNDED},
        has_amount=False,
        asked={},
        final={},
        cards=("604500******0061",),
        shown=(("500.00", "500.00"),),
    ),
    Cell(
        provider=GR4VY,
        operation="Redeem",
        guarantee=COMPENSATED,
        fields={"card": VAULTED, "pin": VAULTED_PIN, "amount": "50.00", "currency": "USD"},
        kind="redeem",
        asked={VAULTED: (-5_000, -5_000)},
        final={VAULTED: (-5_000, -5_000)},
        requested="50.00",
        cards=("604510******0001",),
        shown=(None,),
        references=frozenset({"transaction_id", "redemption_id"}),
        partial_reversal=True,
    ),
    Cell(
        provider=GR4VY,
        operation="Issue",
        guarantee=NONE,
        fields={"theme_id": THEME, "amount": "25.00", "currency": "USD"},
        kind="issue",
        asked={"6045199000000001": (2_500, 2_500)},
        final={"6045199000000001": (2_500, 2_500)},
        requested="25.00",
        references=frozenset({"issuance_id"}),
        issued=("redemption_url",),
    ),
    Cell(
        provider=GR4VY,
        operation="Activate",
        guarantee=NONE,
        fields={"card": INACTIVE, "pin": INACTIVE_PIN, "amount": "20.00", "currency": "USD"},
        kind="activate",
        asked={INACTIVE: (2_000, 2_000)},
        final={INACTIVE: (2_000, 2_000)},
        requested="20.00",
        cards=("604510******0006",),
        shown=(None,),
    ),
    Cell(
        provider=JEUDIMERCI,
        operation="Issue",
        guarantee=COMPENSATED,
        fields={"quantity": 2, "amount": "15.50", "currency": "EUR"},
        kind="issue",
        asked={WALLET: (-3_100, -3_100)},
        final={WALLET: (-3_100, -3_100)},
        requested="15.50",
        references=frozenset({"status"}),
        issued=("redemption_key", "redemption_url"),
        quantity=2,
    ),
    Cell(
        provider=GATEPAY,
        operation="Issue",
        guarantee=NONE,
        fields={"title": "Thank you", "amount": "25.00", "currency": "USD"},
        kind="issue",
        asked={ACCOUNT: (-25_000_000, -25_000_000)},
        final={ACCOUNT: (-25_000_000, -25_000_000)},
        requested="25.00",
        references=frozenset({"card_temp_id"}),
        issued=("number", "redemption_key"),
        is_asynchronous=True,
    ),
)
"""Every money operation of the providers known here by name; the conformance suite has those of all."""

BY_NAME = {cell.name: cell for cell in CELLS}

MONEY_HOLES = tuple(
    (provider, operation)
    for provider in NAMES
    for operation in OPERATIONS
    if operation not in {names_of(has).rpc for has in subject_of(provider).guarantees}
)
"""Every "–" among the money operations, as the providers' descriptors have it."""

SAMPLES: Mapping[str, Mapping[str, object]] = {
    "Issue": {"amount": "25.00", "currency": "ZAR"},
    "Activate": {"card": FUNDED},
    "Load": {"card": FUNDED, "amount": "5.00", "currency": "ZAR"},
    "Redeem": {"card": FUNDED, "amount": "5.00", "currency": "ZAR"},
    "Transfer": {"source_card": FUNDED, "target_card": LOW, "amount": "5.00", "currency": "ZAR"},
    "Replace": {"old_card": FUNDED, "new_card": SPARE},
    "Void": {"card": FUNDED},
}
"""Good requests to send to a provider that has no such operation."""

READS = ("lookup", "balance")
STORED = "0b0f4a8e-6a0c-4b43-8f55-0c6f0f2c7e11"
OTHERS: Mapping[str, Mapping[str, object]] = {
    "lookup": {"card": FUNDED},
    "balance": {"card": FUNDED},
    "store_card": {"card": Card.number(VAULTED, pin=VAULTED_PIN)},
    "get_stored_card": {"stored_card_id": STORED},
    "list_stored_cards": {},
    "delete_stored_card": {"stored_card_id": STORED},
    "list_templates": {},
    "list_offers": {},
    "sync_offers": {},
    "extract_accounts": {},
    "get_ticket_statistics": {},
}
"""Every unary call that moves no money and is asked of one provider, with fields."""


def call_of(read: str) -> str:
    """Return the client's call for one of an adapter's reads."""
    return {"balances": "balance", "ticket_statistics": "get_ticket_statistics"}.get(read, read)


OTHER_HOLES = tuple(
    (provider, call)
    for provider in NAMES
    for call in OTHERS
    if call not in set(map(call_of, subject_of(provider).reads))
)
"""Every "–" among them, as the providers' descriptors have it."""
