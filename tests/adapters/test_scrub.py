"""Card data is found in texts however it is spelled; times, ids and amounts are left alone (rule 16)."""

from __future__ import annotations

import unicodedata
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from giftcard_adapters import scrub as scrub_module
from giftcard_adapters.scrub import MASK, folded, holds, mask, scrub, without
from giftcard_adapters.values.secret import Secret

SEPARATORS = (
    "",
    " ",
    "  ",
    "-",
    ".",
    "_",
    "/",
    "\u00a0",
    "\u2013",
    ",",
    ", ",
    " - ",
    "\u200b",
    "\u2011",
    ":",
)
ZEROS = "0\u0660\u06f0\u0966\uff10\U0001d7ce"
"""The zero of six scripts; their other digits follow it."""

numbers = some.text("0123456789", min_size=12, max_size=32)


@some.composite
def spelled(draw: some.DrawFn, number: str) -> str:
    """Return a number in a spelling that a person can still read."""
    zero = ord(draw(some.sampled_from(ZEROS)))
    digits = [chr(zero + int(digit)) for digit in number]
    joints = draw(some.lists(some.sampled_from(SEPARATORS), min_size=len(digits), max_size=len(digits)))
    return "".join(digit + joint for digit, joint in zip(digits, [*joints[1:], ""], strict=True))


@given(data=some.data(), number=numbers)
def test_number_is_masked(data: some.DataObject, number: str) -> None:
    """A card number in any spelling is masked by whoever does not know it, logs for example."""
    text = data.draw(spelled(number))
    assert mask(f"card {text} was read") == f"card {MASK} was read"


@given(data=some.data(), number=some.text("0123456789", min_size=8, max_size=32))
def test_secret_is_masked(data: some.DataObject, number: str) -> None:
    """A number that is known is found in every spelling, and none of it is left."""
    text = f"card {data.draw(spelled(number))} was read"
    assert holds(text, Secret(number))
    assert without(text, Secret(number)) == f"card {MASK} was read"
    assert number not in folded(scrub(text, Secret(number)))


@given(at=some.datetimes(timezones=some.just(UTC)).filter(lambda at: at.year > 999))
@example(at=datetime(2026, 11, 27, 23, 51, 35, 123456, tzinfo=UTC))
def test_times_are_kept(at: datetime) -> None:
    """A date, a time of day and a moment with microseconds and zone stay as they are."""
    for text in (at.isoformat(), f"{at:%Y-%m-%d %H:%M:%S}", f"{at:%H:%M:%S.%f}", at.date().isoformat()):
        kept = f"since {text} UTC"
        assert (mask(kept), scrub(kept)) == (kept, kept)


@given(id_=some.uuids(), amount=some.decimals(min_value=0, max_value=99_999_999, places=2))
def test_ids_and_amounts_are_kept(id_: uuid.UUID, amount: Decimal) -> None:
    """UUIDs and amounts of money, with or without groups of thousands, stay as they are."""
    for text in (f"{id_} and", f"{amount:f} EUR", f"{amount:,} EUR"):
        assert mask(text) == text
    assert scrub(f"{id_}, {amount:f} EUR") == f"{id_}, {amount:f} EUR"


@pytest.mark.parametrize(
    "text", ["192.168.100.200:50051", "ipv4:192.168.100.200:50051", "v1.44.0", "took 1234567 ms"]
)
def test_technical_texts_are_kept(text: str) -> None:
    """Addresses, versions and counts stay as they are in logs."""
    assert mask(text) == text


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("pin 1234", True),
        ("1-2-3-4", True),
        ("PIN:12 34.", True),
        ("\u0661\u0662\u0663\u0664", True),
        ("order 91234", False),
        ("2026-12-34T1234", False),
        ("on 1234-12-03", False),
        ("paid 1234.50 EUR", False),
        ("pin1234", True),
        ("your PIN12 34.", True),
        ("1234pin", True),
        ("pin 12.34", True),
        ("PIN code: 12:34", True),
        ("pin is \u0661\u0662.\u0663\u0664", True),
        ("p<b>in</b> <i>12</i>34", True),
        ("paid 12.34 EUR", False),
        ("at 12:34", False),
        ("pin 91234", False),
        ("pinned 12.34", False),
        ("shop1234", False),
    ],
)
def test_pin_must_stand_alone(text: str, is_found: bool) -> None:
    """A PIN is found alone or where it is called one, not inside a longer number, a date or an amount."""
    assert holds(text, Secret("1234")) is is_found


class Counted(str):
    """A text that counts how often its beginning is looked at."""

    __slots__ = ()
    looks = 0

    def startswith(self, *given: Any) -> bool:  # noqa: ANN401 - what str takes
        """Answer as any text, and count."""
        Counted.looks += 1
        return super().startswith(*given)


@pytest.mark.parametrize("word", ["\ufe70", "1", "x", "..."])
def test_a_long_text_is_searched_once(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PIN is looked for in a few steps for each word, even for words that fold to nothing."""
    monkeypatch.setattr(scrub_module, "folded", lambda text: Counted(folded(text)))
    monkeypatch.setattr(Counted, "looks", 0)
    assert holds(f"{word} " * 2_000 + "\ufe70 x1234 1112 ", Secret("1112"))
    assert Counted.looks <= 2_010 * len("1112")


@pytest.mark.parametrize(
    "text",
    [
        "<b>6045</b>8300<i>0000</i>000017",
        "6045<br>8300<br/>0000000017",
        "6045&nbsp;8300&#160;0000&#xA0;000017",
        "&lt;b&gt;6045&lt;/b&gt;83000000000017",
    ],
)
def test_a_number_broken_by_html_is_masked(text: str) -> None:
    """Tags and entities do not hide a number: neither one that is known nor one that is not."""
    number = Secret("604583000000000017")
    assert holds(text, number)
    for masked in (mask(text), scrub(text), without(text, number)):
        assert "0017" not in masked


def test_tags_around_other_digits_are_kept() -> None:
    """A page's few digits between tags are no number."""
    page = "<h1>502</h1><p>nginx/1.25.3</p>"
    assert (mask(page), scrub(page)) == (page, page)


def test_keys_have_letters() -> None:
    """A gift code is found whatever the case and the groups."""
    assert without("code jdm-abcd efgh.", Secret("JDMABCDEFGH")) == "code ***."


CODED = some.lists(
    some.one_of(
        some.text(some.characters(max_codepoint=127), max_size=6),
        some.sampled_from(
            ["12", "1112", "%31", "%2531", "&#49;", "&amp;#49;", "<b>", "<", "&", "%", "pin", "_"]
        ),
    ),
    max_size=8,
).map("".join)


@given(text=some.one_of(CODED, some.text()))
def test_folding_is_as_letter_by_letter(text: str) -> None:
    """Folding at once gives what folding each character gives."""
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    letters = filter(str.isalnum, plain.casefold())
    assert folded(text) == "".join(str(unicodedata.decimal(letter, letter)) for letter in letters)


@given(text=CODED, secret=some.one_of(some.sampled_from(["1", "12", "1112", "111211121112", "-"]), CODED))
@example(text="%2531112", secret="1112")
def test_a_text_without_codes_is_searched_as_one_with_them(text: str, secret: str) -> None:
    """A secret is found in a text exactly where it is behind a tag that says nothing, which is decoded."""
    assert holds(text, Secret(secret)) is holds(f"<->{text}", Secret(secret))
