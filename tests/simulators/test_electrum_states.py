"""What the Electrum simulator does to cards and money, in every state."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from giftcard_simulators.bank import BankCard, Effect
from tests.simulators.electrum_till import (
    EMPTY,
    EXPIRED,
    FUNDED,
    FUNDED_WITH_PIN,
    INACTIVE,
    INACTIVE_19,
    INACTIVE_EXPIRED,
    INACTIVE_WITH_PIN,
    LOW,
    VOIDED,
    Body,
    Reply,
    Till,
    final,
)

UNKNOWN = "6045999999999999"
PIN = {"type": "CLEAR_PIN", "pin": "1234"}

# operation, its cards, amount, then (book, available) of each card after the request, its confirmation, its
# reversal, and the card states after each.
COURSES = [
    ("activate", (INACTIVE,), 5_000, [(5_000, 5_000)], [(5_000, 5_000)], [(0, 0)]),
    ("load", (FUNDED,), 2_000, [(52_000, 50_000)], [(52_000, 52_000)], [(50_000, 50_000)]),
    ("redeem", (FUNDED,), 2_000, [(48_000, 48_000)], [(48_000, 48_000)], [(50_000, 50_000)]),
    ("void", (FUNDED,), None, [(50_000, 50_000)], [(50_000, 50_000)], [(50_000, 50_000)]),
    (
        "transfer",
        (FUNDED, EMPTY),
        2_000,
        [(48_000, 48_000), (2_000, 0)],
        [(48_000, 48_000), (2_000, 2_000)],
        [(50_000, 50_000), (0, 0)],
    ),
    (
        "replace",
        (FUNDED, INACTIVE_19),
        None,
        [(0, 0), (50_000, 50_000)],
        [(0, 0), (50_000, 50_000)],
        [(50_000, 50_000), (0, 0)],
    ),
]
STATES = {
    "activate": (["ACTIVATED"], ["ACTIVATED_CONFIRMED"], ["NEW"]),
    "load": (["ACTIVATED_CONFIRMED"],) * 3,
    "redeem": (["ACTIVATED_CONFIRMED"],) * 3,
    "void": (["VOIDED"], ["VOIDED_CONFIRMED"], ["ACTIVATED_CONFIRMED"]),
    "transfer": (["ACTIVATED_CONFIRMED"] * 2,) * 3,
    "replace": (
        ["VOIDED", "ACTIVATED"],
        ["VOIDED_CONFIRMED", "ACTIVATED_CONFIRMED"],
        ["ACTIVATED_CONFIRMED", "NEW"],
    ),
}
LATE_REVERSAL = {"activate": "CARD_ACTIVATED", "void": "CARD_VOIDED"}

Balances = list[tuple[int, int]]
Course = tuple[str, tuple[str, ...], int | None, Balances, Balances, Balances]
courses = pytest.mark.parametrize("course", COURSES, ids=[course[0] for course in COURSES])


def begin(till: Till, course: Course) -> tuple[str, Reply]:
    """Send the course's request and return its id and the reply."""
    operation, cards, amount, *_ = course
    reply = till.ask(operation, *cards, amount=amount)
    assert reply.status == 201, reply.body
    return str(reply.body["id"]), reply


def seen(till: Till, course: Course) -> tuple[list[tuple[int, int]], list[str]]:
    """Return balances and states of the course's cards."""
    return [till.balances(card) for card in course[1]], [till.state(card) for card in course[1]]


@courses
def test_request_changes_balances_and_states(course: Course) -> None:
    """A request moves the documented balances at once; a load is on the book and not yet available."""
    till = Till()
    begin(till, course)
    assert seen(till, course) == (course[3], STATES[course[0]][0])


@courses
def test_confirmation_makes_it_final(course: Course) -> None:
    """A confirmation makes everything available, once, whatever id it is repeated under."""
    till = Till()
    request_id, _ = begin(till, course)
    for _ in range(3):
        assert till.confirm(course[0], request_id).status == 202
    assert seen(till, course) == (course[4], STATES[course[0]][1])
    assert till.kinds() == [course[0], "confirm"]


@courses
def test_reversal_puts_everything_back(course: Course) -> None:
    """A reversal restores balances and states, once, whatever id it is repeated under."""
    till = Till()
    request_id, _ = begin(till, course)
    for _ in range(3):
        assert till.reverse(course[0], request_id).status == 202
    assert seen(till, course) == (course[5], STATES[course[0]][2])
    assert till.kinds() == [course[0], "reverse"]


@courses
def test_confirmed_request_cannot_be_reversed(course: Course) -> None:
    """A reversal after the confirmation is refused with the error documented for the operation."""
    till = Till()
    request_id, _ = begin(till, course)
    till.confirm(course[0], request_id)
    refused = till.reverse(course[0], request_id)
    assert (refused.status, refused.error) == (400, LATE_REVERSAL.get(course[0], "TRANSACTION_NOT_SUPPORTED"))
    assert seen(till, course)[0] == course[4]


@courses
def test_reversed_request_cannot_be_confirmed(course: Course) -> None:
    """A confirmation after the reversal is refused as `Request reversed`."""
    till = Till()
    request_id, _ = begin(till, course)
    till.reverse(course[0], request_id)
    refused = till.confirm(course[0], request_id)
    assert (refused.status, refused.error, refused.body["errorMessage"]) == (
        400,
        "GENERAL_ERROR",
        "Request reversed",
    )
    assert seen(till, course)[0] == course[5]


@courses
def test_reversal_before_its_request(course: Course) -> None:
    """A reversal of a request never seen is 404 and remembered: the late request moves nothing."""
    till = Till()
    before = seen(till, course)
    request_id = till.fresh_id()
    early = till.reverse(course[0], request_id)
    late = till.ask(course[0], *course[1], amount=course[2], id=request_id)
    again = till.reverse(course[0], request_id)
    assert (early.status, early.error) == (again.status, again.error) == (404, "UNABLE_TO_LOCATE_RECORD")
    assert (late.status, late.body["errorMessage"]) == (400, "Request reversed")
    assert seen(till, course) == before
    assert till.kinds() == []


@courses
def test_confirmation_before_its_request(course: Course) -> None:
    """A confirmation of a request never seen is 404 and changes nothing of what comes later."""
    till = Till()
    request_id = till.fresh_id()
    assert till.confirm(course[0], request_id).status == 404
    assert till.ask(course[0], *course[1], amount=course[2], id=request_id).status == 201


@courses
def test_request_id_is_used_once(course: Course) -> None:
    """A financial request sent again is DUPLICATE_RECORD and moves nothing."""
    till = Till()
    request_id, _ = begin(till, course)
    again = till.ask(course[0], *course[1], amount=course[2], id=request_id)
    assert (again.status, again.error) == (400, "DUPLICATE_RECORD")
    assert till.kinds() == [course[0]]


# operation, cards, amount, what must be said: in the order of the checks, two wrongs at a time.
REFUSALS = [
    ("activate", (UNKNOWN,), None, "INVALID_CARD_NUMBER"),
    ("activate", (FUNDED,), None, "CARD_ACTIVATED"),
    ("activate", (VOIDED,), None, "CARD_VOIDED"),
    ("activate", ({"pan": INACTIVE, "expiryDate": "4901"},), None, "CARD_EXPIRED"),
    ("activate", (INACTIVE_EXPIRED,), None, "CARD_EXPIRED"),
    ("activate", (INACTIVE,), -1, "INVALID_AMOUNT"),
    ("load", (UNKNOWN,), 100, "INVALID_CARD_NUMBER"),
    ("load", (INACTIVE,), 100, "CARD_NOT_ACTIVATED"),
    ("load", (VOIDED,), 100, "CARD_VOIDED"),
    ("load", ({"pan": FUNDED, "expiryDate": "4901"},), 100, "CARD_EXPIRED"),
    ("load", (EXPIRED,), 100, "CARD_EXPIRED"),
    ("load", (FUNDED,), 0, "INVALID_AMOUNT"),
    ("redeem", (UNKNOWN,), 100, "INVALID_CARD_NUMBER"),
    ("redeem", (INACTIVE,), 100, "CARD_NOT_ACTIVATED"),
    ("redeem", (VOIDED,), 100, "CARD_VOIDED"),
    ("redeem", (LOW,), 101, "INSUFFICIENT_FUNDS"),
    ("redeem", (FUNDED_WITH_PIN,), 50_001, "INSUFFICIENT_FUNDS"),
    ("redeem", ({"pan": FUNDED_WITH_PIN, "expiryDate": "4901"},), 100, "INCORRECT_PIN"),
    ("redeem", ({"pan": FUNDED, "expiryDate": "4901"},), 100, "CARD_EXPIRED"),
    ("redeem", (EXPIRED,), 100, "CARD_EXPIRED"),
    ("redeem", (FUNDED,), -100, "INVALID_AMOUNT"),
    ("void", (UNKNOWN,), None, "INVALID_CARD_NUMBER"),
    ("void", (INACTIVE,), None, "CARD_NOT_ACTIVATED"),
    ("void", (VOIDED,), None, "CARD_VOIDED"),
    ("void", ({"pan": FUNDED, "expiryDate": "4901"},), None, "GENERAL_ERROR"),
    ("void", (EXPIRED,), None, "CARD_EXPIRED"),
    ("transfer", (FUNDED, UNKNOWN), 100, "INVALID_CARD_NUMBER"),
    ("transfer", (FUNDED, FUNDED), 100, "INVALID_CARD_NUMBER"),
    ("transfer", (FUNDED, INACTIVE), 100, "CARD_NOT_ACTIVATED"),
    ("transfer", (LOW, EMPTY), 101, "INSUFFICIENT_FUNDS"),
    ("transfer", (FUNDED_WITH_PIN, EMPTY), 100, "INCORRECT_PIN"),
    ("transfer", (FUNDED, EXPIRED), 100, "CARD_EXPIRED"),
    ("transfer", (FUNDED, EMPTY), 0, "INVALID_AMOUNT"),
    ("replace", (FUNDED, UNKNOWN), None, "INVALID_CARD_NUMBER"),
    ("replace", (FUNDED, FUNDED), None, "INVALID_CARD_NUMBER"),
    ("replace", (FUNDED, EMPTY), None, "CARD_ACTIVATED"),
    ("replace", (VOIDED, INACTIVE), None, "CARD_VOIDED"),
    ("replace", (FUNDED, INACTIVE_EXPIRED), None, "CARD_EXPIRED"),
    *(
        (operation, (pan,), amount, error)
        for operation, amount in (("load", 100), ("redeem", 100), ("void", None))
        for pan, error in (
            ("6045000000000137", "CARD_BLOCKED"),
            ("6045000000000145", "CARD_DELETED"),
            ("6045000000000152", "FUNCTION_BLOCKED_FOR_CARD_RANK"),
            ("6045000000000160", "PIN_ATTEMPTS_EXCEEDED"),
            ("6045000000000178", "DO_NOT_HONOUR"),
            ("6045000000000186", "TEMPORARY_FAILURE"),
        )
    ),
]


@pytest.mark.parametrize(("operation", "cards", "amount", "error"), REFUSALS)
def test_refusal(operation: str, cards: tuple[str | Body, ...], amount: int | None, error: str) -> None:
    """A request that may not be is refused with the documented error, moves nothing, and ends there."""
    till = Till()
    before = till.simulator.cards()
    refused = till.ask(operation, *cards, amount=amount)
    assert (refused.status, refused.error) == (400, error)
    assert refused.body["requestType"].endswith("_REQUEST")
    assert len(refused.body["errorMessage"]) <= 20
    assert till.simulator.cards() == before
    for advise in (till.confirm, till.reverse):
        answer = advise(operation, refused.body["id"])
        assert (answer.status, answer.body["errorMessage"]) == (400, "Request failed")
    assert till.kinds() == []


def test_activation_wants_a_product_we_sell() -> None:
    """An unknown product is INVALID_PRODUCT, and that is said before anything about the card's state."""
    assert Till().ask("activate", FUNDED, product={"id": "nothing"}).error == "INVALID_PRODUCT"


def test_product_starting_balance() -> None:
    """An activation puts the product's starting balance and the initial load on the card."""
    till = Till()
    reply = till.ask("activate", INACTIVE, amount=50, product={"id": "product007"})
    assert reply.balances() == (5_050, 5_050)
    till.reverse("activate", str(reply.body["id"]))
    assert till.balances(INACTIVE) == (0, 0)


def test_unconfirmed_activation_is_not_usable() -> None:
    """A card whose activation is not confirmed takes neither load nor redemption nor void."""
    till = Till()
    till.ask("activate", INACTIVE, amount=500)
    errors = [till.ask(operation, INACTIVE, amount=100).error for operation in ("load", "redeem", "void")]
    assert errors == ["CARD_NOT_ACTIVATED"] * 3


PINS = [
    ({"pin": PIN}, 201),
    ({"pin": {"type": "ENCRYPTED_PIN", "pinBlock": "0412ac89abcdef67"}}, 201),
    (
        {
            "pin": {
                "type": "HASHED_PIN",
                "hash": "03AC674216F3E15C761EE1A5E255F067953623C8B388B4459E13F978D7C846F4",
                "hashedPinParameters": {"name": "SHA-256"},
            }
        },
        201,
    ),
    ({"clearPin": "1234"}, 201),
    ({"encryptedPin": "0412AC89ABCDEF67"}, 201),
    ({"pin": {"type": "CLEAR_PIN", "pin": "4321"}, "clearPin": "1234"}, 400),
    ({"pin": {"type": "CLEAR_PIN", "pin": ""}}, 400),
    ({"encryptedPin": "0412"}, 400),
    ({}, 400),
]


@pytest.mark.parametrize(("pin", "status"), PINS)
def test_pin_forms(pin: Body, status: int) -> None:
    """A PIN is taken clear, encrypted or hashed; `pin` wins over the old fields; none is a wrong one."""
    assert Till().ask("redeem", {"pan": FUNDED_WITH_PIN} | pin, amount=100).status == status


def test_activation_replaces_the_pin() -> None:
    """A PIN in an activation becomes the card's, and the reversal brings the old one back."""
    till = Till()
    new = {"type": "CLEAR_PIN", "pin": "99"}
    first = till.ask("activate", {"pan": INACTIVE_WITH_PIN, "pin": new}, amount=900)
    till.reverse("activate", str(first.body["id"]))
    second = till.ask("activate", INACTIVE_WITH_PIN, amount=900)
    till.confirm("activate", str(second.body["id"]))
    assert till.ask("redeem", {"pan": INACTIVE_WITH_PIN, "pin": new}, amount=1).error == "INCORRECT_PIN"
    assert till.ask("redeem", {"pan": INACTIVE_WITH_PIN, "pin": PIN}, amount=1).status == 201


# operation, its cards, advice, final amount of 2000, and (book, available) of each card after it.
PARTS = [
    ("activate", (INACTIVE,), "confirm", 500, [(500, 500)]),
    ("load", (FUNDED,), "confirm", 500, [(50_500, 50_500)]),
    ("load", (FUNDED,), "confirm", 2_000, [(52_000, 52_000)]),
    ("load", (FUNDED,), "reverse", 500, [(50_500, 50_500)]),
    ("load", (FUNDED,), "reverse", 0, [(50_000, 50_000)]),
    ("redeem", (FUNDED,), "confirm", 500, [(49_500, 49_500)]),
    ("redeem", (FUNDED,), "reverse", 500, [(49_500, 49_500)]),
    ("transfer", (FUNDED, EMPTY), "confirm", 500, [(49_500, 49_500), (500, 500)]),
    ("transfer", (FUNDED, EMPTY), "reverse", 500, [(49_500, 49_500), (500, 500)]),
]


@pytest.mark.parametrize(("operation", "cards", "phase", "amount", "after"), PARTS)
def test_partial_advice(
    operation: str, cards: tuple[str, ...], phase: str, amount: int, after: list[tuple[int, int]]
) -> None:
    """`approvedAmount` in an advice is the final amount, in a confirmation and in a reversal."""
    till = Till()
    request_id = str(till.ask(operation, *cards, amount=2_000).body["id"])
    advise = till.confirm if phase == "confirm" else till.reverse
    assert advise(operation, request_id, amounts=final(amount)).status == 202
    assert advise(operation, request_id, amounts=final(1)).status == 202
    assert [till.balances(card) for card in cards] == after


@pytest.mark.parametrize(
    ("operation", "phase", "amounts"),
    [
        ("load", "confirm", final(2_001)),
        ("load", "confirm", final(-1)),
        ("load", "confirm", final(2_000, "840")),
        ("redeem", "reverse", final(2_001)),
        ("activate", "reverse", final(500)),
    ],
)
def test_final_amount_out_of_range(operation: str, phase: str, amounts: Body) -> None:
    """A final amount above the approved one, below zero, or of another currency leaves the request open."""
    till = Till()
    card = INACTIVE if operation == "activate" else FUNDED
    request_id = str(till.ask(operation, card, amount=2_000).body["id"])
    advise = till.confirm if phase == "confirm" else till.reverse
    assert advise(operation, request_id, amounts=amounts).error == "INVALID_AMOUNT"
    assert advise(operation, request_id).status == 202


@pytest.mark.parametrize("operation", ["load", "redeem"])
def test_card_voided_meanwhile(operation: str) -> None:
    """An advice for a card voided after the request is CARD_VOIDED until the void is reversed."""
    till = Till()
    request_id = str(till.ask(operation, FUNDED, amount=100).body["id"])
    void_id = str(till.ask("void", FUNDED).body["id"])
    assert till.confirm(operation, request_id).error == "CARD_VOIDED"
    till.reverse("void", void_id)
    assert till.confirm(operation, request_id).status == 202


def test_card_with_an_open_request_is_not_replaced() -> None:
    """A card whose last request waits for its advice is refused as `Request in progress` (assumption)."""
    till = Till()
    request_id = str(till.ask("load", FUNDED, amount=100).body["id"])
    assert till.ask("replace", FUNDED, INACTIVE).body["errorMessage"] == "Request in progress"
    till.confirm("load", request_id)
    assert till.ask("replace", FUNDED, INACTIVE).status == 201


def test_advice_of_another_operation() -> None:
    """A confirmation of a load does not confirm a redemption."""
    till = Till()
    request_id = str(till.ask("redeem", FUNDED, amount=100).body["id"])
    assert till.confirm("load", request_id).status == 404


class Opened(BankCard, kw_only=True):
    """A card as the sandbox shows it, with the balances it was opened with."""

    opening_book_minor: int
    opening_available_minor: int


STEP = st.tuples(
    st.sampled_from(["activate", "load", "redeem", "transfer", "replace", "void", "confirm", "reverse"]),
    st.sampled_from([INACTIVE, INACTIVE_19, FUNDED, LOW, EMPTY]),
    st.sampled_from([INACTIVE, INACTIVE_19, FUNDED, LOW, EMPTY]),
    st.integers(0, 30_000),
    st.integers(0, 7),
)


@settings(max_examples=60)
@given(st.lists(STEP, max_size=25))
def test_effects_fold_to_the_balances(steps: list[tuple[str, str, str, int, int]]) -> None:
    """Opening balances plus all changes are the balances; each request acts at most once and ends once."""
    till = Till()
    asked: list[tuple[str, str]] = []
    for name, first, second, amount, which in steps:
        if name in {"confirm", "reverse"}:
            if asked:
                operation, request_id = asked[which % len(asked)]
                (till.confirm if name == "confirm" else till.reverse)(operation, request_id)
            continue
        cards = (first, second) if name in {"transfer", "replace"} else (first,)
        asked.append((name, str(till.ask(name, *cards, amount=amount).body["id"])))
    effects = msgspec.convert(till.simulator.effects(), list[Effect])
    ends = Counter((effect.transaction, effect.kind in {"confirm", "reverse"}) for effect in effects)
    assert set(ends.values()) <= {1}
    for effect in effects:
        if effect.kind in {"transfer", "replace"}:
            assert sum(change.book_minor for change in effect.changes) == 0
    book, available = Counter[str](), Counter[str]()
    for change in (change for effect in effects for change in effect.changes):
        book[change.card] += change.book_minor
        available[change.card] += change.available_minor
    for card in msgspec.convert(till.simulator.cards(), list[Opened]):
        assert card.book_minor == card.opening_book_minor + book[card.number]
        assert card.available_minor == card.opening_available_minor + available[card.number]
        assert 0 <= card.available_minor <= card.book_minor
