"""The messages Electrum's gift card interface takes: requests, confirmations, reversals.

Unknown properties are ignored and quoted numbers are read as numbers, as Electrum's own server
does. Answers are not typed here: they are the request's fields and a few more.
"""

from __future__ import annotations

from giftcard_simulators.electrum.values import (
    Amounts,
    Customer,
    ElectrumMessage,
    Originator,
    PointAmounts,
    PosInfo,
    PresentedCard,
    SlipData,
    Time,
    TranType,
    Uuid,
    WireAccountType,
    WireBasket,
    WireInstitution,
    WireProduct,
    WireReversalReason,
    WireTender,
    WireThirdPartyIdentifier,
)


class TransactionMessage(ElectrumMessage, frozen=True, kw_only=True):
    """What every request carries."""

    id: Uuid
    time: Time
    originator: Originator
    client: WireInstitution
    third_party_identifiers: tuple[WireThirdPartyIdentifier, ...]
    settlement_entity: WireInstitution | None = None
    receiver: WireInstitution | None = None
    slip_data: SlipData | None = None
    basket_ref: str | None = None
    tran_type: TranType | None = None
    src_acc_type: WireAccountType | None = None
    dest_acc_type: WireAccountType | None = None
    stan: str | None = None
    rrn: str | None = None
    pos_info: PosInfo | None = None
    card_holder: Customer | None = None


class MoneyRequest(TransactionMessage, frozen=True, kw_only=True):
    """What the six financial requests have in common; each says below what it must have."""

    amounts: Amounts | None = None
    product: WireProduct | None = None


class ActivationRequest(MoneyRequest, frozen=True, kw_only=True):
    """Makes a pre-printed card usable, with an initial load if amounts say so."""

    card: PresentedCard
    product: WireProduct


class LoadRequest(MoneyRequest, frozen=True, kw_only=True):
    """Puts money on a card."""

    card: PresentedCard
    amounts: Amounts


class RedemptionRequest(MoneyRequest, frozen=True, kw_only=True):
    """Takes money from a card."""

    card: PresentedCard
    amounts: Amounts
    basket: WireBasket | None = None
    points: PointAmounts | None = None


class VoidRequest(MoneyRequest, frozen=True, kw_only=True):
    """Ends a card."""

    card: PresentedCard


class ReplaceRequest(MoneyRequest, frozen=True, kw_only=True):
    """Puts a new card in an old one's place."""

    old_card: PresentedCard
    new_card: PresentedCard


class TransferRequest(MoneyRequest, frozen=True, kw_only=True):
    """Moves money from one card to another."""

    source_card: PresentedCard
    target_card: PresentedCard
    amounts: Amounts


class LookupRequest(TransactionMessage, frozen=True, kw_only=True):
    """Asks for a card's state and balances, by the card or by its holder."""

    card: PresentedCard | None = None


class AdviceMessage(ElectrumMessage, frozen=True, kw_only=True):
    """A confirmation; `approvedAmount`, when there, is the final amount."""

    id: Uuid
    request_id: Uuid
    time: Time
    third_party_identifiers: tuple[WireThirdPartyIdentifier, ...]
    stan: str | None = None
    rrn: str | None = None
    amounts: Amounts | None = None


class TenderAdvice(AdviceMessage, frozen=True, kw_only=True):
    """A confirmation that says how the customer paid; documented as required, not enforced."""

    tenders: tuple[WireTender, ...] | None = None


class Reversal(AdviceMessage, frozen=True, kw_only=True):
    """Takes a request back."""

    reversal_reason: WireReversalReason
