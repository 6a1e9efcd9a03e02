"""Nothing told is lost: each leaf of a provider's documented answer is told, or said to be left out."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from giftcard_adapters.contract import Provider
from giftcard_conformance import Subject
from tests.conformance.descriptors import SUBJECTS
from tests.specs.answers import Told, faults, leaves_told
from tests.specs.formats import wire_format
from tests.specs.schemas import Schema, placed, present


def described() -> Mapping[type[Provider], Subject]:
    """Return one subject of each adapter whose wire format is described."""
    found: dict[type[Provider], Subject] = {}
    for subject in SUBJECTS.values():
        try:
            wire_format(subject.name, subject.stanza)
        except FileNotFoundError:
            continue
        found.setdefault(subject.adapter, subject)
    return found


@pytest.mark.parametrize("subject", described().values(), ids=lambda subject: subject.name)
async def test_every_leaf_is_told(subject: Subject) -> None:
    """A leaf of an answer, changed, changes what a caller is told, or stands in `leaves_out_of_answers`."""
    told = await leaves_told(subject)
    assert sum(bool(one.places) for one in told) > len(subject.samples)
    assert faults(subject, told) == []


LEAF = Told("look", ("cards", "[]", "rank"), ())


@pytest.mark.parametrize(
    ("entries", "leaf", "fault"),
    [
        ({}, LEAF, "look.cards.rank is lost"),
        ({"cards": "why"}, msgspec.structs.replace(LEAF, places=("rank",)), "look.cards.rank stands in"),
        ({"cards": "why", "gone": "why"}, LEAF, "'gone' in Mute.leaves_out_of_answers names no leaf"),
    ],
    ids=["lost", "told after all", "names nothing"],
)
def test_faults_are_found(entries: Mapping[str, str], leaf: Told, fault: str) -> None:
    """A leaf that nobody tells, an entry that is not true, and one that names nothing are each said."""
    adapter = type("Mute", (Provider,), {"leaves_out_of_answers": entries})
    (found,) = faults(msgspec.structs.replace(SUBJECTS["electrum"], adapter=adapter), [leaf])
    assert found.startswith(fault)


SCHEMA = {
    "$defs": {
        "Amount": {"properties": {"amount": {"type": "integer"}, "currency": {"pattern": "^[0-9]{3}$"}}}
    },
    "properties": {
        "cards": {"items": {"properties": {"rank": {"type": "string"}}}},
        "more": {"additionalProperties": {"$ref": "#/$defs/Amount"}},
        "fee": {"anyOf": [{"$ref": "#/$defs/Amount"}, {"type": "null"}]},
    },
}


def test_leaves_are_read_off_the_schema() -> None:
    """Lists, maps, references and choices are followed, and a leaf that is set brings its company."""
    schema = Schema(SCHEMA, SCHEMA)
    ways = [way for way, _ in schema.leaves()]
    assert ways == [
        ("cards", "[]", "rank"),
        *(
            (name, *rest, part)
            for name, rest in (("more", ("*",)), ("fee", ()))
            for part in ("amount", "currency")
        ),
    ]
    body = placed({"fee": None}, schema, ("more", "*", "amount"), 7)
    assert body == {"fee": None, "more": {"colour": {"amount": 7, "currency": "710"}}}
    assert present(body, ("more", "*", "amount")) == [7]
    assert present(body, ("fee", "amount")) == []
