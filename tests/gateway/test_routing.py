"""Which provider serves a card: what the rules of routing promise."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Operation, Redeem, Transfer
from giftcard_adapters.values.point_of_sale import Merchant, PointOfSale, Product
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.errors import CrossProvider, NoRoute
from giftcard_gateway.providers.routing import Router, RoutingFacts, Rule

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def card(number: str) -> CardRef:
    """Return a card of this number."""
    return CardRef(number=Secret(number))


def redeem(number: str = "6045000000000061", provider: str = "") -> Redeem:
    """Return a redemption at a shop."""
    return Redeem(
        transaction_id="8f14e45f-ceea-467f-a8f0-000000000001",
        requested_at=NOW,
        provider=provider,
        amount=Money("ZAR", 100),
        card=card(number),
        product=Product(product_id="p1"),
        point_of_sale=PointOfSale(merchant=Merchant(merchant_id="m1")),
    )


def test_caller_wins() -> None:
    """A provider the caller names is taken, whatever the rules say."""
    router = Router([Rule(provider="ruled", prefix="6045")], default="default")
    assert router.route(redeem(provider="named")).provider == "named"


def test_longest_prefix_wins_over_conditions() -> None:
    """The longest matching prefix decides first; other conditions only break ties."""
    router = Router(
        [
            Rule(provider="short", prefix="60", merchant="m1", currency="ZAR", product="p1"),
            Rule(provider="long", prefix="6045"),
            Rule(provider="tie", prefix="6045", merchant="m1"),
        ]
    )
    assert router.route(redeem()).provider == "tie"
    assert router.choose(RoutingFacts(number="6045")).provider == "long"


@pytest.mark.parametrize(
    ("rule", "answer"),
    [
        (Rule(provider="one", merchant="m1"), "one"),
        (Rule(provider="one", merchant="m2"), "default"),
        (Rule(provider="one", currency="EUR"), "default"),
        (Rule(provider="one", product="p1", currency="ZAR"), "one"),
        (Rule(provider="one", operation=Operation.LOAD), "default"),
        (Rule(provider="one", operation=Operation.REDEEM), "one"),
    ],
)
def test_every_condition_counts(rule: Rule, answer: str) -> None:
    """A rule is taken only when every condition it has is met."""
    assert Router([rule], default="default").route(redeem()).provider == answer


def test_no_rule_no_route() -> None:
    """Without a matching rule and a default there is no route, and the refusal shows no card."""
    with pytest.raises(NoRoute) as refusal:
        Router([Rule(provider="other", prefix="9")]).route(redeem())
    assert "6045" not in str(refusal.value)


def test_two_cards_two_providers() -> None:
    """Two cards of one transaction that route apart are refused."""
    ask = Transfer(
        transaction_id="8f14e45f-ceea-467f-a8f0-000000000002",
        requested_at=NOW,
        amount=Money("ZAR", 100),
        source_card=card("6045000000000061"),
        target_card=card("7045000000000061"),
    )
    with pytest.raises(CrossProvider):
        Router([Rule(provider="one", prefix="6"), Rule(provider="two", prefix="7")]).route(ask)


@given(st.lists(st.text("0123456789", max_size=4), unique=True), st.text("0123456789", max_size=19))
def test_prefixes_are_the_longest_match(prefixes: list[str], number: str) -> None:
    """Of any set of prefixes the longest that begins the number is the answer."""
    router = Router([Rule(provider=f"p{prefix}", prefix=prefix) for prefix in prefixes], default="none")
    longest = max((prefix for prefix in prefixes if number.startswith(prefix)), key=len, default=None)
    assert router.choose(RoutingFacts(number=number)).provider == (
        "none" if longest is None else f"p{longest}"
    )
