"""Confirmations and reversals of a transaction, and a provider's answers to them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from giftcard_adapters.values.declines import Decline
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.point_of_sale import Tender, ThirdPartyIdentifier


class AdviceKind(StrEnum):
    """The kinds of advice."""

    CONFIRMATION = "CONFIRMATION"
    REVERSAL = "REVERSAL"


class ReversalReason(StrEnum):
    """Why a transaction is reversed."""

    TIMEOUT = "TIMEOUT"
    """No answer came in time."""
    RESPONSE_NOT_FINAL = "RESPONSE_NOT_FINAL"
    """An answer came that left the outcome open."""
    CANCELLED = "CANCELLED"
    """The operator or the customer cancelled it."""


class AdviceWords(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a caller tells with a confirmation or a reversal: its own numbers and ids, and a note.

    The identifiers come besides those of the request.
    """

    note: str = ""
    system_trace_number: str = ""
    retrieval_reference: str = ""
    third_party_identifiers: tuple[ThirdPartyIdentifier, ...] = ()

    def words(self) -> dict[str, Any]:
        """Return the fields of AdviceWords alone, by name."""
        return {name: getattr(self, name) for name in AdviceWords.__struct_fields__}


NO_WORDS = AdviceWords()
"""Where a caller tells nothing besides the decision."""


class Advice(AdviceWords, frozen=True, kw_only=True, omit_defaults=True):
    """A confirmation or reversal of a transaction, under its own v4 UUID; written once, sent unchanged.

    `amount` is the final amount of a confirmation, or the part to put back of a reversal; None is all.
    """

    advice_id: str
    kind: AdviceKind
    written_at: datetime
    amount: Money | None = None
    reason: ReversalReason | None = None
    tenders: tuple[Tender, ...] = ()


class Receipt(StrEnum):
    """What a provider answered to an advice."""

    DONE = "DONE"
    """Acknowledged, now or before."""
    NO_SUCH_TRANSACTION = "NO_SUCH_TRANSACTION"
    """The provider does not know the transaction, or not yet; its worth depends on the time (rule 8)."""
    GONE = "GONE"
    """What is to be undone is not there: undone by an earlier copy, if one may have left (rule 8)."""
    DUPLICATE = "DUPLICATE"
    """The provider has seen this advice id before, and does not say what became of it (rule 8)."""
    NOT_YET = "NOT_YET"
    """Heard, and surely nothing was done; the provider keeps the advice id, so send it under a fresh one."""
    REFUSED = "REFUSED"
    """A final no: a person must look."""
    AGAIN = "AGAIN"
    """Not final: send the same bytes again later."""


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A provider's answer to an advice; `evidence` is for a person and holds no card data."""

    receipt: Receipt
    evidence: str = ""
    retry_after_s: float | None = None
    """How long the provider asks to be left alone, in seconds; for AGAIN."""
    decline: Decline | None = None
    references: dict[str, str] = {}
