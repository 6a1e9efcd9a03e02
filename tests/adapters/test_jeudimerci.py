"""The JeudiMerci adapter, beyond its golden files: checks, settings, streaming, and hidden card data."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

import httpx
import msgspec
import pytest

from giftcard_adapters.calls import Moment
from giftcard_adapters.contract import Provider
from giftcard_adapters.errors import Invalid, SettingsError
from giftcard_adapters.jeudimerci import JeudiMerci, wire
from giftcard_adapters.jeudimerci.answers import card_id
from giftcard_adapters.stanza import open_provider, read_settings
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Issue, Redeem
from giftcard_adapters.values.points import Points
from giftcard_adapters.values.secret import Secret

AT = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
STANZA: dict[str, object] = {"base_url": "https://jdm.example", "api_key": "not-a-key", "currency": "EUR"}
ONE_EURO = Money("EUR", 100)


class Silent(httpx.AsyncBaseTransport):
    """A provider that must not be spoken to."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Fail the test."""
        raise AssertionError(f"{request.method} was sent")


def opened(
    transport: httpx.AsyncBaseTransport | None = None, changes: Mapping[str, object] | None = None
) -> Provider:
    """Open the adapter on a transport, silent unless one is given."""
    return open_provider(
        JeudiMerci,
        read_settings(JeudiMerci, {**STANZA, **(changes or {})}),
        transport=transport or Silent(),
        moment=lambda: Moment(now_s=0.0, nonce="0" * 32),
    )


def issue(fields: Mapping[str, object]) -> Issue:
    """Ask for an e-card of one euro, with some fields changed."""
    plain = Issue(transaction_id="t", requested_at=AT, amount=ONE_EURO)
    return msgspec.structs.replace(plain, **fields)


def test_a_good_issue_passes() -> None:
    """What the API can take is not refused; a title has no place and is left out."""
    opened().check(issue({"quantity": 3, "title": "Happy birthday"}))


@pytest.mark.parametrize(
    ("fields", "violations"),
    [
        ({"amount": None}, [("amount", "JeudiMerci needs the price of one card")]),
        ({"amount": Money("USD", 100)}, [("amount.currency_code", "this wallet is in EUR")]),
        (
            {"amount": Money("USD", 0), "quantity": 0},
            [
                ("amount.currency_code", "this wallet is in EUR"),
                ("amount", "the price must be more than zero"),
                ("quantity", "at least one card"),
            ],
        ),
    ],
)
def test_bad_fields_are_named_at_once(fields: dict[str, object], violations: list[tuple[str, str]]) -> None:
    """Every bad field of an issue is named, before anything is sent."""
    with pytest.raises(Invalid) as caught:
        opened().check(issue(fields))
    assert list(caught.value.violations) == violations


@pytest.mark.parametrize(
    "fields",
    [{"template_id": "x"}, {"theme_id": "x"}, {"offer_id": "x"}, {"points": Points(amount=1)}],
)
def test_what_has_no_field_is_refused(fields: dict[str, object]) -> None:
    """A template, a theme, an offer or points change what is bought, have no field, and are named."""
    with pytest.raises(Invalid) as caught:
        opened().check(issue(fields))
    assert list(caught.value.violations) == [(*fields, "JeudiMerci publishes no field for it")]


def test_other_operations_are_not_judged() -> None:
    """An operation the adapter does not have is refused by the gateway, not here."""
    opened().check(Redeem(transaction_id="t", requested_at=AT, card=CardRef(number=Secret("6045"))))


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"currency": "EURO"}, "key 'currency': not an ISO 4217 currency with minor units"),
        ({"time_zone": "Mars/Base"}, "key 'time_zone': is no IANA time zone, such as Europe/Paris"),
        ({"api_key": "clé"}, "key 'api_key': cannot stand in a header"),
        ({"api_key": "key\r\nx-admin: 1"}, "key 'api_key': cannot stand in a header"),
        ({"details_path": "/card"}, "key 'details_path': must hold {code}"),
        ({"delete_path": "/card"}, "key 'delete_path': must hold {code}"),
        ({"export_path": "/file"}, "key 'export_path': must hold {id}"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, object], fault: str) -> None:
    """An unknown currency and a path without its placeholder are refused when the provider is opened."""
    with pytest.raises(SettingsError) as caught:
        opened(changes=changes)
    assert caught.value.faults == (fault,)


class Slow(httpx.AsyncByteStream):
    """A body that counts how much of it was read."""

    def __init__(self) -> None:
        """Start unread."""
        self.given = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield pieces without end."""
        while True:
            self.given += 1
            yield b"x" * 1024


async def test_an_export_is_never_whole_in_memory() -> None:
    """Bytes are read only as the caller takes them, so an endless export can be closed in the middle."""
    body = Slow()
    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=body))
    async with opened(transport).download_export("e1") as (file, pieces):
        assert file.size is None
        assert body.given == 0
        first = await anext(pieces)
        assert len(first) == 1024
        assert body.given == 1


async def test_a_compressed_export_has_no_size() -> None:
    """The length of a compressed body is not the file's, so no size is told."""
    transport = httpx.MockTransport(
        lambda _: httpx.Response(200, headers={"content-encoding": "gzip", "content-length": "9"})
    )
    async with opened(transport).download_export("e1") as (file, _):
        assert file.size is None


def test_the_wire_hides_what_is_money() -> None:
    """No struct of the wire shows a code, a PIN, a URL or a person."""
    card = wire.ECard(code="SECRET-CODE", url="https://short.example/SECRET")
    resource = wire.WebhookResource(virtual_card_code="SECRET-CODE", pin_code="4711")
    contact = wire.AccountContact(name="Ada", email="ada@x.example")
    shown = repr([wire.ECards(eCards=(card,)), resource, contact])
    assert not any(text in shown for text in ("SECRET", "4711", "Ada", "ada@"))


def test_ids_do_not_tell_codes() -> None:
    """The id shown for a card depends on a key, so a list of codes cannot be tried against it."""
    one, two = (card_id("SECRET-CODE", Secret(key)) for key in ("one", "two"))
    assert one != two
    assert card_id("SECRET-CODE", Secret("one")) == one
