"""Our operations as Electrum's requests and advices: values in, calls out. Nothing is sent here.

Pure: the same operation gives the same bytes. `limits` has already refused what does not fit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime

import msgspec

from giftcard_adapters.calls import Call
from giftcard_adapters.electrum import pins, wire
from giftcard_adapters.electrum.codes import (
    CONDITIONS,
    ENTRY_MODES,
    PIN_ENTRY,
    SHAPES,
    UNKNOWN_MODE,
    Shape,
)
from giftcard_adapters.electrum.settings import ElectrumSettings, PartySettings, PinFields
from giftcard_adapters.errors import Unsupported
from giftcard_adapters.values.advices import Advice, AdviceKind, ReversalReason
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.money import LedgerIndicator, Money, numeric_code
from giftcard_adapters.values.operations import MoneyOperation
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_adapters.values.point_of_sale import (
    Address,
    Basket,
    BasketItem,
    CardHolder,
    PointOfSale,
    Product,
    Tender,
    ThirdPartyIdentifier,
)
from giftcard_adapters.values.points import Points
from giftcard_adapters.values.reads import Lookup
from giftcard_adapters.values.secret import Secret
from giftcard_adapters.values.slips import Slip, SlipLine

LOOKUP_PATH = "/lookupGiftcard/"
ITEM_NAME = re.compile(r"[0-9A-Za-z]{1,50}")
"""Electrum's item names hold no space, so most real ones do not fit; they are left out, not refused."""

_HEADERS = (("content-type", "application/json"), ("accept", "application/json"))


class Parties(msgspec.Struct, frozen=True, kw_only=True):
    """The parties to every transaction of one connection, from its settings."""

    client: wire.Party
    originator: wire.Originator
    """The defaults; a caller fills what is blank."""
    receiver: wire.Party | None = None
    settlement_entity: wire.Party | None = None
    originators: tuple[wire.Party, ...] = ()
    """Whom the connection may ask for; the first where a caller names nobody."""


def parties_of(settings: ElectrumSettings) -> Parties:
    """Return what the settings say of the parties to every transaction."""
    us = wire.Party(id=settings.institution_id, name=settings.institution_name)
    originators = tuple(one for one in map(_party, settings.originators) if one) or (us,)
    return Parties(
        client=us,
        originators=originators,
        originator=wire.Originator(
            institution=originators[0],
            terminal_id=settings.terminal_id or "",
            merchant=wire.WireMerchant(
                merchant_type=settings.merchant_category_code or "",
                merchant_id=settings.merchant_id or "",
                merchant_name=wire.MerchantName(
                    name=settings.merchant_name or "",
                    city=settings.merchant_city or "",
                    region=settings.merchant_region or "",
                    country=settings.merchant_country or "",
                ),
            ),
        ),
        receiver=_party(settings.receiver),
        settlement_entity=_party(settings.settlement_entity),
    )


def request(ask: MoneyOperation, parties: Parties, pin_fields: PinFields) -> Call:
    """Write the request of a money operation."""
    shape = SHAPES[ask.operation]
    body = wire.TransactionRequest(
        id=ask.transaction_id,
        time=_time(ask.requested_at),
        originator=originator(ask.point_of_sale, parties),
        client=parties.client,
        receiver=parties.receiver,
        settlement_entity=parties.settlement_entity,
        third_party_identifiers=_identifiers(_all_identifiers(ask, parties)),
        basket_ref=ask.basket_reference,
        tran_type=ask.transaction_type,
        src_acc_type=ask.source_account or "",
        dest_acc_type=ask.destination_account or "",
        stan=ask.system_trace_number,
        rrn=ask.retrieval_reference,
        slip_data=_slip(ask.slip) if ask.slip else None,
        amounts=_amounts(ask),
        product=_product(ask.product) if ask.product else None,
        pos_info=_pos_info(ask.point_of_sale) if ask.point_of_sale else None,
        basket=_basket(ask.basket) if ask.basket and shape.has_basket else None,
        points=wire.PointAmounts(request_amount=_points(ask.points)) if ask.points else None,
        card_holder=_customer(ask.card_holder) if ask.card_holder else None,
        **{name: _card(card, pin_fields) for name, card in zip(shape.cards, ask.cards, strict=True)},
    )
    return _post(f"/{shape.path}/{ask.transaction_id}", body)


def lookup(ask: Lookup, parties: Parties, pin_fields: PinFields) -> Call:
    """Write a lookup. It always says how the card was read: Electrum's servers may echo that and need it."""
    body = wire.TransactionRequest(
        id=ask.lookup_id,
        time=_time(ask.asked_at),
        originator=originator(ask.point_of_sale, parties),
        client=parties.client,
        receiver=parties.receiver,
        settlement_entity=parties.settlement_entity,
        third_party_identifiers=_identifiers(ask.third_party_identifiers),
        basket_ref=ask.basket_reference,
        tran_type=ask.transaction_type,
        src_acc_type=ask.source_account or "",
        dest_acc_type=ask.destination_account or "",
        stan=ask.system_trace_number,
        rrn=ask.retrieval_reference,
        card=_card(ask.card, pin_fields) if ask.card else None,
        card_holder=_customer(ask.card_holder) if ask.card_holder else None,
        pos_info=_pos_info(ask.point_of_sale or PointOfSale(), is_needed=True),
    )
    return _post(LOOKUP_PATH + ask.lookup_id, body)


def advice(ask: MoneyOperation, outcome: Outcome | None, written: Advice, parties: Parties) -> Call:
    """Write the confirmation or reversal of `ask`; raise Unsupported for a part of what has no amount."""
    shape = SHAPES[ask.operation]
    is_reversal = written.kind is AdviceKind.REVERSAL
    final = _final_amount(ask, outcome, written)
    heard = (outcome.third_party_identifiers if outcome else ()) or _all_identifiers(ask, parties)
    references = outcome.references if outcome else {}
    body = wire.AdviceBody(
        id=written.advice_id,
        request_id=ask.transaction_id,
        time=_time(written.written_at),
        # The list is echoed, and what is new comes after it: nobody alters another's.
        third_party_identifiers=_identifiers(
            tuple(dict.fromkeys((*heard, *written.third_party_identifiers)))
        ),
        stan=written.system_trace_number or references.get("stan", ask.system_trace_number),
        rrn=written.retrieval_reference or references.get("rrn", ask.retrieval_reference),
        amounts=wire.Amounts(approved_amount=_amount(final)) if final else None,
        tenders=None if is_reversal else _tenders(shape, written),
        reversal_reason=_reason(outcome, written) if is_reversal else "",
    )
    suffix = "reversals" if is_reversal else "confirmations"
    return _post(f"/{shape.path}/{ask.transaction_id}/{suffix}/{written.advice_id}", body)


def originator(till: PointOfSale | None, parties: Parties) -> wire.Originator:
    """Return who asks: each field from the caller, else from the settings.

    An institution that the settings do not list is left for `limits` to refuse.
    """
    default = parties.originator
    if till is None:
        return default
    shop = till.merchant
    house = default.merchant
    printed = house.merchant_name
    return wire.Originator(
        institution=_institution(till, parties),
        terminal_id=till.terminal_id or default.terminal_id,
        merchant=house
        if shop is None
        else wire.WireMerchant(
            merchant_type=shop.category_code or house.merchant_type,
            merchant_id=shop.merchant_id or house.merchant_id,
            merchant_name=wire.MerchantName(
                name=shop.name or printed.name,
                city=shop.city or printed.city,
                region=shop.region or printed.region,
                country=shop.country or printed.country,
            ),
        ),
        operator_id=till.operator_id,
        channel_id=till.channel_id,
    )


def _institution(till: PointOfSale, parties: Parties) -> wire.Party:
    if till.institution is None:
        return parties.originator.institution
    names = {one.id: one.name for one in parties.originators}
    wanted, default = till.institution, parties.originator.institution
    return wire.Party(
        id=wanted.institution_id, name=wanted.name or names.get(wanted.institution_id, default.name)
    )


def _party(named: PartySettings | None) -> wire.Party | None:
    return wire.Party(id=named.institution_id, name=named.name) if named else None


def _post(path: str, body: msgspec.Struct) -> Call:
    return Call(method="POST", path=path, body=wire.encode(body), headers=_HEADERS)


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _midnight(day: date | str) -> str:
    return f"{day}T00:00:00.000Z"


def _amount(money: Money, side: LedgerIndicator | None = None) -> wire.LedgerAmount:
    return wire.LedgerAmount(
        amount=money.amount_minor, currency=numeric_code(money.currency), ledger_indicator=side or ""
    )


def _amounts(ask: MoneyOperation) -> wire.Amounts | None:
    told = wire.Amounts(
        request_amount=_amount(ask.amount, ask.ledger_indicator) if ask.amount else None,
        fee_amount=_amount(ask.fee_amount, ask.fee_ledger_indicator) if ask.fee_amount else None,
        additional_amounts={
            one.name: _amount(one.amount, one.ledger_indicator) for one in ask.additional_amounts
        },
    )
    return None if told == wire.Amounts() else told


def _slip(slip: Slip) -> wire.SlipData:
    return wire.SlipData(
        message_lines=tuple(_slip_line(line) for line in slip.lines),
        slip_width=slip.width,
        issuer_reference=slip.issuer_reference,
    )


def _slip_line(line: SlipLine) -> wire.WireSlipLine:
    barcode = wire.Barcode(data=line.barcode, encoding=line.barcode_encoding) if line.barcode else None
    return wire.WireSlipLine(
        text=line.text,
        font_width_scale_factor=line.width_factor if line.width_factor != 1 else None,
        font_height_scale_factor=line.height_factor if line.height_factor != 1 else None,
        line=line.line,
        cut=line.cut,
        barcode=barcode,
    )


def _all_identifiers(ask: MoneyOperation, parties: Parties) -> tuple[ThirdPartyIdentifier, ...]:
    if not ask.external_reference:
        return ask.third_party_identifiers
    ours = ThirdPartyIdentifier(
        institution_id=parties.client.id, transaction_identifier=ask.external_reference
    )
    return (*ask.third_party_identifiers, ours)


def _identifiers(given: Sequence[ThirdPartyIdentifier]) -> tuple[wire.Identifier, ...]:
    return tuple(
        wire.Identifier(institution_id=one.institution_id, transaction_identifier=one.transaction_identifier)
        for one in given
    )


def _card(card: CardRef, pin_fields: PinFields) -> wire.WireCard:
    return wire.WireCard(
        pan=card.number or Secret(""),
        expiry_date=card.expiry,
        pin=pins.pin(card.pin, pin_fields),
        clear_pin=pins.clear_pin(card.pin, pin_fields),
        encrypted_pin=pins.encrypted_pin(card.pin, pin_fields),
        rank=card.rank,
    )


def _product(product: Product) -> wire.WireProduct:
    return wire.WireProduct(id=product.product_id, barcode=product.barcode, type=product.product_type)


def _pos_info(till: PointOfSale, *, is_needed: bool = False) -> wire.PosInfo | None:
    modes = None
    if till.entry_mode or till.pin_entry_capability or is_needed:
        modes = wire.EntryModes(
            pan_entry_mode=ENTRY_MODES[till.entry_mode] if till.entry_mode else UNKNOWN_MODE,
            pin_entry_capability=(
                PIN_ENTRY[till.pin_entry_capability] if till.pin_entry_capability else UNKNOWN_MODE
            ),
        )
    condition = CONDITIONS[till.condition] if till.condition else ""
    return wire.PosInfo(entry_mode=modes, pos_condition_code=condition) if modes or condition else None


def _basket(basket: Basket) -> wire.WireBasket:
    return wire.WireBasket(basket_id=basket.basket_id, items=tuple(_item(item) for item in basket.items))


def _item(item: BasketItem) -> wire.Item:
    return wire.Item(
        product_id=item.product_id,
        product_name=item.name if ITEM_NAME.fullmatch(item.name) else "",
        product_type=item.product_type,
        quantity=item.quantity,
        unit=item.unit or "",
    )


def _points(points: Points) -> wire.PointsAmount:
    return wire.PointsAmount(
        amount=points.amount,
        currency_equivalent=_amount(points.worth) if points.worth else None,
        points_due_to_expire=points.due_to_expire,
        expiry_date=_midnight(points.expires_on) if points.expires_on else "",
    )


def _customer(holder: CardHolder) -> wire.Customer:
    return wire.Customer(
        first_name=holder.first_name,
        last_name=holder.last_name,
        address_details=_address(holder.address) if holder.address else None,
        date_of_birth=_midnight(holder.date_of_birth) if holder.date_of_birth else "",
        status=holder.status,
        msisdn=holder.phone,
        email_address=holder.email,
        profile_id=holder.profile_id,
    )


def _address(address: Address) -> wire.WireAddress:
    first, second = (*address.lines, "", "")[:2]
    return wire.WireAddress(
        address_line1=first,
        address_line2=second,
        city=address.city,
        region=address.region,
        country=address.country,
        postal_code=address.postal_code,
    )


def _final_amount(ask: MoneyOperation, outcome: Outcome | None, written: Advice) -> Money | None:
    """Return what is left standing when the advice is done, or None for all of it (or nothing)."""
    if written.amount is None:
        return None
    approved = (outcome.approved if outcome else None) or ask.amount
    if approved is None:
        raise Unsupported("there is no approved amount to take a part of")
    if written.kind is AdviceKind.CONFIRMATION:
        return written.amount
    left = Money(approved.currency, approved.amount_minor - written.amount.amount_minor)
    return left if left.amount_minor else None


def _tenders(shape: Shape, written: Advice) -> tuple[wire.WireTender, ...] | None:
    return tuple(_tender(tender) for tender in written.tenders) if shape.has_tenders else None


def _tender(tender: Tender) -> wire.WireTender:
    return wire.WireTender(
        amount=_amount(tender.amount),
        tender_type=tender.tender_type,
        account_type=tender.account_type or "",
        card_number=tender.masked_card_number,
        reference=tender.reference,
    )


def _reason(outcome: Outcome | None, written: Advice) -> ReversalReason:
    if written.reason is not None:
        return written.reason
    if outcome is None:
        return ReversalReason.TIMEOUT
    if outcome.verdict is Verdict.UNKNOWN:
        return ReversalReason.RESPONSE_NOT_FINAL
    return ReversalReason.CANCELLED
