"""JeudiMerci, for the conformance suite: samples on the simulator's demo cards."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial

from giftcard_adapters.contract import Provider
from giftcard_adapters.jeudimerci import JeudiMerci
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.declines import DeclineReason
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Issue, Operation
from giftcard_adapters.values.reads import AccountQuery, Lookup, Offer, StoredCardQuery, TicketQuery
from giftcard_adapters.values.secret import Secret
from giftcard_conformance import ReadSample, Sample, Subject
from giftcard_simulators.jeudimerci import sandbox_settings
from giftcard_simulators.jeudimerci.simulator import JeudiMerciSimulator

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ID = "9d1f2f0a-6a0c-4b43-8f55-0c6f0f2c7e11"
NO_SUCH_ID = {"stored_card_id": "0" * 32}


def card(code: str) -> Lookup:
    """Ask for a card by its code."""
    return Lookup(lookup_id=ID, asked_at=AT, card=CardRef(redemption_key=Secret(code)))


async def listed(provider: Provider) -> Mapping[str, object]:
    """Name the first card of the list."""
    page = await provider.list_stored_cards(StoredCardQuery(page_size=1))
    return {"stored_card_id": page.cards[0].stored_card_id}


# The suite puts an id and a time of its own in their place.
ask_issue = partial(Issue, transaction_id="", requested_at=AT)

SUBJECT = Subject(
    name="jeudimerci",
    adapter=JeudiMerci,
    stanza={"base_url": "http://jeudimerci.test", **sandbox_settings()},
    simulator=JeudiMerciSimulator,
    guarantees={Operation.ISSUE: "C"},
    samples={
        Operation.ISSUE: Sample(
            approved=ask_issue(amount=Money("EUR", 2_500), quantity=2),
            declined=ask_issue(amount=Money("EUR", 100_000_001)),
            reason=DeclineReason.WALLET_INSUFFICIENT,
            can_be_found=False,
        )
    },
    reads={
        "lookup": ReadSample(
            arguments={"ask": card("JDMDEMO000000001")},
            refused={"ask": card("JDMDEMO000009999")},
            reason=DeclineReason.CARD_UNKNOWN,
        ),
        "list_stored_cards": ReadSample(arguments={"query": StoredCardQuery()}),
        "get_stored_card": ReadSample(
            arguments=listed, refused=NO_SUCH_ID, reason=DeclineReason.CARD_UNKNOWN
        ),
        "delete_stored_card": ReadSample(
            arguments=listed, refused=NO_SUCH_ID, reason=DeclineReason.CARD_UNKNOWN
        ),
        "list_offers": ReadSample(),
        "sync_offers": ReadSample(
            arguments={"offers": [Offer(offer_id="ours", name="Ours")]},
            refused={"offers": [Offer(offer_id="")]},
            reason=DeclineReason.REQUEST_MALFORMED,
        ),
        "extract_accounts": ReadSample(
            arguments={"query": AccountQuery(export_format="csv")},
            refused={"query": AccountQuery(export_format="papyrus")},
            reason=DeclineReason.REQUEST_MALFORMED,
        ),
        "download_export": ReadSample(
            arguments={"export_id": "accounts-csv"},
            refused={"export_id": "no such export"},
            reason=DeclineReason.RECORD_NOT_FOUND,
        ),
        "ticket_statistics": ReadSample(arguments={"query": TicketQuery()}),
    },
    has_webhooks=True,
    fitting={"currency": ("EUR", "USD")},
)
