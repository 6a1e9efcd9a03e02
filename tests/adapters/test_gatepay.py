"""The GatePay adapter, beyond its golden files: checks, settings, the guide dialect, hidden card data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial

import httpx
import msgspec
import pytest

from giftcard_adapters.calls import Moment, Reply
from giftcard_adapters.contract import Provider
from giftcard_adapters.errors import Invalid, SettingsError
from giftcard_adapters.gatepay import GatePay, wire
from giftcard_adapters.gatepay.answers import card_view
from giftcard_adapters.stanza import open_provider, read_settings
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.declines import DeclineReason
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Issue, Operation, Redeem
from giftcard_adapters.values.points import Points
from giftcard_adapters.values.reads import CardState, Lookup
from giftcard_adapters.values.secret import Secret
from giftcard_conformance import Case, ReadSample, Sample, Subject, cases
from giftcard_simulators.gatepay import sandbox_settings
from giftcard_simulators.gatepay.simulator import GatePaySimulator

AT = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
STANZA: dict[str, object] = {
    "base_url": "https://gatepay.example",
    "client_id": "client-1",
    "api_secret": "test-secret",
}


class Silent(httpx.AsyncBaseTransport):
    """A provider that must not be spoken to."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Fail the test."""
        raise AssertionError(f"{request.method} was sent")


def opened(changes: Mapping[str, object] | None = None) -> Provider:
    """Open the adapter on a silent transport."""
    return open_provider(
        GatePay,
        read_settings(GatePay, {**STANZA, **(changes or {})}),
        transport=Silent(),
        moment=lambda: Moment(now_s=0.0, nonce="0" * 32),
    )


def issue(fields: Mapping[str, object]) -> Issue:
    """Ask for a card, with some fields changed."""
    plain = Issue(transaction_id="t", requested_at=AT, amount=Money("USD", 100), title="t", template_id="1")
    return msgspec.structs.replace(plain, **fields)


def test_a_good_issue_passes() -> None:
    """What a create has fields for is not refused, and the stanza's title and template count."""
    opened().check(issue({}))
    opened({"title": "t", "template_id": "1"}).check(issue({"title": "", "template_id": ""}))


def test_bad_fields_are_named_at_once() -> None:
    """Every missing or misshapen field of an issue is named, before anything is sent."""
    with pytest.raises(Invalid) as caught:
        opened().check(issue({"amount": None, "quantity": 2, "title": "", "template_id": ""}))
    assert list(caught.value.violations) == [
        ("amount", "GatePay needs an amount of more than zero"),
        ("quantity", "GatePay issues one card at a time"),
        ("title", "GatePay needs a title for the card"),
        ("template_id", "GatePay needs a cover template; list_templates names them"),
    ]


@pytest.mark.parametrize("fields", [{"theme_id": "x"}, {"offer_id": "x"}, {"points": Points(amount=1)}])
def test_what_has_no_field_is_refused(fields: dict[str, object]) -> None:
    """A theme, an offer or points change what is issued and have no field: each is named."""
    with pytest.raises(Invalid) as caught:
        opened().check(issue(fields))
    assert list(caught.value.violations) == [(*fields, "GatePay has no field for it")]


def test_other_operations_are_not_judged() -> None:
    """An operation the adapter does not have is refused by the gateway, not here."""
    opened().check(Redeem(transaction_id="t", requested_at=AT, card=CardRef(number=Secret("6045"))))


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        (
            {"currencies": {"USDT": "USDT"}},
            "key 'currencies': 'USDT' is not an ISO 4217 currency with minor units",
        ),
        (
            {"currencies": {"USD": "USDT", "EUR": "USDT"}},
            "key 'currencies': two of our currencies have one name at the provider",
        ),
        (
            {"dialect": "guide", "on_behalf_of": "sub-1"},
            "key 'on_behalf_of': only the reference dialect has an institution variant",
        ),
        ({"client_id": "shöp"}, "key 'client_id': cannot stand in a header"),
        ({"certificate_sn": "sn\n"}, "key 'certificate_sn': cannot stand in a header"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, object], fault: str) -> None:
    """Settings whose types are right but whose values cannot work are refused when the provider is opened."""
    with pytest.raises(SettingsError) as caught:
        opened(changes)
    assert caught.value.faults == (fault,)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            b'{"title":"t","templateId":"1","currency":"USDT","amount":"0.99"}',
            (
                "1daaa0372964f675ff80d92e31bdaf03f98867b9852b082862b6373e4d75c87f"
                "03dab35f499000f81f125e052c3fb0bf7c588bac37fe717c48f9b2df4871339c"
            ),
        ),
        (
            b"",
            (
                "eaf1674d21ff42cb355aefacd60da25cf86f6e25fff3ae46383741ce9b3f632d"
                "e9af85f959ae51322b4debfa5ed917a65c849a277d8d28cb2b1480901dde1261"
            ),
        ),
    ],
    ids=["a create", "a GET"],
)
def test_signature_vectors(body: bytes, expected: str) -> None:
    """Our own vectors, made apart from this code: HMAC-SHA512 over time, nonce and exact bytes."""
    assert wire.signature(Secret("test-secret"), "1700000000000", "abc123", body) == expected


def test_the_wire_hides_what_is_money() -> None:
    """No struct of the wire shows a number or a key."""
    shown = repr(
        [
            wire.CreatedCard(card_num="6045200000000001", card_key="SECRET-KEY"),
            wire.QueriedCard(card_num="6045200000000001", key="SECRET-KEY"),
            wire.QueryRequest(card_number="6045200000000001", key="SECRET-KEY"),
            wire.Envelope(status="SUCCESS", data=msgspec.Raw(b'"SECRET-KEY"')),
        ]
    )
    assert "SECRET-KEY" not in shown
    assert "6045200000000001" not in shown


ask_issue = partial(Issue, transaction_id="", requested_at=AT)
LOOKUP = Lookup(lookup_id="9d1f2f0a-6a0c-4b43-8f55-0c6f0f2c7e11", asked_at=AT)
READY = CardRef(number=Secret("6045200000000001"))
NOWHERE = CardRef(number=Secret("6045200000009999"))

GUIDE = Subject(
    name="gatepay in the guide's dialect",
    adapter=GatePay,
    stanza={"base_url": "http://gatepay.test", **sandbox_settings(), "dialect": "guide"},
    simulator=partial(GatePaySimulator, dialect="guide"),
    guarantees={Operation.ISSUE: "1"},
    samples={
        Operation.ISSUE: Sample(
            approved=ask_issue(amount=Money("USD", 2_500)),
            declined=ask_issue(amount=Money("USD", 2_500), template_id="no such template"),
            reason=DeclineReason.REQUEST_MALFORMED,
            tells_amount=False,
            can_be_found=False,
        )
    },
    reads={
        "lookup": ReadSample(
            arguments={"ask": msgspec.structs.replace(LOOKUP, card=READY)},
            refused={"ask": msgspec.structs.replace(LOOKUP, card=NOWHERE)},
            reason=DeclineReason.CARD_UNKNOWN,
        ),
        "balances": ReadSample(
            arguments={"cards": [READY], "ask": LOOKUP},
            refused={"cards": [NOWHERE], "ask": LOOKUP},
            reason=DeclineReason.CARD_UNKNOWN,
        ),
        "list_templates": ReadSample(),
    },
    has_webhooks=True,
)


@pytest.mark.parametrize("field", ["create_time", "exchange_time"])
def test_a_time_beyond_the_calendar_is_left_out(field: str) -> None:
    """Milliseconds that lead beyond the year 9999 are left out; the card is told all the same (rule 19)."""
    body = f'{{"status": "SUCCESS", "data": {{"status": "REDEEMED", "{field}": {10**18}}}}}'
    view = card_view(Reply(status=200, headers={}, body=body.encode()), READY, {})
    assert view.state is CardState.REDEEMED


@pytest.mark.parametrize("case", [*cases(GUIDE)], ids=lambda case: case.name)
async def test_the_guide_conforms(case: Case) -> None:
    """The guide's dialect keeps every rule the reference's does."""
    await case.run()
