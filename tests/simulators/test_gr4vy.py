"""The Gr4vy simulator does what Gr4vy's documents say, quirks and test switches included."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from joserfc.jwk import ECKey

from giftcard_simulators.gr4vy.service import CODES
from giftcard_simulators.sandbox import SimAnswer
from tests.simulators.gr4vy_caller import (
    BUYER,
    EMPTY,
    EXPIRED,
    FUNDED,
    INACTIVE,
    LOW,
    OTHER,
    START,
    Body,
    Caller,
)


@pytest.fixture
def caller() -> Caller:
    """Give a merchant."""
    return Caller()


def test_no_request_is_answered_without_a_token(caller: Caller) -> None:
    """No token, another key's token, a token out of its time or without a claim: 401."""
    hour = 3600
    at = int(START.timestamp())
    other = ECKey.generate_key("P-521").as_pem(private=True).decode()
    for token in (
        "",
        "x.y.z",
        caller.token(key=other),
        caller.token(exp=at),
        caller.token(nbf=at + hour),
        caller.token(jti=None),
        caller.token(scopes=()) + "x",
    ):
        status, body = caller.ask("GET", "/gift-cards", authorization=f"Bearer {token}")
        assert (status, body["code"]) == (401, "unauthorized")


@pytest.mark.parametrize(
    ("scopes", "status"),
    [
        (("gift-cards.read",), 200),
        (("*.read",), 200),
        (("*.write",), 403),
        (("transactions.read",), 403),
        (("embed",), 403),
        ((), 403),
    ],
)
def test_scopes_are_checked(caller: Caller, scopes: tuple[str, ...], status: int) -> None:
    """A list of cards needs gift-cards.read, by name or by wildcard."""
    token = caller.token(scopes=scopes)
    assert caller.ask("GET", "/gift-cards", authorization=f"Bearer {token}")[0] == status


def test_embed_opens_what_a_browser_needs(caller: Caller) -> None:
    """The scope embed alone opens balances."""
    caller.authorization = f"Bearer {caller.token(scopes=('embed',))}"
    assert caller.ask("POST", "/gift-cards/balances", {"items": [FUNDED]})[0] == 200


def test_another_merchant_account_is_forbidden(caller: Caller) -> None:
    """The sandbox has one merchant account."""
    assert caller.ask("GET", "/gift-cards", x_gr4vy_merchant_account_id="other")[0] == 403


def test_key_is_remembered_for_a_day(caller: Caller) -> None:
    """A repeated key brings back the first answer for 24 hours, and then redeems anew."""
    first = caller.pay(FUNDED, idempotency_key="k1")
    caller.now += timedelta(hours=23, minutes=59)
    assert caller.pay(FUNDED, idempotency_key="k1") == first
    assert caller.balance(FUNDED) == 49_000
    caller.now += timedelta(minutes=1)
    assert caller.pay(FUNDED, idempotency_key="k1")["id"] != first["id"]
    assert caller.balance(FUNDED) == 48_000


def test_failures_are_remembered_and_validation_errors_are_not(caller: Caller) -> None:
    """A failed transaction is brought back by its key; a refused body leaves the key free."""
    failed = caller.pay(LOW, amount=5_000, idempotency_key="k1")
    assert failed["intent_outcome"] == "failed"
    assert caller.pay(FUNDED, idempotency_key="k1") == failed
    assert caller.ask("POST", "/transactions", {"amount": 1}, idempotency_key="k2")[0] == 400
    assert caller.pay(FUNDED, idempotency_key="k2")["intent_outcome"] == "succeeded"


def test_keys_of_issuances_are_only_forwarded(caller: Caller) -> None:
    """The gift card service gets the key and may ignore it, as this one does: two cards."""
    body = {"theme": "031111372", "amount": 100, "currency": "USD"}
    first, second = (
        caller.ask("POST", "/gift-cards/issuances", body, idempotency_key="k1")[1] for _ in range(2)
    )
    assert first["id"] != second["id"]
    assert not {"number", "pin"} & first.keys()


@pytest.mark.parametrize("place", range(len(CODES) + 1))
@pytest.mark.parametrize("kind", ["1", "2", "3"])
def test_pin_picks_the_error(caller: Caller, kind: str, place: int) -> None:
    """The first digit of the PIN says that it fails, the others with which code of the list."""
    card = {"number": "6045199999999999", "pin": f"{kind}{place:04d}"}
    code = CODES[place] if place < len(CODES) else "unknown_error"
    (redemption,) = caller.pay(card)["gift_card_redemptions"]
    assert (redemption["status"], redemption["error_code"]) == ("failed", code)
    status, body = caller.ask("POST", "/gift-cards/balances", {"items": [card, FUNDED]})
    assert (status, body["items"][0]["balance_error_code"]) == (200, code)
    assert body["items"][0]["balance"] is None
    assert body["items"][1]["balance"] == 50_000


def test_pin_is_the_balance_of_a_new_card(caller: Caller) -> None:
    """A card not seen before has the PIN read as a number; ours then keeps books."""
    card = {"number": "6045199999999999", "pin": "01234"}
    caller.pay(card, amount=1_000)
    _, body = caller.ask("POST", "/gift-cards/balances", {"items": [card, {**card, "pin": "09999"}]})
    assert body["items"][0]["balance"] == 234
    assert body["items"][1]["balance_error_code"] == "invalid_gift_card"


@pytest.mark.parametrize(("card", "code"), [(EXPIRED, "expired_card"), (INACTIVE, "inactive_card")])
def test_demo_cards_fail_as_documented(caller: Caller, card: Body, code: str) -> None:
    """The expired and the inactive demo card say so."""
    assert caller.pay(card)["gift_card_redemptions"][0]["error_code"] == code


def test_one_failing_card_reverts_all(caller: Caller) -> None:
    """Cards before the failing one are put back, those after it are skipped, and nothing has moved."""
    paid = caller.pay(FUNDED, LOW, OTHER, amount=5_000)
    assert [each["status"] for each in paid["gift_card_redemptions"]] == ["succeeded", "failed", "skipped"]
    assert paid["gift_card_redemptions"][0]["refunded_amount"] == 5_000
    assert [caller.balance(card) for card in (FUNDED, LOW, OTHER)] == [50_000, 100, 50_000]


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 999},
        {"amount": -1},
        {"currency": "usd"},
        {"gift_cards": []},
        {"gift_cards": [{**FUNDED, "amount": 500}, {**FUNDED, "amount": 500}]},
        {"gift_cards": [{"number": "1", "pin": "0", "amount": 1_000}]},
        {"gift_cards": [{**FUNDED, "id": "356d56e5-fe16-42ae-97ee-8d55d846ae2e", "amount": 1_000}]},
        {"payment_method": {"method": "card"}},
        {"intent": "steal"},
    ],
)
def test_misshapen_transactions_are_refused(caller: Caller, change: Body) -> None:
    """What the document forbids, or a gift card alone cannot cover, is a 400 and moves nothing."""
    body = {
        "amount": 1_000,
        "currency": "USD",
        "intent": "capture",
        "gift_cards": [{**FUNDED, "amount": 1_000}],
        **change,
    }
    status, answer = caller.ask("POST", "/transactions", body)
    assert (status, answer["code"]) == (400, "bad_request")
    assert caller.simulator.effects() == []


def test_documented_fields_are_taken_and_told_back(caller: Caller) -> None:
    """What bears on no gift card is taken all the same, and a transaction in full tells it."""
    told = {
        "country": "US",
        "metadata": {"till": "7"},
        "payment_source": "recurring",
        "merchant_initiated": True,
        "is_subsequent_payment": True,
        "account_funding_transaction": False,
        "cart_items": [{"name": "Tea", "quantity": 1, "unit_amount": 1_000}],
        "statement_descriptor": {"name": "Corner Shop"},
        "installment_count": 3,
        "tax_amount": 70,
        "purchase_order_number": "PO-1",
        "approval_expires_at": "2026-11-22T12:00:00Z",
    }
    silent: Body = {
        "store": False,
        "async_capture": True,
        "allow_partial_authorization": False,
        "is_amount_estimated": None,
        "description": "a cup of tea",
        "browser_info": {"language": "en"},
        "connection_options": {"mock-card": {}},
        "integration_client": "web",
        "payment_method": None,
        "buyer": {"display_name": "Ada", "external_identifier": "guest-1"},
    }
    body = {
        "amount": 1_000,
        "currency": "USD",
        "intent": "capture",
        "gift_cards": [{**FUNDED, "amount": 1_000}],
    }
    status, paid = caller.ask("POST", "/transactions", {**body, **told, **silent})
    assert status == 201
    assert {name: paid[name] for name in told} == told
    assert (paid["buyer"]["display_name"], paid["buyer"]["external_identifier"]) == ("Ada", "guest-1")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"payment_source": "recurring"}, "/store"),
        ({"payment_source": "installment", "merchant_initiated": True}, "/is_subsequent_payment"),
        ({"merchant_initiated": True, "is_subsequent_payment": True}, "/is_subsequent_payment"),
        ({"async_capture": True, "intent": "authorize"}, "/async_capture"),
        ({"installment_count": 101}, "/installment_count"),
        ({"approval_expires_at": "2026-11-22T12:00:00"}, "/approval_expires_at"),
        ({"gift_cards": [{**FUNDED, "amount": 1_000, "currency": "USD"}]}, "/gift_cards/0/currency"),
        ({"gift_cards": [FUNDED]}, "/gift_cards/0/amount"),
        ({"colour": "red"}, "/colour"),
        ({"currency": None}, "/currency"),
    ],
)
def test_what_the_document_rules_out_is_named(caller: Caller, change: Body, pointer: str) -> None:
    """Flags that exclude each other, and fields that are unknown, missing or misshapen, are pointed at."""
    body = {
        "amount": 1_000,
        "currency": "USD",
        "intent": "capture",
        "gift_cards": [{**FUNDED, "amount": 1_000}],
    }
    status, answer = caller.ask("POST", "/transactions", {**body, **change})
    assert (status, answer["details"][0]["pointer"]) == (400, pointer)


def test_transactions_are_filtered(caller: Caller) -> None:
    """A list holds what fits every filter that is played."""
    caller.pay(FUNDED, amount=1_000)
    caller.pay(OTHER, amount=2_000)
    for query, amounts in (
        ("", [2_000, 1_000]),
        ("?amount_eq=1000", [1_000]),
        ("?currency=EUR", []),
        ("?currency=USD&gift_card_last4=0002", [2_000]),
        ("?buyer_external_identifier=user-12", []),
    ):
        _, answer = caller.ask("GET", f"/transactions{query}")
        assert [row["amount"] for row in answer["items"]] == amounts


@pytest.mark.parametrize(
    ("amount", "status"), [(500, "succeeded"), (501, "failed"), (502, "failed"), (503, "failed")]
)
def test_refund_obeys_the_last_digit(caller: Caller, amount: int, status: str) -> None:
    """The last digit of a refund's amount decides: 0 works; 1, 2 and 3 fail and put nothing back."""
    _, body = caller.refund(caller.pay(FUNDED), amount=amount)
    assert body["status"] == status
    assert caller.balance(FUNDED) == 49_000 + (amount if status == "succeeded" else 0)


def test_refund_targets_the_redemption(caller: Caller) -> None:
    """Left out, the target is a payment method, which there is none of; the card's id is no target either."""
    paid = caller.pay(FUNDED)
    path = f"/transactions/{paid['id']}/refunds"
    assert caller.ask("POST", path, {})[1]["details"][0]["pointer"] == "/target_type"
    assert caller.refund(paid, target_id=paid["id"])[1]["details"][0]["pointer"] == "/target_id"
    assert caller.refund(paid, amount=1_010)[0] == 400
    assert caller.refund(paid)[1]["amount"] == 1_000
    assert caller.refund(paid, amount=10)[0] == 400


def test_refund_all_puts_everything_back(caller: Caller) -> None:
    """Every redemption of a transaction is refunded, and each refund can be read."""
    paid = caller.pay(FUNDED, OTHER)
    status, body = caller.ask("POST", f"/transactions/{paid['id']}/refunds/all")
    assert (status, len(body["items"])) == (201, 2)
    assert (caller.balance(FUNDED), caller.balance(OTHER)) == (50_000, 50_000)
    listed = caller.ask("GET", f"/transactions/{paid['id']}/refunds")[1]["items"]
    assert caller.ask("GET", f"/refunds/{listed[0]['id']}")[1] == listed[0]


def test_slow_outcomes_show_late() -> None:
    """With a slow service a transaction is pending and its key keeps saying so."""
    slow = Caller(settles_after_s=60)
    paid = slow.pay(FUNDED, idempotency_key="k1")
    assert paid["intent_outcome"] == "pending"
    slow.now += timedelta(seconds=60)
    assert slow.pay(FUNDED, idempotency_key="k1")["intent_outcome"] == "pending"
    assert slow.ask("GET", f"/transactions/{paid['id']}")[1]["intent_outcome"] == "succeeded"


def test_rows_have_no_outcome(caller: Caller) -> None:
    """The list is filtered by external identifier and leaves intent_outcome out."""
    body = {
        "amount": 10,
        "currency": "USD",
        "gift_cards": [{**FUNDED, "amount": 10}],
        "external_identifier": "ours",
    }
    caller.ask("POST", "/transactions", body)
    caller.pay(FUNDED)
    (row,) = caller.ask("GET", "/transactions?external_identifier=ours&limit=2")[1]["items"]
    assert "intent_outcome" not in row
    assert row["gift_card_redemptions"][0]["amount"] == 10


def test_vault_holds_ten_cards_for_a_buyer(caller: Caller) -> None:
    """The eleventh is a 400 that speaks of a limit, a second of the same card a 409 that names the first."""
    cards = [{"number": f"60451777777777{n:02d}", "pin": "0100", **BUYER} for n in range(11)]
    first = caller.ask("POST", "/gift-cards", cards[0])[1]
    again = caller.ask("POST", "/gift-cards", cards[0])
    assert (again[0], again[1]["code"], again[1]["resource_id"]) == (409, "duplicate_record", first["id"])
    for card in cards[1:10]:
        assert caller.ask("POST", "/gift-cards", card)[0] == 201
    status, body = caller.ask("POST", "/gift-cards", cards[10])
    assert status == 400
    assert "limit" in body["message"]
    assert caller.ask("POST", "/gift-cards", {**cards[10], "buyer_external_identifier": "user-13"})[0] == 201


def test_vault_never_tells_number_or_pin(caller: Caller) -> None:
    """A stored card is bin, sub-bin and last four."""
    stored = caller.ask("POST", "/gift-cards", FUNDED)[1]
    assert not {"number", "pin", "balance"} & stored.keys()
    assert (stored["bin"], stored["sub_bin"], stored["last4"]) == ("604510", "000", "0001")


def test_only_a_buyers_list_drops_spent_cards(caller: Caller) -> None:
    """Empty cards leave the vault when the buyer's cards are listed with balances, and not before."""
    for card in (FUNDED, EMPTY):
        caller.ask("POST", "/gift-cards", {**card, **BUYER})
    assert len(caller.ask("GET", "/gift-cards")[1]["items"]) == 2
    path = "/buyers/gift-cards?buyer_external_identifier=user-12"
    assert [each["balance"] for each in caller.ask("GET", path)[1]["items"]] == [50_000]
    assert len(caller.ask("GET", "/gift-cards")[1]["items"]) == 1
    assert caller.ask("GET", "/buyers/gift-cards")[0] == 400


def test_vault_is_paged(caller: Caller) -> None:
    """A cursor leads to the next page and back; a limit beyond 100 is a 422 in FastAPI's shape."""
    for card in (FUNDED, OTHER, LOW):
        caller.ask("POST", "/gift-cards", card)
    first = caller.ask("GET", "/gift-cards?limit=2")[1]
    second = caller.ask("GET", f"/gift-cards?limit=2&cursor={first['next_cursor']}")[1]
    assert [len(page["items"]) for page in (first, second)] == [2, 1]
    assert (first["previous_cursor"], second["next_cursor"]) == (None, None)
    assert caller.ask("GET", f"/gift-cards?limit=2&cursor={second['previous_cursor']}")[1] == first
    status, body = caller.ask("GET", "/gift-cards?limit=101")
    assert (status, body["detail"][0]["loc"]) == (422, ["query", "limit"])
    assert caller.ask("GET", "/gift-cards?cursor=%21")[0] == 400


def test_stored_card_belongs_to_its_buyer(caller: Caller) -> None:
    """A stored card pays for its buyer only, counts its uses, and is gone once deleted."""
    stored = caller.ask("POST", "/gift-cards", {**FUNDED, **BUYER})[1]
    body = {"amount": 10, "currency": "USD", "gift_cards": [{"id": stored["id"], "amount": 10}]}
    assert caller.ask("POST", "/transactions", body)[0] == 400
    assert caller.ask("POST", "/transactions", {**body, **BUYER})[1]["intent_outcome"] == "succeeded"
    assert caller.ask("GET", f"/gift-cards/{stored['id']}")[1]["usage_count"] == 1
    assert caller.ask("DELETE", f"/gift-cards/{stored['id']}") == (204, None)
    assert caller.ask("POST", "/transactions", {**body, **BUYER})[0] == 404


@pytest.mark.parametrize(
    "body",
    [
        {"number": FUNDED["number"]},
        {**INACTIVE, "amount": 5},
        {"number": INACTIVE["number"], "store": True},
        {**INACTIVE, **BUYER},
        {**INACTIVE, "pin": "09999"},
        {**INACTIVE, "amount": 5, "currency": "EUR"},
    ],
)
def test_misshapen_activations_are_refused(caller: Caller, body: Body) -> None:
    """An active card, half an amount, storing without PIN, a buyer without storing, a wrong PIN: 400."""
    assert caller.ask("POST", "/gift-cards/activations", body)[0] == 400
    assert caller.simulator.effects() == []


def test_activation_loads_the_card(caller: Caller) -> None:
    """An activated card holds its opening amount and can be spent."""
    body = {**INACTIVE, "amount": 500, "currency": "USD"}
    assert caller.ask("POST", "/gift-cards/activations", body)[0] == 201
    assert caller.pay(INACTIVE, amount=500)["intent_outcome"] == "succeeded"


def test_books_always_balance(caller: Caller) -> None:
    """Opening balances and the changes of all effects are the balances now."""
    caller.refund(caller.pay(FUNDED), amount=400)
    caller.pay(FUNDED, LOW, amount=5_000)
    caller.ask("POST", "/gift-cards/issuances", {"theme": "031111372", "amount": 100, "currency": "USD"})
    for card in caller.simulator.cards():
        changes = [
            change["available_minor"]
            for effect in json.loads(json.dumps(caller.simulator.effects()))
            for change in effect["changes"]
            if change["card"] == card["number"]
        ]
        assert int(str(card["opening_available_minor"])) + sum(changes) == card["available_minor"]


def test_reset_opens_the_books_anew(caller: Caller) -> None:
    """After a reset there are no effects, no keys and no stored cards."""
    caller.pay(FUNDED, idempotency_key="k1")
    caller.ask("POST", "/gift-cards", FUNDED)
    caller.simulator.reset()
    assert caller.simulator.effects() == []
    assert caller.ask("GET", "/gift-cards")[1]["items"] == []
    assert caller.balance(FUNDED) == 50_000


def test_tampered_answers_say_another_amount(caller: Caller) -> None:
    """What the simulator is made to say wrongly is an amount or a balance."""
    paid = caller.send(
        "POST", "/transactions", {"amount": 10, "currency": "USD", "gift_cards": [{**FUNDED, "amount": 10}]}
    )
    assert json.loads(caller.simulator.tamper(paid).body)["amount"] == 11
    balances = caller.send("POST", "/gift-cards/balances", {"items": [OTHER]})
    assert json.loads(caller.simulator.tamper(balances).body)["items"][0]["balance"] == 50_001
    gone = SimAnswer(status=204)
    assert caller.simulator.tamper(gone) == gone


def test_unknown_paths_and_methods_are_refused(caller: Caller) -> None:
    """A path nobody has is 404, a method it has not 405, an id that is none 422."""
    assert caller.ask("GET", "/nothing")[0] == 404
    assert caller.ask("PATCH", "/gift-cards")[0] == 405
    assert caller.ask("GET", "/gift-cards/none")[0] == 422
    assert caller.ask("GET", "/transactions/356d56e5-fe16-42ae-97ee-8d55d846ae2e")[0] == 404
