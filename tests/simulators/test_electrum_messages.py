"""How the Electrum simulator reads messages and what its answers look like."""

from __future__ import annotations

import base64

import msgspec
import pytest

from giftcard_simulators.bank import BankCard
from giftcard_simulators.electrum.simulator import ElectrumSimulator
from giftcard_simulators.sandbox import SimRequest, seeded_ids
from tests.simulators.electrum_till import (
    EMPTY,
    FUNDED,
    INACTIVE,
    NOW,
    Body,
    Reply,
    Till,
    advice,
    final,
    request,
    transaction,
)


@pytest.mark.parametrize(
    "credentials",
    [base64.b64encode(b"70000001:wrong").decode(), base64.b64encode(b":").decode(), "", "not base64 é"],
)
def test_credentials_are_checked(credentials: str) -> None:
    """Wrong or missing Basic credentials are 401 before anything is read."""
    refused = Till().post("/loads/x", b"", credentials=credentials)
    assert (refused.status, refused.body) == (401, {})
    assert "Basic" in refused.headers["www-authenticate"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/giftcard/v3/loads/x", 405),
        ("POST", "/giftcard/v4/loads/x", 404),
        ("POST", "/giftcard/v3/refunds/x", 404),
        ("POST", "/giftcard/v3/lookupGiftcard/x/reversals/y", 404),
        ("POST", "/giftcard/v3/loads", 404),
    ],
)
def test_paths(method: str, path: str, status: int) -> None:
    """Only POST and only the 19 documented paths exist."""
    till = Till()
    asked = msgspec.structs.replace(request("", b""), method=method, path=path)
    assert till.simulator.answer(asked).status == status


def changed(body: Body, place: str, value: object) -> Body:
    """Return the body with the value at a dotted place, or without it when the value is None."""
    copy: Body = msgspec.json.decode(msgspec.json.encode(body))
    *parents, last = place.split(".")
    inner = copy
    for parent in parents:
        inner = inner[parent]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return copy


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("id", "8f14e45fceea467a9f151a1b7d7f5b23"),
        ("time", None),
        ("time", "2026-11-21T12:00:00"),
        ("originator.terminalId", "TILL001"),
        ("originator.terminalId", "TILL00001"),
        ("originator.merchant.merchantId", "MERCHANT000001"),
        ("originator.merchant.merchantType", "541"),
        ("originator.merchant.merchantName.region", "WCX"),
        ("originator.merchant.merchantName.name", None),
        ("originator.institution.name", "x" * 41),
        ("client", None),
        ("thirdPartyIdentifiers", None),
        ("card.pan", "60450000000000000171"),
        ("card.pan", "6045-0000"),
        ("card.expiryDate", "491"),
        ("card.pin", {"type": "CLEAR_PIN", "pin": "1" * 21}),
        ("card.pin", {"type": "ENCRYPTED_PIN", "pinBlock": "0412"}),
        ("card.pin", {"type": "OTHER_PIN"}),
        ("amounts", None),
        ("amounts.requestAmount.amount", 1.5),
        ("amounts.requestAmount.currency", "ZAR"),
        ("tranType", "GIFT"),
        ("cardHolder", {"msisdn": "0123"}),
        ("basket", {"basketId": "with space"}),
    ],
)
def test_format_errors(place: str, value: object) -> None:
    """A body that breaks a documented constraint is FORMAT_ERROR, complete, and moves nothing."""
    till = Till()
    good = till.message("redeem", FUNDED, amount=100)
    for part in ("pin", "expiryDate"):
        good["card"].setdefault(part, {"type": "CLEAR_PIN", "pin": "1"} if part == "pin" else "4912")
    refused = till.post(f"/redemptions/{good['id']}", changed({**good, "tranType": "NON_CASH"}, place, value))
    assert (refused.status, refused.error, refused.body["errorMessage"]) == (
        400,
        "FORMAT_ERROR",
        "Bad formatting",
    )
    assert (refused.body["requestType"], refused.body["id"]) == ("REDEMPTION_REQUEST", good["id"])
    assert refused.body["detailMessage"]["formatErrors"][0]["field"].startswith("$")
    assert till.kinds() == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'"text"'])
def test_unreadable_bodies(body: bytes) -> None:
    """A body that is not a JSON object is FORMAT_ERROR."""
    assert Till().post("/loads/8f14e45f-ceea-467a-9f15-1a1b7d7f5b23", body).error == "FORMAT_ERROR"


def test_format_error_names_no_card() -> None:
    """A FORMAT_ERROR tells the field and never its value."""
    till = Till()
    body = till.message("load", "6045-1234-5678", amount=1)
    assert "1234" not in str(till.post(f"/loads/{body['id']}", body).body["detailMessage"])


def test_quoted_numbers_and_unknown_properties() -> None:
    """Quoted numbers are numbers and unknown properties are ignored, as Electrum's server reads them."""
    till = Till()
    amounts = {"requestAmount": {"amount": "250", "currency": "710", "surprise": True}}
    assert till.ask("load", FUNDED, amounts=amounts, newField={"a": 1}).balances() == (50_250, 50_000)


def test_path_and_body_must_name_the_same_message() -> None:
    """The body's id must be the path's, and an advice's requestId the path's request."""
    till = Till()
    body = till.message("load", FUNDED, amount=100)
    other = till.fresh_id()
    by_id = till.post(f"/loads/{other}", body)
    message = advice(till.fresh_id(), other)
    by_request = till.post(f"/loads/{body['id']}/confirmations/{message['id']}", message)
    for refused in (by_id, by_request):
        assert (refused.error, refused.body["errorMessage"]) == ("FORMAT_ERROR", "UUID inconsistent")


def test_one_namespace_of_ids() -> None:
    """An id used by a lookup or an advice cannot be a request's, and the other way round."""
    till = Till()
    looked_up = till.look_up(FUNDED)
    load_id = till.ask("load", FUNDED, amount=100).body["id"]
    confirmed = till.confirm("load", load_id)
    assert till.ask("load", FUNDED, amount=100, id=looked_up.body["id"]).error == "DUPLICATE_RECORD"
    assert till.ask("load", FUNDED, amount=100, id=confirmed.body["id"]).error == "DUPLICATE_RECORD"
    assert till.confirm("load", load_id, id=load_id).error == "DUPLICATE_RECORD"
    assert till.reverse("load", load_id, id=confirmed.body["id"]).error == "DUPLICATE_RECORD"
    assert till.look_up(FUNDED, id=looked_up.body["id"]).error == "DUPLICATE_RECORD"


def test_repeated_advice_has_two_modes() -> None:
    """The same advice again is acknowledged, or DUPLICATE_RECORD where the test server is imitated."""
    for are_duplicates, status in ((False, 202), (True, 400)):
        simulator = ElectrumSimulator(
            now=lambda: NOW, ids=seeded_ids(1), are_repeats_duplicates=are_duplicates
        )
        till = Till(simulator)
        load_id = till.ask("load", FUNDED, amount=100).body["id"]
        first = till.reverse("load", load_id)
        assert till.reverse("load", load_id, id=first.body["id"]).status == status
        assert till.kinds() == ["load", "reverse"]


def test_response_echoes_and_adds() -> None:
    """A response keeps the sender's fields and adds its own id, parties, slip and Location; no PIN."""
    till = Till()
    extra = {
        "stan": "000123",
        "rrn": "000000000123",
        "basketRef": "B1",
        "tranType": "GOODS_AND_SERVICES",
        "srcAccType": "GIFT_CARD",
        "posInfo": {"posConditionCode": "NORMAL_PRESENTMENT"},
        "cardHolder": {"firstName": "Thandi", "msisdn": "+27820000000"},
        "basket": {"basketId": "B1", "items": [{"productId": "p1", "quantity": 1.5, "unit": "KILOGRAM"}]},
    }
    card = {"pan": FUNDED, "rank": "primary", "clearPin": "1"}
    reply = till.ask("redeem", card, amount=100, **extra)
    own = {"institutionId": "70000002", "transactionIdentifier": seeded_ids(1)()}
    sent = transaction("")["thirdPartyIdentifiers"]
    assert {name: reply.body[name] for name in extra} == extra
    assert reply.body["thirdPartyIdentifiers"] == [*sent, own]
    assert reply.body["card"] == {"pan": FUNDED, "expiryDate": "4912", "rank": "primary"}
    assert reply.body["amounts"]["approvedAmount"] == {"amount": 100, "currency": "710"}
    assert reply.body["receiver"]["name"]
    assert reply.body["settlementEntity"]["name"]
    assert reply.body["slipData"]["messageLines"]
    assert reply.headers["location"] == f"/giftcard/v3/redemptions/{reply.body['id']}"


def test_balances_of_two_card_operations() -> None:
    """A transfer reports the source card's balance, a replace the new card's."""
    till = Till()
    assert till.ask("transfer", FUNDED, EMPTY, amount=100).balances() == (49_900, 49_900)
    assert Till().ask("replace", FUNDED, INACTIVE).balances() == (50_000, 50_000)


def test_lookup_works_in_every_state() -> None:
    """A lookup checks the number alone, and always has posInfo, echoed where it was sent."""
    till = Till()
    for card in till.simulator.cards():
        reply = till.look_up(str(card["number"]))
        assert (reply.status, "entryMode" in reply.body["posInfo"]) == (201, True)
    given = {"posConditionCode": "CUSTOMER_TERMINAL"}
    assert till.look_up(FUNDED, posInfo=given).body["posInfo"] == given
    assert (till.look_up("1").status, till.look_up("1").error) == (400, "INVALID_CARD_NUMBER")
    assert "clubs" in till.look_up(FUNDED).body
    assert till.kinds() == []


def test_lookup_without_a_card() -> None:
    """A lookup by card holder finds the card by the profile id; anybody unknown is 404 (assumption)."""
    till = Till()
    body = transaction(till.fresh_id()) | {"cardHolder": {"msisdn": "27820000000"}}
    assert till.post(f"/lookupGiftcard/{body['id']}", body).status == 404
    body = transaction(till.fresh_id()) | {"cardHolder": {"profileId": "sandbox-ada"}}
    answer = till.post(f"/lookupGiftcard/{body['id']}", body)
    assert (answer.status, answer.body["card"]["pan"]) == (201, "6045000000000061")


@pytest.mark.parametrize(
    ("number", "error_type"),
    [("6045000000000194", "FUNCTION_NOT_SUPPORTED"), ("6045000000000202", "ROUTING_ERROR")],
)
def test_rare_refusals_can_be_played(number: str, error_type: str) -> None:
    """Cards of the sandbox are refused with the error types that no operation leads to."""
    assert Till().ask("redeem", number, amount=100).body["errorType"] == error_type


def test_acknowledgement_echoes_the_advice() -> None:
    """The 202 body has the advice's own fields and neither tenders nor reason."""
    till = Till()
    load_id = till.ask("load", FUNDED, amount=100).body["id"]
    tenders = [{"amount": {"amount": 100, "currency": "710"}, "tenderType": "CASH"}]
    reply = till.confirm("load", load_id, tenders=tenders, stan="7", amounts=final(100))
    assert (reply.body["requestId"], reply.body["stan"]) == (load_id, "7")
    assert reply.body["thirdPartyIdentifiers"] == transaction("")["thirdPartyIdentifiers"]
    assert not {"tenders", "reversalReason"} & set(reply.body)


def test_refused_advice_names_its_request() -> None:
    """The ErrorDetail of an advice has originalId, and requestType says which advice."""
    till = Till()
    missing = till.fresh_id()
    refused = till.reverse("void", missing)
    assert (refused.body["originalId"], refused.body["requestType"]) == (missing, "VOID_REVERSAL")


def test_tampered_answer() -> None:
    """The wrong-amount fault raises every amount of an answer, and leaves one without amounts alone."""
    till = Till()
    body = till.message("load", FUNDED, amount=100)
    answer = till.simulator.answer(request(f"/loads/{body['id']}", body))
    assert Reply(till.simulator.tamper(answer)).body["amounts"]["approvedAmount"]["amount"] == 200
    plain = till.simulator.answer(SimRequest(method="POST", path="/"))
    assert till.simulator.tamper(plain) == plain


def test_bare_failures() -> None:
    """A scripted status comes with a complete ErrorDetail on a known path, and bare elsewhere."""
    simulator = Till().simulator
    error = Reply(simulator.failure(503, request("/loads/L/confirmations/C", b"")))
    assert (error.status, error.error) == (503, "UPSTREAM_UNAVAILABLE")
    assert (error.body["requestType"], error.body["id"], error.body["originalId"]) == (
        "LOAD_CONFIRMATION",
        "C",
        "L",
    )
    assert Reply(simulator.failure(500, request("/loads/L", b""))).error == "GENERAL_ERROR"
    assert simulator.failure(500, request("/nothing", b"")).body == b""


def test_same_requests_same_answers() -> None:
    """Two simulators with the same clock and seed answer byte for byte the same."""
    first, second = Till(), Till()
    for _ in range(3):
        body = first.message("redeem", FUNDED, amount=100)
        asked = request(f"/redemptions/{body['id']}", body)
        assert first.simulator.answer(asked) == second.simulator.answer(asked)


def test_own_cards() -> None:
    """A test opens the books with its own cards, and a reset brings them back."""
    simulator = ElectrumSimulator(
        now=lambda: NOW,
        ids=seeded_ids(1),
        open_with=lambda: [
            BankCard(
                number="60451",
                currency="USD",
                state="ACTIVATED_CONFIRMED",
                expiry="4912",
                book_minor=9,
                available_minor=9,
            )
        ],
    )
    till = Till(simulator)
    assert till.ask("redeem", "60451", amount=5).error == "INVALID_AMOUNT"
    amounts = {"requestAmount": {"amount": 5, "currency": "840"}}
    assert till.ask("redeem", "60451", amounts=amounts).balances() == (4, 4)
    simulator.reset()
    assert (till.balances("60451"), till.kinds()) == ((9, 9), [])


def test_demo_cards_are_well_formed() -> None:
    """Demo numbers begin with 6045, have 16 or 19 digits, and pass the Luhn check."""
    for card in Till().simulator.cards():
        number = str(card["number"])
        doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(number))]
        assert sum(digit // 10 + digit % 10 for digit in doubled) % 10 == 0
        assert number.startswith("6045")
        assert len(number) in {16, 19}
