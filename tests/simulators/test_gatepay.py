"""The GatePay simulator does what the manual and our own documented inventions say."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from giftcard_simulators.gatepay.books import CLIENT_ID, SECRET, SUB_ACCOUNT, TEMPLATES, key_of
from giftcard_simulators.gatepay.simulator import GatePaySimulator
from giftcard_simulators.sandbox import SimAnswer, SimRequest, seeded_ids

CREATE, QUERY = "/v1/pay/gift/create", "/v1/pay/gift/query"
READY, REDEEMED = "6045200000000001", "6045200000000002"
OPENING = 10_000 * 1_000_000


class Shop:
    """A merchant at a simulator, with a clock to turn; it signs by its own reading of the manual."""

    def __init__(self, simulator: GatePaySimulator | None = None) -> None:
        """Open a simulator in the reference dialect, unless one is given."""
        self.now = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
        self.simulator = simulator or GatePaySimulator(now=lambda: self.now, ids=seeded_ids(1))

    def send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        query: str = "",
        changes: Mapping[str, str] | None = None,
    ) -> SimAnswer:
        """Send a signed request; `changes` replace headers after signing."""
        timestamp = str(int(self.now.timestamp() * 1000))
        payload = timestamp.encode() + b"\nnonce1\n" + body + b"\n"
        headers = {
            "content-type": "application/json",
            "x-gatepay-certificate-clientid": CLIENT_ID,
            "x-gatepay-timestamp": timestamp,
            "x-gatepay-nonce": "nonce1",
            "x-gatepay-signature": hmac.new(SECRET.encode(), payload, hashlib.sha512).hexdigest(),
        }
        asked = SimRequest(
            method=method, path=path, query=query, headers=headers | dict(changes or {}), body=body
        )
        return self.simulator.answer(asked)

    def post(self, path: str, content: Mapping[str, object]) -> Any:  # noqa: ANN401 - an answer is any JSON
        """Post JSON and return the envelope."""
        return msgspec.json.decode(self.send("POST", path, msgspec.json.encode(content)).body)

    def create(self, **changes: object) -> Any:  # noqa: ANN401 - an answer is any JSON
        """Create a card of 25 USDT, with some fields changed."""
        usual = {"title": "t", "templateId": TEMPLATES[0][0], "currency": "USDT", "amount": "25"}
        return self.post(CREATE, usual | changes)

    def query(self, number: str) -> Any:  # noqa: ANN401 - an answer is any JSON
        """Query a card by number."""
        return self.post(QUERY, {"card_number": number})

    def account(self) -> int:
        """Return what is on the USDT account, in millionths."""
        held = next(c["book_minor"] for c in self.simulator.cards() if c["number"] == "ACCOUNT-USDT")
        assert isinstance(held, int)
        return held


@pytest.fixture
def shop() -> Shop:
    """Return a merchant at a fresh simulator."""
    return Shop()


def code(answer: SimAnswer) -> str:
    """Return the code of a refusal inside HTTP 200."""
    envelope = msgspec.json.decode(answer.body)
    assert (answer.status, envelope["status"]) == (200, "FAIL")
    return str(envelope["code"])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"content-type": "text/plain"}, "400007"),
        ({"x-gatepay-nonce": ""}, "400020"),
        ({"x-gatepay-nonce": "with-dash"}, "400020"),
        ({"x-gatepay-nonce": "n" * 33}, "400020"),
        ({"x-gatepay-timestamp": "soon"}, "400003"),
        ({"x-gatepay-timestamp": "1700000000000"}, "400003"),
        ({"x-gatepay-nonce": "another"}, "400002"),
        ({"x-gatepay-signature": "0" * 128}, "400002"),
        ({"x-gatepay-certificate-clientid": "another"}, "400002"),
    ],
)
def test_a_request_is_checked(shop: Shop, changes: dict[str, str], expected: str) -> None:
    """Content type, nonce, time, client and signature are checked, each with its code inside HTTP 200."""
    assert code(shop.send("GET", "/v1/pay/gift/temp/list", changes=changes)) == expected


@pytest.mark.parametrize(("drift_s", "is_taken"), [(10, True), (-10, True), (10.5, False), (-10.5, False)])
def test_clocks_may_drift_ten_seconds(shop: Shop, drift_s: float, is_taken: bool) -> None:
    """A timestamp more than ten seconds off is refused, in either direction."""
    signed_at = shop.now
    shop.simulator.now = lambda: signed_at + timedelta(seconds=drift_s)
    answer = shop.send("GET", "/v1/pay/gift/temp/list")
    assert (msgspec.json.decode(answer.body)["status"] == "SUCCESS") == is_taken


def test_raw_bytes_are_signed(shop: Shop) -> None:
    """A body with a trailing newline and leaked fields is taken when those bytes were signed."""
    body = msgspec.json.encode(
        {"title": "t", "templateId": TEMPLATES[0][0], "currency": "USDT", "amount": "1", "Header": {}}
    )
    assert msgspec.json.decode(shop.send("POST", CREATE, body + b"\n").body)["status"] == "SUCCESS"


@pytest.mark.parametrize(
    "changes",
    [
        {"title": ""},
        {"amount": 25},
        {"amount": "0"},
        {"amount": "-1"},
        {"amount": "1.0000001"},
        {"amount": "1e3"},
        {"currency": "XXX"},
        {"templateId": "none"},
        {"count": 2},
    ],
)
def test_bad_parameters_are_400001(shop: Shop, changes: dict[str, object]) -> None:
    """A create with a bad field is refused inside HTTP 200, and makes nothing."""
    before = len(shop.simulator.cards())
    assert shop.create(**changes)["code"] == "400001"
    assert len(shop.simulator.cards()) == before


def test_an_issue_takes_its_time(shop: Shop) -> None:
    """A card is created with status 1 and paid for at the second query; the account pays then."""
    card = shop.create()["data"]
    assert (card["status"], shop.account()) == (1, OPENING)
    assert [shop.query(card["card_num"])["data"]["status"] for _ in range(3)] == [1, 2, 2]
    assert shop.account() == OPENING - 25 * 1_000_000
    assert [effect["kind"] for effect in shop.simulator.effects()] == ["issue"]


def test_an_issue_settles_by_the_clock_too(shop: Shop) -> None:
    """After five seconds a card is paid for although nobody asked."""
    shop.create()
    assert shop.simulator.effects() == []
    shop.now += timedelta(seconds=5)
    assert len(shop.simulator.effects()) == 1


@pytest.mark.parametrize(
    ("title", "statuses", "pays"),
    [
        ("sandbox: at once", [2, 2], True),
        ("sandbox: review", [6, 2], True),
        ("sandbox: payment failed", [1, 5], False),
        ("sandbox: rejected", [6, 7], False),
        ("sandbox: review payment failed", [6, 8], False),
        ("sandbox: frozen", [1, 4], True),
    ],
)
def test_test_switches(shop: Shop, title: str, statuses: list[int], pays: bool) -> None:
    """A title decides which way a card goes, and only an issued card costs money."""
    created = shop.create(title=title)["data"]
    shop.now += timedelta(seconds=5)
    assert [created["status"], shop.query(created["card_num"])["data"]["status"]] == statuses
    assert (shop.account() < OPENING) == pays


def test_an_empty_account_fails_late(shop: Shop) -> None:
    """A card the account cannot pay for is accepted and fails, from review with its own status."""
    plain, reviewed = (
        shop.create(amount="10001")["data"],
        shop.create(amount="10001", title="sandbox: review")["data"],
    )
    shop.now += timedelta(seconds=5)
    assert [shop.query(c["card_num"])["data"]["status"] for c in (plain, reviewed)] == [5, 8]
    assert shop.account() == OPENING


def test_a_query_by_both_believes_the_key(shop: Shop) -> None:
    """Of number and key the key wins; neither is refused; an unknown card has a code of our choice."""
    both = shop.post(QUERY, {"card_number": REDEEMED, "key": key_of(READY)})
    assert both["data"]["card_num"] == READY
    assert shop.post(QUERY, {})["code"] == "400001"
    assert shop.query("0")["code"] == "400202"


def test_an_unredeemed_card_has_an_exchange_time(shop: Shop) -> None:
    """As in the reference's example, exchange_time is set although nobody redeemed the card."""
    card = shop.query(READY)["data"]
    assert card["exchange_time"] > 0
    assert card["exchange_uid"] == 0


def test_a_card_is_redeemed_whole(shop: Shop) -> None:
    """A Gate user takes all of a card, once."""
    shop.simulator.redeem(READY)
    assert shop.query(READY)["data"]["status"] == 3
    held = next(c["book_minor"] for c in shop.simulator.cards() if c["number"] == READY)
    assert held == 0
    assert [effect["kind"] for effect in shop.simulator.effects()] == ["redeem"]


def test_an_institution_names_its_sub_account(shop: Shop) -> None:
    """Below the institution's prefix the sub-account must be named, and known."""
    path = "/payment/open/institution/v1/pay/gift/temp/list"
    assert code(shop.send("GET", path)) == "400001"
    right = shop.send("GET", path, changes={"x-gatepay-on-behalf-of": SUB_ACCOUNT})
    assert msgspec.json.decode(right.body)["status"] == "SUCCESS"


def test_the_guide_is_another_server() -> None:
    """In the guide's dialect only its paths exist; a card is CREATED at once, or refused."""
    shop = Shop()
    shop.simulator = GatePaySimulator(now=lambda: shop.now, ids=seeded_ids(1), dialect="guide")
    assert shop.send("POST", CREATE, b"{}").status == 404
    usual = {"title": "t", "templateId": TEMPLATES[0][0], "currency": "USDT", "amount": "25"}
    card = shop.post("/v1/pay/giftcard/create", usual)["data"]
    assert card.keys() == {"cardNumber", "key", "status"}
    assert (card["status"], shop.account()) == ("CREATED", OPENING - 25 * 1_000_000)
    assert shop.post("/v1/pay/giftcard/create", usual | {"amount": "99999"})["status"] == "FAIL"
    for path in ("/v1/pay/giftcard/query", "/v1/pay/balance/query"):
        answers = [
            shop.send("GET", path, query=q) for q in ("", f"cardNumber={READY}&key=k", f"cardNumber={READY}")
        ]
        assert [code(answer) for answer in answers[:2]] == ["400001", "400001"]
        assert msgspec.json.decode(answers[2].body)["data"]["cardNumber"] == READY


def test_a_callback_is_signed_like_a_request(shop: Shop) -> None:
    """The batch callback carries its data as JSON in a string, signed over the exact bytes."""
    sent = shop.simulator.batch_event("batch-1", ["1.5", "2"])
    payload = f"{sent.headers['x-gatepay-timestamp']}\n{sent.headers['x-gatepay-nonce']}\n".encode()
    expected = hmac.new(SECRET.encode(), payload + sent.body + b"\n", hashlib.sha512).hexdigest()
    assert sent.headers["x-gatepay-signature"] == expected
    told = msgspec.json.decode(msgspec.json.decode(sent.body)["data"])
    assert told["externalId"] == "batch-1"
    assert [item["amount"] for item in told["batchItemList"]] == ["1.5", "2"]


def test_tampering_changes_the_amount_alone(shop: Shop) -> None:
    """A tampered answer tells one unit more; one without an amount is left as it is."""
    body = msgspec.json.encode({"card_number": READY})
    answer = shop.send("POST", QUERY, body)
    tampered = msgspec.json.decode(shop.simulator.tamper(answer).body)
    assert tampered["data"]["amount"] == "26.00"
    templates = shop.send("GET", "/v1/pay/gift/temp/list")
    assert shop.simulator.tamper(templates).body == templates.body


def test_money_is_kept(shop: Shop) -> None:
    """Whatever was issued, failed and redeemed, opening balances plus all effects are the balances now."""
    for title in ("t", "sandbox: frozen", "sandbox: rejected"):
        shop.create(title=title)
    shop.now += timedelta(seconds=5)
    shop.simulator.redeem(READY)
    held: dict[object, Any] = {card["number"]: card["opening_book_minor"] for card in shop.simulator.cards()}
    effects: Any = shop.simulator.effects()
    for effect in effects:
        for change in effect["changes"]:
            held[change["card"]] += change["book_minor"]
    assert held == {card["number"]: card["book_minor"] for card in shop.simulator.cards()}
    shop.simulator.reset()
    assert shop.simulator.effects() == []
