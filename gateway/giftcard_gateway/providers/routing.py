"""Which configured provider serves this card.

An explicit provider wins; else the rule with the longest card-number prefix, then the most other
conditions, then the earliest; else the configured default; else NO_ROUTE. Pure, so that a dry run
gives the answer a real call would get.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from giftcard_adapters.values.operations import Operation
from giftcard_gateway.errors import CrossProvider, NoRoute

if TYPE_CHECKING:
    from collections.abc import Sequence

    from giftcard_adapters.values.cards import CardRef
    from giftcard_adapters.values.operations import MoneyOperation


class Rule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Sends what meets every condition given to `provider`; an empty condition is met by anything."""

    provider: str
    prefix: str = ""
    merchant: str = ""
    currency: str = ""
    product: str = ""
    operation: Operation | None = None
    failover: str = ""
    """The provider an issue goes to when it was surely not sent to the first."""


class RoutingFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The facts of a request that rules match; `number` is a card number and never shown."""

    number: str = ""
    merchant: str = ""
    currency: str = ""
    product: str = ""
    operation: Operation | None = None

    def __repr__(self) -> str:
        """Show no card number."""
        return f"RoutingFacts({self.operation}, {self.merchant!r}, {self.currency!r}, {self.product!r})"


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Where a request goes, and why, in words for a person."""

    provider: str
    because: str
    failover: str = ""


class Router:
    """Chooses among configured rules."""

    def __init__(self, rules: Sequence[Rule], default: str = "") -> None:
        """Route by these rules."""
        self.renew(rules, default)

    def renew(self, rules: Sequence[Rule], default: str = "") -> None:
        """Route by these from now on. They are ordered once, so that the first that matches is the answer."""
        self._rules = sorted(rules, key=_specificity, reverse=True)
        self._default = default

    def route(self, ask: MoneyOperation) -> Route:
        """Return where a money operation goes; raise NoRoute or CrossProvider."""
        if ask.provider:
            return Route(provider=ask.provider, because="the caller named it")
        first, *others = ask.cards or (None,)
        route = self.choose(_facts(ask, first))
        for card in others:
            if self.choose(_facts(ask, card)).provider != route.provider:
                raise CrossProvider
        return route

    def route_card(self, card: CardRef, provider: str = "") -> Route:
        """Return where a read about a card goes; raise NoRoute."""
        if provider:
            return Route(provider=provider, because="the caller named it")
        return self.choose(RoutingFacts(number=_number(card)))

    def choose(self, facts: RoutingFacts) -> Route:
        """Return where something with these facts goes; raise NoRoute."""
        for rule in self._rules:
            if _matches(rule, facts):
                return Route(provider=rule.provider, because=_because(rule), failover=rule.failover)
        if self._default:
            return Route(provider=self._default, because="it is the default and no rule matches")
        raise NoRoute


def _specificity(rule: Rule) -> tuple[int, int]:
    conditions = (rule.merchant, rule.currency, rule.product, rule.operation)
    return len(rule.prefix), sum(1 for condition in conditions if condition)


def _matches(rule: Rule, facts: RoutingFacts) -> bool:
    # The empty prefix matches every card, and also a request that names no card number.
    return (
        facts.number.startswith(rule.prefix)
        and rule.merchant in {"", facts.merchant}
        and rule.currency in {"", facts.currency}
        and rule.product in {"", facts.product}
        and rule.operation in {None, facts.operation}
    )


def _because(rule: Rule) -> str:
    conditions = {
        "prefix": rule.prefix,
        "merchant": rule.merchant,
        "currency": rule.currency,
        "product": rule.product,
        "operation": rule.operation.value if rule.operation else "",
    }
    given = [f"{name} {value}" for name, value in conditions.items() if value]
    return f"the rule for {', '.join(given)} matches" if given else "the rule without conditions matches"


def _merchant(ask: MoneyOperation) -> str:
    point_of_sale = ask.point_of_sale
    if point_of_sale is None or point_of_sale.merchant is None:
        return ""
    return point_of_sale.merchant.merchant_id


def _facts(ask: MoneyOperation, card: CardRef | None) -> RoutingFacts:
    return RoutingFacts(
        number=_number(card),
        merchant=_merchant(ask) if ask.point_of_sale else "",
        currency=ask.amount.currency if ask.amount else "",
        product=ask.product.product_id if ask.product else "",
        operation=ask.operation,
    )


def _number(card: CardRef | None) -> str:
    return card.number.reveal() if card and card.number else ""
