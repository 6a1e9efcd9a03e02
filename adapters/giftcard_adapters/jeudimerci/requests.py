"""Our operations and reads as JeudiMerci's requests: values in, calls out. Pure; nothing is sent here."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from giftcard_adapters.calls import Call
from giftcard_adapters.errors import Invalid, Refused, Unsupported
from giftcard_adapters.jeudimerci import wire
from giftcard_adapters.jeudimerci.settings import JeudiMerciSettings
from giftcard_adapters.paths import is_segment, segment
from giftcard_adapters.values.advices import Advice
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.money import to_decimal
from giftcard_adapters.values.operations import Issue, MoneyOperation
from giftcard_adapters.values.outcomes import IssuedCard, Outcome
from giftcard_adapters.values.reads import AccountQuery, Offer, TicketQuery
from giftcard_adapters.values.secret import Secret

_JSON = (("content-type", "application/json"),)


def issuance(ask: Issue, settings: JeudiMerciSettings) -> Call:
    """Write the request that generates `quantity` e-cards; raise Invalid without an amount."""
    if ask.amount is None:
        raise Invalid([("amount", "JeudiMerci needs the price of one card")])
    wanted = wire.PurchaseRequest(num_cards=ask.quantity, price=to_decimal(ask.amount))
    return _post(settings.generate_path, wanted)


def reversal(
    ask: MoneyOperation, outcome: Outcome | None, advice: Advice, settings: JeudiMerciSettings
) -> tuple[Call, ...]:
    """Write a details request for every e-card of an issue, then a delete of every one.

    The details come first, so that an issue with a consumed card is refused before any is deleted.
    Raises Unsupported for a partial reversal, and while no e-card is known.
    """
    if advice.amount is not None and advice.amount != ask.amount:
        raise Unsupported("JeudiMerci deletes whole e-cards; no part can be put back")
    codes = [code_of(card) for card in outcome.issued_cards] if outcome else []
    if not codes:
        raise Unsupported("no e-card of this issue is known, so there is nothing to delete")
    looks = [details(code, settings) for code in codes]
    deletes = [deletion(code, settings) for code in codes]
    return (*looks, *deletes)


def code_of(card: IssuedCard) -> Secret:
    """Return an e-card's code; raise Unsupported without one that a path can hold."""
    if card.redemption_key is None or not is_segment(card.redemption_key.reveal()):
        raise Unsupported("an e-card without its code cannot be looked for")
    return card.redemption_key


def details(code: Secret, settings: JeudiMerciSettings) -> Call:
    """Write the request for one e-card's details."""
    return _get(_with_code(settings.details_path, code))


def deletion(code: Secret, settings: JeudiMerciSettings) -> Call:
    """Write the request that deletes one e-card, and what is left on it."""
    return Call(method="DELETE", path=_with_code(settings.delete_path, code), headers=_JSON)


def card_list(settings: JeudiMerciSettings) -> Call:
    """Write the request for every e-card."""
    return _get(settings.list_path)


def offers(settings: JeudiMerciSettings) -> Call:
    """Write the request for the provider's offers; raise Unsupported without an `offers_path`."""
    if not settings.offers_path:
        raise Unsupported("JeudiMerci's menu has no list of offers; set offers_path if yours has one")
    return _get(settings.offers_path)


def offer_sync(ours: Sequence[Offer], settings: JeudiMerciSettings) -> Call:
    """Write the request that synchronises our offers with the provider's."""
    return _post(settings.sync_path, wire.OfferList(offers=tuple(map(_offer, ours))))


def accounts_extract(query: AccountQuery, settings: JeudiMerciSettings) -> Call:
    """Write the request for an extract of accounts."""
    wanted = wire.AccountsFilter(
        from_day=query.from_day,
        to_day=query.to_day,
        currency=query.currency,
        account_ids=query.account_ids,
        mandate_type=query.mandate_type,
        export_format=query.export_format,
    )
    return _post(settings.accounts_path, wanted)


def export(export_id: str, settings: JeudiMerciSettings) -> Call:
    """Write the request for an export's bytes; raise Refused for an id that no path can hold."""
    if not is_segment(export_id):
        text = "not an id of an export"
        raise Refused(Decline(reason=DeclineReason.RECORD_NOT_FOUND, provider_text=text))
    return Call(method="GET", path=settings.export_path.replace("{id}", segment(export_id)))


def ticket_statistics(query: TicketQuery, settings: JeudiMerciSettings) -> Call:
    """Write the request that counts e-cards."""
    wanted = wire.TicketFilter(
        from_day=query.from_day,
        to_day=query.to_day,
        is_consumed=query.is_consumed,
        offer_id=query.offer_id,
    )
    return _post(settings.tickets_path, wanted)


def _offer(ours: Offer) -> wire.OfferItem:
    """Return one of our offers as the provider's JSON."""
    return wire.OfferItem(
        offer_id=ours.offer_id,
        name=ours.name,
        offer_type=ours.offer_type,
        code_type=ours.code_type,
        usage_location=ours.usage_location,
        price=to_decimal(ours.price) if ours.price else None,
        min_price=to_decimal(ours.minimum) if ours.minimum else None,
        max_price=to_decimal(ours.maximum) if ours.maximum else None,
        is_active=ours.is_active,
    )


def _get(path: str) -> Call:
    return Call(method="GET", path=path, headers=_JSON)


def _post(path: str, content: msgspec.Struct) -> Call:
    return Call(method="POST", path=path, headers=_JSON, body=wire.encode(content))


def _with_code(path: str, code: Secret) -> str:
    return path.replace("{code}", segment(code.reveal()))
