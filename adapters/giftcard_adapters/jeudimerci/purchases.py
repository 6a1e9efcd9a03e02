"""What a list of e-cards proves about an issue without an answer.

A generate carries no key of ours and none comes back, so a card of the right price bought at the
right time may be somebody else's. A list therefore never proves an issue. It disproves one if the
operator vouches that the list is complete and no card in it fits. Everything else needs a person: at
once where no later look can prove more.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

from giftcard_adapters.calls import http_date
from giftcard_adapters.errors import Unfindable
from giftcard_adapters.jeudimerci import wire
from giftcard_adapters.jeudimerci.settings import JeudiMerciSettings
from giftcard_adapters.values.money import to_decimal
from giftcard_adapters.values.operations import Issue
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_adapters.values.secret import Secret

_WESTERNMOST = timedelta(hours=12)
"""A time without a zone is at most this much earlier than the same digits read as UTC."""
_SHOWN = 5
"""Candidates named in the evidence; a person opens the provider's own list for more."""


def _latest_purchase(card: wire.ECard) -> datetime | None:
    """Return the last instant a card can have been bought at; None when its date cannot be read.

    The format of PurchaseDate is not public: ISO 8601 with a zone, without one, or a day alone.
    """
    bought = _written(card)
    if bought is None or bought.tzinfo is not None:
        return bought
    if len(card.purchased or "") <= len("2025-09-01"):
        bought = datetime.combine(bought.date(), time.max)
    try:
        return bought.replace(tzinfo=UTC) + _WESTERNMOST
    except OverflowError:
        return None


def judge_list(
    ask: Issue, listed: Sequence[wire.ECard], date_header: str, settings: JeudiMerciSettings
) -> Outcome:
    """Say what a list of e-cards proves about an issue: FAILED or UNKNOWN, never APPROVED.

    Raises Unfindable where no later list would prove more.
    """
    since = ask.requested_at - timedelta(seconds=settings.clock_skew_s)
    cost = to_decimal(ask.amount) if ask.amount and settings.is_cost_face_value else None
    return _judge_absence(
        ask,
        _candidates(listed, cost, since),
        http_date(date_header),
        is_list_complete=settings.is_list_complete,
        # A provider's clock that is ahead of ours must not make the request older than it is.
        settle_s=settings.settle_s + settings.clock_skew_s,
    )


def _candidates(cards: Sequence[wire.ECard], cost: Decimal | None, since: datetime) -> list[wire.ECard]:
    """Return the cards that may be the issue's: not surely of another cost, not surely bought before.

    `cost` is None where the answers' ECardCost is not the card's value.
    """
    return [card for card in cards if _may_cost(card, cost) and _may_be_bought(card, since)]


def _judge_absence(
    ask: Issue, found: Sequence[wire.ECard], told: datetime | None, *, is_list_complete: bool, settle_s: float
) -> Outcome:
    """Say what a list without any code of ours proves: FAILED at best, never APPROVED.

    FAILED needs an operator's word that the list is complete, no card that fits, and the provider's
    own clock past the time in which a request under way could still buy.
    """
    if found:
        # E-cards only join the list, so a later look would prove no more.
        raise Unfindable(
            f"{len(found)} e-card(s) fit the price and time, none is provably ours: {_show(found)}"
        )
    if not is_list_complete:
        raise Unfindable("no e-card fits the price and time so far, but the list may not be complete")
    if told is None:
        return _unknown("no e-card fits yet; the list's answer has no Date to tell how late it is")
    if told < ask.requested_at + timedelta(seconds=settle_s):
        return _unknown("no e-card fits yet; the request may still be under way")
    return Outcome(
        verdict=Verdict.FAILED,
        evidence=f"no e-card that fits in the complete list of {told.isoformat(timespec='seconds')}",
    )


def _written(card: wire.ECard) -> datetime | None:
    try:
        return datetime.fromisoformat(card.purchased or "")
    except (ValueError, OverflowError):
        return None


def _may_cost(card: wire.ECard, cost: Decimal | None) -> bool:
    """Tell whether a card may be of this cost: one whose cost is no number says nothing of it."""
    if cost is None or card.cost is None or not card.cost.is_finite():
        return True
    return card.cost == cost


def _may_be_bought(card: wire.ECard, since: datetime) -> bool:
    latest = _latest_purchase(card)
    return latest is None or latest >= since


def _show(cards: Sequence[wire.ECard]) -> str:
    return ", ".join(map(_name, cards[:_SHOWN])) + (", ..." if len(cards) > _SHOWN else "")


def _name(card: wire.ECard) -> str:
    bought = _latest_purchase(card)
    when = f"bought by {bought.isoformat(timespec='seconds')}" if bought else "bought at an unreadable time"
    return f"{Secret(card.code or '').masked_key()} {when}"


def _unknown(evidence: str) -> Outcome:
    return Outcome(verdict=Verdict.UNKNOWN, evidence=evidence)
