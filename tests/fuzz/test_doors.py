"""Strangers' bytes at every door, for seconds; `make crash` goes on for minutes (`python -m tests.fuzz`)."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from giftcard_adapters.lenient import Lenient
from tests.fuzz.doors import DOORS, Door
from tests.fuzz.mutating import NASTY, inputs, placed, ways

EXAMPLES = 150
"""Inputs drawn for each door: a few seconds for all of them."""
SHARE = 3
"""How many seeds each nasty value is tried in, at one place of each."""
LARGE = json.dumps("x" * 10_000_000)

each_door = pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)


@each_door
def test_what_is_known_passes(door: Door) -> None:
    """Every good input and everything that was ever found is read, or refused as documented."""
    seeds = [*door.seeds()]
    assert seeds
    for one in (*seeds, *door.corpus()):
        door.try_one(one)


@each_door
def test_nothing_but_what_is_documented_comes_out(door: Door) -> None:
    """Bytes, broken-off and changed inputs, and nasty values in place of good ones raise nothing strange."""
    seeds = [*door.seeds()]

    @settings(max_examples=EXAMPLES, suppress_health_check=[*HealthCheck])
    @given(st.data())
    def search(data: st.DataObject) -> None:
        door.try_one(data.draw(inputs(seeds)))

    search()


@pytest.mark.parametrize("nasty", NASTY)
def test_each_nasty_value_is_refused_or_read(nasty: str) -> None:
    """Depth, digits, NUL, halves of characters, impossible times: whatever place holds them."""
    chance = random.Random(nasty)
    for door in DOORS.values():
        seeds = [one for one in door.seeds() if ways(one)]
        for seed in chance.sample(seeds, min(SHARE, len(seeds))):
            door.try_one(placed(seed, chance.choice(ways(seed)), NASTY[nasty]))


@pytest.mark.parametrize("name", [name for name in DOORS if name not in {"wire", "http"}])
def test_a_text_of_ten_megabytes_is_refused_or_read(name: str) -> None:
    """Ten megabytes in one place of an answer or an event end in an answer too."""
    seeds = [one for one in DOORS[name].seeds() if len(ways(one)) > 1]
    for seed in seeds[:SHARE]:
        DOORS[name].try_one(placed(seed, ways(seed)[-1], LARGE))


def test_a_fault_behind_a_door_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search fails when an adapter lets the error of its JSON library out."""
    door = DOORS["answers-gatepay"]

    def read(_: Lenient[object], body: bytes) -> tuple[object, tuple[str, ...]]:
        return json.loads(body), ()

    monkeypatch.setattr(Lenient, "read", read)
    seed = next(one for one in door.seeds() if ways(one))
    with pytest.raises(RecursionError):
        door.try_one(placed(seed, (), NASTY["nested lists"]))
