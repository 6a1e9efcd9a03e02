"""What does not decide is left out of an answer, and nothing that decides ever is (rule 19)."""

from __future__ import annotations

import json
from decimal import Decimal

import msgspec
import pytest

from giftcard_adapters.errors import Unreadable
from giftcard_adapters.lenient import Lenient

MANY = 60


class Item(msgspec.Struct):
    """One of a list."""

    code: str
    cost: Decimal | None = None
    bought: str = ""


class Sums(msgspec.Struct):
    """Something that decides beside something that does not."""

    approved: int
    fee: int | None = None


class Answer(msgspec.Struct):
    """An answer."""

    sums: Sums | None = None
    items: tuple[Item, ...] = ()
    text: str = ""


ANSWER = Lenient(Answer, decides=("sums.approved", "items.code"))


def items(count: int) -> list[dict[str, object]]:
    """Return items whose times cannot be read."""
    return [{"code": f"c{n}", "cost": 1.5, "bought": n} for n in range(count)]


def test_many_faults_take_nothing_that_decides() -> None:
    """However much cannot be read, an amount that decides is read."""
    body = {"items": items(MANY), "sums": {"approved": 1, "fee": "n/a"}}
    told, left_out = ANSWER.read(json.dumps(body).encode())
    assert told.sums == Sums(approved=1)
    assert {"items.bought", "sums.fee"} == set(left_out)


def test_many_faults_of_a_list_cost_none_of_its_items() -> None:
    """Of many items that have the same fault, each is there without it."""
    told, _ = ANSWER.read(json.dumps({"items": items(MANY)}).encode())
    assert told.items == tuple(Item(code=f"c{n}", cost=Decimal("1.5")) for n in range(MANY))


def test_faults_of_a_long_list_are_few_readings(monkeypatch: pytest.MonkeyPatch) -> None:
    """How often an answer is read does not grow with its length."""
    seen: list[int] = []
    encode = msgspec.json.encode

    def watched(plain: object) -> bytes:
        seen[-1] += 1
        return encode(plain)

    monkeypatch.setattr(msgspec.json, "encode", watched)
    for count in (MANY, 10 * MANY):
        seen.append(0)
        ANSWER.read(json.dumps({"items": items(count)}).encode())
    assert seen[0] == seen[1] < 20


@pytest.mark.parametrize("place", ["sums", "items"])
def test_what_holds_something_decisive_is_never_left_out(place: str) -> None:
    """A field that holds one that decides makes the answer unreadable when it is of another kind."""
    with pytest.raises(Unreadable, match=place):
        ANSWER.read(json.dumps({"items": items(MANY)} | {place: "?"}).encode())


@pytest.mark.parametrize(
    "text", ["1000.5", "1000.00000000000000001", "1e999999999", "1e-999999999", "9" * 5_000 + ".5"]
)
def test_a_fraction_is_no_whole_number(text: str) -> None:
    """An amount of minor units with a fraction is not rounded; the answer cannot be read."""
    with pytest.raises(Unreadable, match="approved"):
        ANSWER.read(b'{"sums": {"approved": %s}}' % text.encode())


@pytest.mark.parametrize(
    ("text", "approved"),
    [
        ("1000", 1000),
        ("1000.0", 1000),
        ("1e3", 1000),
        ('"1000"', 1000),
        ("9007199254740993.0", 9007199254740993),
        ("9007199254740993", 9007199254740993),
    ],
)
def test_a_whole_number_is_exact_however_it_is_written(text: str, approved: int) -> None:
    """A number without a fraction keeps every digit."""
    told, left_out = ANSWER.read(b'{"sums": {"approved": %s}}' % text.encode())
    assert (told.sums, left_out) == (Sums(approved=approved), ())


@pytest.mark.parametrize(
    "odd", [r'"text": "Danke \ud83d"', r'"\ud83d": 1', r'"new": "\udc00"', f'"new": {"9" * 5_000}']
)
def test_an_odd_text_or_number_costs_nothing_else(odd: str) -> None:
    """Half a character, or a number too long to read, leaves the rest of the answer as it is."""
    told, _ = ANSWER.read(b'{"sums": {"approved": 1, "fee": null}, %s}' % odd.encode())
    assert told.sums == Sums(approved=1)
