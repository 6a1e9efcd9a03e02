"""The JeudiMerci simulator does what the manual and our own documented inventions say."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec
import pytest

from giftcard_simulators.jeudimerci.books import API_KEY, WALLET, WALLET_OPENING_MINOR, WEBHOOK_KEY
from giftcard_simulators.jeudimerci.simulator import JeudiMerciSimulator
from giftcard_simulators.sandbox import SimAnswer, SimRequest, seeded_ids

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ACTIVE, CONSUMED, PARTLY = "JDMDEMO000000001", "JDMDEMO000000003", "JDMDEMO000000004"


@pytest.fixture
def simulator() -> JeudiMerciSimulator:
    """Return a fresh simulator."""
    return JeudiMerciSimulator(now=lambda: NOW, ids=seeded_ids(1))


def send(
    simulator: JeudiMerciSimulator, method: str, path: str, body: object = None, **headers: str
) -> SimAnswer:
    """Send a request with the right key and content type, unless others are given."""
    content = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
    return simulator.answer(
        SimRequest(
            method=method,
            path=path,
            headers={"x-api-key": API_KEY, "content-type": "application/json"}
            | {name.replace("_", "-"): value for name, value in headers.items()},
            body=content,
        )
    )


def generate(simulator: JeudiMerciSimulator, count: object, price: object) -> SimAnswer:
    """Buy cards."""
    return send(simulator, "POST", "/jdm/ecards/generate", {"numCards": count, "price": price})


def told(answer: SimAnswer) -> Any:  # noqa: ANN401 - an answer is any JSON
    """Read an answer's JSON."""
    return msgspec.json.decode(answer.body)


def wallet(simulator: JeudiMerciSimulator) -> object:
    """Return what is in the wallet, in cents."""
    return next(card["book_minor"] for card in simulator.cards() if card["number"] == WALLET)


def test_generate_buys_from_the_wallet(simulator: JeudiMerciSimulator) -> None:
    """Cards are live once generated, paid for by the wallet, in one effect."""
    answer = told(generate(simulator, 2, 25.5))
    assert answer["status"] == "success"
    assert [card["ECardCost"] for card in answer["eCards"]] == [25.5, 25.5]
    assert wallet(simulator) == WALLET_OPENING_MINOR - 5100
    assert [effect["kind"] for effect in simulator.effects()] == ["issue"]
    details = send(simulator, "GET", f"/jdm/ecards/{answer['eCards'][0]['Code']}")
    assert told(details) == answer["eCards"][0]


def test_the_same_request_buys_again(simulator: JeudiMerciSimulator) -> None:
    """There is no key: a repeated generate buys twice, as the manual warns."""
    generate(simulator, 1, 1)
    generate(simulator, 1, 1)
    assert wallet(simulator) == WALLET_OPENING_MINOR - 200


def test_an_empty_wallet_buys_nothing(simulator: JeudiMerciSimulator) -> None:
    """More than the wallet holds is 402, our invention, and changes nothing."""
    assert generate(simulator, 2, 5000.01).status == 402
    assert simulator.effects() == []


@pytest.mark.parametrize(
    ("count", "price"), [(0, 1), (1, 0), (1, -1), (1, "1.00"), (1, 0.001), ("x", 1), (1, None)]
)
def test_bad_parameters_are_422(simulator: JeudiMerciSimulator, count: object, price: object) -> None:
    """A parameter error is 422 with FastAPI's list, and buys nothing."""
    answer = generate(simulator, count, price)
    assert answer.status == 422
    assert told(answer)["detail"][0].keys() == {"loc", "msg", "type"}
    assert simulator.effects() == []


@pytest.mark.parametrize(
    ("body", "content_type"), [(b"{", "application/json"), (b"{}", "text/plain"), (b"[]", "application/json")]
)
def test_what_is_no_json_object_is_422(
    simulator: JeudiMerciSimulator, body: bytes, content_type: str
) -> None:
    """A body that is not a JSON object is a parameter error too."""
    assert send(simulator, "POST", "/jdm/ecards/generate", body, content_type=content_type).status == 422


def test_test_switches(simulator: JeudiMerciSimulator) -> None:
    """Three prices give another status word, one card fewer, and a cost of 0; the wallet pays each time."""
    pending, short, costless = (told(generate(simulator, 2, price)) for price in (13.13, 14.14, 15.15))
    assert (pending["status"], len(pending["eCards"])) == ("pending", 2)
    assert (short["status"], len(short["eCards"])) == ("partial", 1)
    assert {card["ECardCost"] for card in costless["eCards"]} == {0}
    assert wallet(simulator) == WALLET_OPENING_MINOR - 2 * 1313 - 1414 - 2 * 1515


@pytest.mark.parametrize("key", ["", "wrong", WEBHOOK_KEY])
def test_a_wrong_key_is_401(simulator: JeudiMerciSimulator, key: str) -> None:
    """Nothing is answered without the right key."""
    assert send(simulator, "GET", "/jdm/ecards", x_api_key=key).status == 401


def test_unknown_paths_and_methods(simulator: JeudiMerciSimulator) -> None:
    """An unknown path has FastAPI's own words, which differ from an unknown card's."""
    assert told(send(simulator, "GET", "/jdm/elsewhere")) == {"detail": "Not Found"}
    assert send(simulator, "PUT", "/jdm/ecards").status == 405
    unknown = send(simulator, "GET", "/jdm/ecards/nothing")
    assert (unknown.status, told(unknown)) == (404, {"detail": "E-card not found"})


def test_delete_puts_back_what_is_left(simulator: JeudiMerciSimulator) -> None:
    """A deleted card is gone from the list, what was left is in the wallet, and a repeat is 404."""
    path = f"/jdm/ecards/{PARTLY}"
    assert send(simulator, "DELETE", path).status == 200
    assert wallet(simulator) == WALLET_OPENING_MINOR + 1000
    assert send(simulator, "DELETE", path).status == 404
    listed = told(send(simulator, "GET", "/jdm/ecards"))["eCards"]
    assert PARTLY not in [card["Code"] for card in listed]


def test_a_consumed_card_cannot_be_deleted(simulator: JeudiMerciSimulator) -> None:
    """Deleting what was spent is 400, our invention; consuming is what makes a card so."""
    assert send(simulator, "DELETE", f"/jdm/ecards/{CONSUMED}").status == 400
    simulator.consume(ACTIVE)
    assert told(send(simulator, "GET", f"/jdm/ecards/{ACTIVE}"))["IsFullyConsumed"] is True
    assert send(simulator, "DELETE", f"/jdm/ecards/{ACTIVE}").status == 400


def test_offers_are_added_and_replaced(simulator: JeudiMerciSimulator) -> None:
    """A synchronization adds new offers, replaces known ones and leaves the others."""
    sent = {"offers": [{"offerId": "offer-cinema", "name": "New"}, {"offerId": "fresh"}]}
    answer = told(send(simulator, "POST", "/jdm/offers/sync", sent))
    assert (answer["created"], answer["updated"], answer["removed"]) == (1, 1, 0)
    assert len(told(send(simulator, "GET", "/jdm/offers"))["offers"]) == 3


def test_accounts_are_filtered(simulator: JeudiMerciSimulator) -> None:
    """Accounts are filtered by currency, mandate type and id."""
    for wanted, count in (
        ({}, 3),
        ({"currency": "EUR"}, 2),
        ({"currency": "EUR", "mandateType": "OWNER"}, 1),
        ({"accountIds": ["account-3"]}, 1),
    ):
        assert len(told(send(simulator, "POST", "/stats/accounts/extract", wanted))["accounts"]) == count


@pytest.mark.parametrize("size", [1, 100_000])
def test_an_export_has_the_size_asked_for(size: int) -> None:
    """An export file is as large as the simulator was told, give or take a line."""
    simulator = JeudiMerciSimulator(now=lambda: NOW, ids=seeded_ids(1), export_size_bytes=size)
    answer = send(simulator, "GET", "/stats/exports/accounts-csv")
    assert size <= len(answer.body) < size + 50
    assert send(simulator, "GET", "/stats/exports/nothing").status == 404


def test_a_json_export_is_json(simulator: JeudiMerciSimulator) -> None:
    """The export in JSON is one list of accounts, and says that it is JSON."""
    answer = send(simulator, "GET", "/stats/exports/accounts-json")
    assert answer.headers["content-type"] == "application/json"
    assert {"accountId", "currency", "balance"} <= set(msgspec.json.decode(answer.body)[0])


def test_tickets_are_counted_by_day_and_use(simulator: JeudiMerciSimulator) -> None:
    """Statistics count the demo cards of January and what was bought today."""
    generate(simulator, 1, 10)
    for wanted, counted in (
        ({}, (5, 1)),
        ({"fromDay": "2026-11-21"}, (1, 0)),
        ({"toDay": "2026-01-31", "isConsumed": True}, (1, 1)),
        ({"isConsumed": False}, (4, 0)),
        ({"offerId": "offer-cinema"}, (3, 1)),
        ({"offerId": "offer-free-choice", "toDay": "2026-01-31"}, (1, 0)),
        ({"offerId": "offer-nobody-has"}, (0, 0)),
    ):
        answer = told(send(simulator, "POST", "/stats/tickets", wanted))
        assert (answer["issued"], answer["consumed"]) == counted


def test_every_answer_tells_the_time(simulator: JeudiMerciSimulator) -> None:
    """Every answer has a Date by the clock handed in: the adapter may conclude from it."""
    for answer in (send(simulator, "GET", "/jdm/ecards"), send(simulator, "GET", "/nowhere")):
        assert parsedate_to_datetime(answer.headers["date"]) == NOW


def test_tampering_raises_every_cost(simulator: JeudiMerciSimulator) -> None:
    """A tampered answer has every cost one higher, and nothing else changed."""
    answer = generate(simulator, 1, 25.5)
    tampered = told(simulator.tamper(answer))
    assert tampered["eCards"][0]["ECardCost"] == 26.5
    tampered["eCards"][0]["ECardCost"] = 25.5
    assert tampered == told(answer)


def test_money_is_kept(simulator: JeudiMerciSimulator) -> None:
    """Whatever was bought, deleted and consumed, opening balances plus all effects are the balances now."""
    code = told(generate(simulator, 1, 20))["eCards"][0]["Code"]
    simulator.consume(ACTIVE)
    send(simulator, "DELETE", f"/jdm/ecards/{code}")
    held: dict[object, Any] = {card["number"]: card["opening_book_minor"] for card in simulator.cards()}
    effects: Any = simulator.effects()
    for effect in effects:
        for change in effect["changes"]:
            held[change["card"]] += change["book_minor"]
    assert held == {card["number"]: card["book_minor"] for card in simulator.cards()}
    simulator.reset()
    assert simulator.effects() == []


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/jdm/ecards/JDMDEMO000000001", "E-card not found"),
        ("/stats/exports/accounts-csv", "Export not found"),
        ("/jdm/offers", "Not Found"),
    ],
)
def test_a_scripted_404_speaks_of_what_the_path_names(
    simulator: JeudiMerciSimulator, path: str, words: str
) -> None:
    """A scripted 404 says what the service says of a card or an export that is not there."""
    answer = simulator.failure(404, SimRequest(method="GET", path=path))
    assert (answer.status, told(answer)) == (404, {"detail": words})
