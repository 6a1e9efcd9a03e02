"""Transactions of gift cards, and their refunds.

Cards are redeemed in order and at once. When one fails, those redeemed before are put back and
those after it are skipped. Money moves when a transaction or refund is made; with `settles_after`
its outcome shows only that much later, as with a slow service.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from giftcard_simulators.bank import BankCard
from giftcard_simulators.gr4vy.messages import (
    CardItem,
    PaidItem,
    RefundBody,
    TransactionBody,
    buyer_of,
    check_cards,
    check_use_case,
)
from giftcard_simulators.gr4vy.problems import Problem
from giftcard_simulators.gr4vy.service import CardService, ServiceError
from giftcard_simulators.gr4vy.vault import NOBODY, BuyerIds, Vault
from giftcard_simulators.sandbox import IdSource

_MOST_CARDS = 10
_TARGET = "gift-card-redemption"


class Redeemed(msgspec.Struct, kw_only=True):
    """One card's part in a transaction; `number` and `stored_id` say which card."""

    id: str
    amount: int
    number: str
    pin: str
    stored_id: str = ""
    status: str = "created"
    refunded: int = 0
    error: ServiceError | None = None


class Paid(msgspec.Struct, kw_only=True):
    """One transaction; `asked` made it, `outcome` is what it comes to once it has settled."""

    id: str
    asked: TransactionBody
    buyer: BuyerIds
    created_at: datetime
    settled_at: datetime
    outcome: str
    redemptions: list[Redeemed]

    @property
    def effect_id(self) -> str:
        """Its id in the books: the merchant's own id if it has one."""
        return self.asked.external_identifier or self.id


class PutBack(msgspec.Struct, kw_only=True):
    """One refund; `outcome` is what it comes to once it has settled."""

    id: str
    paid: Paid
    amount: int
    target_id: str
    reason: str | None
    external_identifier: str | None
    created_at: datetime
    settled_at: datetime
    outcome: str
    error: ServiceError | None = None


class Payments:
    """Transactions and refunds in the order they were made."""

    def __init__(
        self,
        service: CardService,
        vault: Vault,
        *,
        now: Callable[[], datetime],
        ids: IdSource,
        settles_after: timedelta,
    ) -> None:
        """Start empty."""
        self._service = service
        self._vault = vault
        self._now = now
        self._ids = ids
        self._settles_after = settles_after
        self._paid: dict[str, Paid] = {}
        self._put_back: dict[str, PutBack] = {}

    def pay(self, body: TransactionBody) -> Paid:
        """Make a transaction; one that fails is recorded too, as failed."""
        buyer = buyer_of(body.buyer_id, body.buyer_external_identifier)
        redemptions = self._redemptions(body, buyer)
        at = self._now()
        paid = Paid(
            id=self._ids(),
            asked=body,
            buyer=buyer,
            created_at=at,
            settled_at=at + self._settles_after,
            outcome="succeeded",
            redemptions=redemptions,
        )
        self._paid[paid.id] = paid
        self._redeem(paid)
        return paid

    def _redemptions(self, body: TransactionBody, buyer: BuyerIds) -> list[Redeemed]:
        check_use_case(body)
        if body.payment_method is not None or not body.gift_cards:
            raise Problem(400, pointer="/payment_method", message="The sandbox plays gift cards alone")
        if len(body.gift_cards) > _MOST_CARDS:
            raise Problem(400, pointer="/gift_cards", message="Too many gift cards")
        if body.intent == "capture" and body.amount == 0:
            raise Problem(400, pointer="/amount", message="A capture needs an amount")
        if sum(item.amount for item in body.gift_cards) != body.amount:
            raise Problem(400, pointer="/amount", message="The gift cards do not cover the amount")
        check_cards(body.gift_cards, "/gift_cards")
        redemptions = [self._redemption(item, buyer) for item in body.gift_cards]
        if len({redemption.number for redemption in redemptions}) < len(redemptions):
            raise Problem(400, pointer="/gift_cards", message="A gift card is named twice")
        return redemptions

    def _redemption(self, item: PaidItem, buyer: BuyerIds) -> Redeemed:
        number, pin, stored_id = self.named(item)
        if stored_id and (owner := self._vault.get(stored_id).buyer) not in {NOBODY, buyer}:
            raise Problem(400, pointer="/buyer_id", message=f"The gift card has another buyer: {bool(owner)}")
        return Redeemed(id=self._ids(), amount=item.amount, number=number, pin=pin, stored_id=stored_id)

    def named(self, item: CardItem) -> tuple[str, str, str]:
        """Return number, PIN and stored id of a card; raise a Problem when it cannot be found so."""
        if item.id is not None:
            stored = self._vault.get(str(item.id))
            return stored.card.number, stored.pin, stored.id
        return item.number or "", item.pin or "", ""

    def _redeem(self, paid: Paid) -> None:
        done: list[tuple[Redeemed, BankCard]] = []
        for redemption in paid.redemptions:
            if paid.outcome == "failed":
                redemption.status = "skipped"
                continue
            try:
                card = self._service.usable_card(redemption.number, redemption.pin)
                self._service.redeem(card, redemption.amount, paid.asked.currency, paid.effect_id)
            except ServiceError as why:
                redemption.status, redemption.error, paid.outcome = "failed", why, "failed"
                self._revert(done, paid)
                continue
            redemption.status = "succeeded"
            self._vault.count_use(redemption.stored_id)
            done.append((redemption, card))

    def _revert(self, done: Iterable[tuple[Redeemed, BankCard]], paid: Paid) -> None:
        for redemption, card in done:
            self._service.revert(card, redemption.amount, paid.effect_id)
            redemption.refunded = redemption.amount

    def refund(self, paid: Paid, body: RefundBody) -> PutBack:
        """Refund a redemption, or part of it; a refund that fails is recorded too, as failed."""
        if body.target_type != _TARGET:
            raise Problem(400, pointer="/target_type", message="There is no payment method to refund")
        redemption = _target(paid, str(body.target_id) if body.target_id else "")
        amount = redemption.amount - redemption.refunded if body.amount is None else body.amount
        if redemption.status != "succeeded" or not 0 < amount <= redemption.amount - redemption.refunded:
            raise Problem(400, pointer="/amount", message="There is not that much to refund")
        return self._put(paid, redemption, amount, body.reason, body.external_identifier)

    def refund_all(self, paid: Paid, reason: str | None, external_identifier: str | None) -> list[PutBack]:
        """Refund everything a transaction took; each refund can fail separately."""
        return [
            self._put(paid, redemption, redemption.amount - redemption.refunded, reason, external_identifier)
            for redemption in paid.redemptions
            if redemption.status == "succeeded" and redemption.refunded < redemption.amount
        ]

    def _put(
        self, paid: Paid, redemption: Redeemed, amount: int, reason: str | None, name: str | None
    ) -> PutBack:
        at = self._now()
        put = PutBack(
            id=self._ids(),
            paid=paid,
            amount=amount,
            target_id=redemption.id,
            reason=reason,
            external_identifier=name,
            created_at=at,
            settled_at=at + self._settles_after,
            outcome="succeeded",
        )
        try:
            card = self._service.card(redemption.number, redemption.pin)
            self._service.put_back(card, amount, paid.effect_id)
        except ServiceError as why:
            put.outcome, put.error = "failed", why
        else:
            redemption.refunded += amount
        self._put_back[put.id] = put
        return put

    def get(self, paid_id: str) -> Paid:
        """Return a transaction; raise a Problem when there is none."""
        try:
            return self._paid[paid_id]
        except KeyError:
            raise Problem(404) from None

    def all(self) -> Sequence[Paid]:
        """Return every transaction, the newest first."""
        return list(reversed(self._paid.values()))

    def refund_of(self, put_id: str) -> PutBack:
        """Return a refund; raise a Problem when there is none."""
        try:
            return self._put_back[put_id]
        except KeyError:
            raise Problem(404) from None

    def refunds_of(self, paid: Paid) -> Sequence[PutBack]:
        """Return the refunds of a transaction, the newest first."""
        return [put for put in reversed(self._put_back.values()) if put.paid is paid]


def _target(paid: Paid, target_id: str) -> Redeemed:
    for redemption in paid.redemptions:
        if redemption.id == target_id:
            return redemption
    raise Problem(400, pointer="/target_id", message="No such redemption in this transaction")
