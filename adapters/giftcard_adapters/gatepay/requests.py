"""Our operations and lookups as GatePay's requests: values in, calls out. Pure; nothing is sent here."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

import msgspec

from giftcard_adapters.calls import Call
from giftcard_adapters.errors import Invalid
from giftcard_adapters.gatepay import wire
from giftcard_adapters.gatepay.settings import Dialect, GatePaySettings
from giftcard_adapters.values.money import to_decimal
from giftcard_adapters.values.operations import Issue
from giftcard_adapters.values.secret import Secret

_JSON = (("content-type", "application/json"),)
"""GatePay refuses any request without it, a GET too, with code 400007."""


class Paths(msgspec.Struct, frozen=True):
    """Where a dialect keeps its operations."""

    create: str
    templates: str
    query: str
    balance: str


PATHS: Mapping[Dialect, Paths] = {
    Dialect.REFERENCE: Paths(
        "/v1/pay/gift/create", "/v1/pay/gift/temp/list", "/v1/pay/gift/query", "/v1/pay/balance/query"
    ),
    Dialect.GUIDE: Paths(
        "/v1/pay/giftcard/create",
        "/v1/pay/giftcard/template/list",
        "/v1/pay/giftcard/query",
        "/v1/pay/balance/query",
    ),
}


def issuance(ask: Issue, settings: GatePaySettings) -> Call:
    """Write the request that creates a card; raise Invalid without an amount."""
    if ask.amount is None:
        raise Invalid([("amount", "GatePay needs an amount")])
    wanted = wire.CreateRequest(
        title=ask.title or settings.title,
        template_id=ask.template_id or settings.template_id,
        currency=provider_currency(ask.amount.currency, settings),
        amount=f"{to_decimal(ask.amount):f}",
    )
    return _post(PATHS[settings.dialect].create, wanted, settings)


def provider_currency(iso: str, settings: GatePaySettings) -> str:
    """Return what GatePay calls an ISO 4217 currency: the same, unless the settings say otherwise."""
    return settings.currencies.get(iso, iso)


def query(number: Secret | None, key: Secret | None, settings: GatePaySettings) -> Call:
    """Write the request for one card, by its number or its redemption key."""
    path = PATHS[settings.dialect].query
    if settings.dialect is Dialect.GUIDE:
        return _get_by_card(path, number, key, settings)
    wanted = wire.QueryRequest(card_number=number.reveal() if number else "", key=key.reveal() if key else "")
    return _post(path, wanted, settings)


def balance(number: Secret | None, key: Secret | None, settings: GatePaySettings) -> Call:
    """Write the guide's request for one card's balance.

    The reference dialect answers the merchant account's balance on the same path.
    """
    return _get_by_card(PATHS[settings.dialect].balance, number, key, settings)


def templates(settings: GatePaySettings) -> Call:
    """Write the request for every cover template."""
    path = prefix(settings) + PATHS[settings.dialect].templates
    return Call(method="GET", path=path, headers=_JSON)


def _get_by_card(path: str, number: Secret | None, key: Secret | None, settings: GatePaySettings) -> Call:
    """Name a card in a query string, by its number if we have it: the key alone is enough to spend it."""
    named = {"cardNumber": number.reveal()} if number else {"key": key.reveal() if key else ""}
    return Call(method="GET", path=f"{prefix(settings)}{path}?{urlencode(named)}", headers=_JSON)


def _post(path: str, content: msgspec.Struct, settings: GatePaySettings) -> Call:
    return Call(method="POST", path=prefix(settings) + path, headers=_JSON, body=wire.encode(content))


def prefix(settings: GatePaySettings) -> str:
    """Return what stands before every path of a platform that acts for others."""
    return settings.institution_prefix if settings.on_behalf_of else ""
