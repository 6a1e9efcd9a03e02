"""AcmeCards, a company made up for this example: cards redeemed online, in two phases.

Source: the manual in README.md, which is made up too.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from giftcard_adapters.calls import Call, Moment
from giftcard_adapters.contract import Provider, traits
from giftcard_adapters.values.advices import Acknowledgement, Advice
from giftcard_adapters.values.operations import MoneyOperation, Redeem
from giftcard_adapters.values.outcomes import Outcome
from giftcard_adapters.values.reads import CardView, Lookup
from giftcard_adapters.values.traits import Ending, Guarantee

from . import answers, limits, requests
from .settings import AcmeCardsSettings

if TYPE_CHECKING:
    from giftcard_adapters.exchange import Exchange


class AcmeCards(Provider):
    """One AcmeCards shop."""

    settings_type = AcmeCardsSettings
    facts = "The provider itself settles and releases what it holds. It is made up, and so is its manual."
    leaves_out: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(
            (
                *("point_of_sale", "product", "basket", "basket_reference", "card_holder", "buyer"),
                *("third_party_identifiers", "external_reference", "transaction_type", "source_account"),
                *("destination_account", "system_trace_number", "retrieval_reference"),
                *("ledger_indicator", "fee_amount", "fee_ledger_indicator", "additional_amounts", "slip"),
            ),
            "a redemption has an id, a card and an amount",
        ),
        "card.expiry": "AcmeCards knows a card by its number only",
        "card.rank": "AcmeCards knows a card by its number only",
        "lookup.card.pin": "AcmeCards has no PINs",
        **dict.fromkeys(("confirm_redeem.tenders", "confirm_redeem.note"), "a settling has no place for it"),
        **dict.fromkeys(("reverse_redeem.reason", "reverse_redeem.note"), "a release needs none"),
    }

    def __init__(self, settings: AcmeCardsSettings, exchange: Exchange) -> None:
        """Keep the settings under their own type."""
        super().__init__(settings, exchange)
        self._key_id = settings.key_id
        self._signing_key = settings.signing_key

    def check(self, ask: MoneyOperation) -> None:
        """Raise Invalid or Unsupported for a redemption that AcmeCards could not take."""
        limits.check_operation(ask)

    @traits(Guarantee.NATIVE, Ending.REVERSE, is_confirmation_partial=True)
    async def redeem(self, ask: Redeem) -> Outcome:
        """Hold the amount; it is spent once settled."""
        self.check(ask)
        call = requests.redemption(ask)
        return answers.outcome_of(
            ask, await self.exchange.send(call, sign=self._sign, name="acme-cards redeem")
        )

    def confirmation(self, ask: MoneyOperation, outcome: Outcome, advice: Advice) -> tuple[Call, ...]:
        """Write the settling of the hold, or of a part of it."""
        del outcome
        return (requests.confirmation(ask, advice),)

    def reversal(self, ask: MoneyOperation, outcome: Outcome | None, advice: Advice) -> tuple[Call, ...]:
        """Write the release of the hold; our own id names it, so no answer is needed to write this."""
        del outcome
        return (requests.reversal(ask, advice),)

    async def deliver(self, call: Call, advice: Advice, *, age_s: float) -> Acknowledgement:
        """Send an advice; AcmeCards never forgets its id, so its age does not matter."""
        del age_s
        reply = await self.exchange.send(call, sign=self._sign, name=f"acme-cards {advice.kind.lower()}")
        return answers.acknowledgement_of(call, reply)

    async def lookup(self, ask: Lookup) -> CardView:
        """Return a card's state and its balances."""
        number = limits.check_lookup(ask)
        call = requests.card(number)
        reply = await self.exchange.send(call, sign=self._sign, name="acme-cards find card")
        return answers.card_view(number, reply)

    def _sign(self, call: Call, moment: Moment) -> Mapping[str, str]:
        time = str(int(moment.now_s))
        signed = f"{time}\n{call.method}\n{call.path}\n".encode() + call.body
        digest = hmac.new(self._signing_key.reveal().encode(), signed, hashlib.sha256).hexdigest()
        return {"acme-key": self._key_id, "acme-time": time, "acme-signature": digest}
