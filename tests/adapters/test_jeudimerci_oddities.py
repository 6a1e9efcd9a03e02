"""JeudiMerci's answers with values that fit no field of ours: they prove nothing and break nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import httpx
import msgspec
import pytest

from giftcard_adapters.calls import Moment, Reply
from giftcard_adapters.errors import Invalid, Refused, Unfindable, Unreadable, Unsupported
from giftcard_adapters.exchange import Exchange
from giftcard_adapters.jeudimerci import JeudiMerci, answers, purchases, requests, webhooks, wire
from giftcard_adapters.jeudimerci.exports import export_file
from giftcard_adapters.jeudimerci.settings import JeudiMerciSettings
from giftcard_adapters.values.advices import Advice, AdviceKind
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.declines import DeclineReason
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Issue
from giftcard_adapters.values.outcomes import IssuedCard, Outcome, Verdict
from giftcard_adapters.values.reads import Lookup, StoredCardQuery, Webhook
from giftcard_adapters.values.secret import Secret

ASK = Issue(
    transaction_id="6f1c7a52-3f5e-4c39-9d0b-0d2b6f4a1e11",
    requested_at=datetime(2026, 11, 20, 8, 30, tzinfo=UTC),
    amount=Money("EUR", 1_000),
)
SETTINGS = JeudiMerciSettings(
    base_url="https://jdm.example", api_key=Secret("not-a-key"), currency="EUR", is_list_complete=True
)
LATER = "Fri, 20 Nov 2026 18:30:00 GMT"
BEFORE, AFTER = "2026-11-01T08:30:00Z", "2026-11-20T08:31:00Z"


def judged(date_header: str = LATER, **card: object) -> Outcome:
    """Return what a complete list proves that holds one card, of our cost unless it says otherwise."""
    listed = [{"Code": "JDM000000001", "ECardCost": 10, **card}] if card else []
    return purchases.judge_list(ASK, answers.cards_in(json.dumps(listed).encode()), date_header, SETTINGS)


def test_a_card_of_another_cost_or_time_is_not_ours() -> None:
    """The list below proves a failure as long as nothing in it is odd."""
    for card in ({}, {"ECardCost": 99, "PurchaseDate": AFTER}, {"PurchaseDate": BEFORE}):
        assert judged(**card).verdict is Verdict.FAILED


@pytest.mark.parametrize("cost", ["NaN", "sNaN", "Infinity", "-Infinity", None])
def test_a_cost_that_is_no_number_may_be_ours(cost: str | None) -> None:
    """A card whose cost is told as no number, or not at all, keeps an issue from being called a failure."""
    with pytest.raises(Unfindable, match="fit the price and time"):
        judged(ECardCost=cost, PurchaseDate=AFTER)


@pytest.mark.parametrize("written", ["9999-12-31T23:00:00", "9999-12-31", "soon"])
def test_a_purchase_beyond_the_calendar_may_be_ours(written: str) -> None:
    """A card whose latest purchase no calendar holds keeps an issue from being called a failure."""
    with pytest.raises(Unfindable, match="bought at an unreadable time"):
        judged(PurchaseDate=written)


@pytest.mark.parametrize(
    "date_header",
    [
        "Fri, 20 Nov 99999999999999999999 18:30:00 GMT",
        "Fri, 20 Nov 2026 18:30:00 +99999999999999",
        "now",
        "",
    ],
)
def test_an_answer_of_no_time_is_not_late(date_header: str) -> None:
    """Without a Date that a calendar holds nothing tells how late a list is, so the issue stays UNKNOWN."""
    assert judged(date_header).verdict is Verdict.UNKNOWN


def opened() -> JeudiMerci:
    """Open the adapter on a provider that must not be spoken to."""

    def answer(request: httpx.Request) -> httpx.Response:
        raise AssertionError(f"{request.method} {request.url.path} was sent")

    exchange = Exchange(
        base_url=SETTINGS.base_url,
        transport=httpx.MockTransport(answer),
        moment=lambda: Moment(now_s=0.0, nonce="0" * 32),
        timeout_s=1.0,
    )
    return JeudiMerci(SETTINGS, exchange)


@pytest.mark.parametrize("code", ["", ".", ".."])
async def test_a_code_that_no_path_holds_is_none(code: str) -> None:
    """A card whose code is empty or dots is never asked for or deleted: the path would name every card."""
    told = {"eCards": [{"Code": code, "ECardCost": 10}], "status": "success"}
    outcome = answers.outcome_of(ASK, Reply(status=200, headers={}, body=json.dumps(told).encode()), SETTINGS)
    assert (outcome.verdict, outcome.issued_cards) == (Verdict.UNKNOWN, ())
    assert outcome.evidence == "an e-card came without its code"
    known = msgspec.structs.replace(outcome, issued_cards=(IssuedCard(redemption_key=Secret(code)),))
    advice = Advice(advice_id="a-1", kind=AdviceKind.REVERSAL, written_at=ASK.requested_at)
    event = {"eventType": "e", "resource": {"operationId": "o-1", "virtualCardCode": code}}
    came = Webhook(headers={}, body=json.dumps(event).encode(), received_at=ASK.requested_at)
    assert [one.outcome for one in webhooks.read(came, SETTINGS)] == [None]
    with pytest.raises(Unsupported):
        opened().reversal(ASK, known, advice)
    for write in (requests.details, requests.deletion):
        with pytest.raises(Unreadable):
            write(Secret(code), SETTINGS)


@pytest.mark.parametrize("given", [".", ".."])
async def test_dots_from_a_caller_are_refused(given: str) -> None:
    """A caller's code or export id that is only dots is refused by name, and nothing is sent."""
    code = Secret(given)
    for field, card in {
        "redemption_key": CardRef(redemption_key=code),
        "number": CardRef(number=code),
    }.items():
        with pytest.raises(Invalid, match=f"card.{field}"):
            await opened().lookup(Lookup(lookup_id="l-1", asked_at=ASK.requested_at, card=card))
    with pytest.raises(Refused) as caught:
        async with opened().download_export(given):
            pass
    assert caught.value.decline.reason is DeclineReason.RECORD_NOT_FOUND


@pytest.mark.parametrize("count", [10**30, 2**63, -(2**63) - 1])
@pytest.mark.parametrize("name", ["issued", "consumed"])
def test_statistics_beyond_our_wire_are_unreadable(name: str, count: int) -> None:
    """Statistics whose counts our own wire could not carry cannot be read."""
    with pytest.raises(Unreadable):
        wire.TICKETS.read(json.dumps({"issued": 1, "consumed": 1} | {name: count}).encode())


@pytest.mark.parametrize("count", [10**30, 2**31, -(2**31) - 1])
@pytest.mark.parametrize("name", ["created", "updated", "removed"])
def test_a_synchronization_beyond_our_wire_is_unreadable(name: str, count: int) -> None:
    """What came of a synchronization cannot be read when our own wire could not carry its counts."""
    with pytest.raises(Unreadable):
        wire.OFFER_SYNC.read(json.dumps({"offers": [], name: count}).encode())


@pytest.mark.parametrize("token", ["9" * 5_000, "\u0661", "-1", "x"])
async def test_a_page_of_no_place_is_refused(token: str) -> None:
    """A page token that is no place in a list is refused before anything is sent."""
    with pytest.raises(Invalid, match="page_token"):
        await opened().list_stored_cards(StoredCardQuery(page_token=token))


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("filename=may.csv", "may.csv"),
        ("filename*=utf-8''%C3%A9t%C3%A9.csv", "été.csv"),
        ("filename=../../etc/passwd", "passwd"),
        ('filename="C:\\\\exports\\\\may.csv"', "may.csv"),
        ("filename*=utf-8''..%2F..", ""),
        ("filename=/", ""),
        ("filename*=utf-8''may%0D%0A%00.csv", "may.csv"),
        ("filename*=unicode_escape''%5Cud800.csv", ".csv"),
        (f"filename={'x' * 256}", ""),
        ("filename*=idna''x", ""),
        ("filename*=undefined''x", ""),
        ("filename*=punycode''%C3", ""),
        ("filename*=\x00''x", ""),
        ("filename*=utf-8''x; filename*0=y", ""),
        (f"filename*{'9' * 5_000}*=x", ""),
        ("filename", ""),
    ],
)
def test_an_export_is_named_without_a_folder(told: str, name: str) -> None:
    """An export's name is the last part of its path, in any charset; one that no file could have is none."""
    assert export_file({"content-disposition": f"attachment; {told}"}).file_name == name


@pytest.mark.parametrize(
    ("length", "size"),
    [
        ("0", 0),
        (str(2**63 - 1), 2**63 - 1),
        (str(2**63), None),
        ("9" * 20, None),
        ("9" * 5_000, None),
        ("\u0661", None),
        ("-1", None),
        ("", None),
    ],
)
def test_an_export_has_a_size_our_wire_can_carry(length: str, size: int | None) -> None:
    """A length that is no number of bytes, or more than our wire can carry, is no size."""
    assert export_file({"content-length": length}).size == size
