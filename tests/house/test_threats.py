"""The threat model in SECURITY.md: each threat has an answer and a proof, or says that it has none yet.

That the tests it names exist is `citations`' business, as on every page.
"""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.house.source import text_of

PAGE = text_of("SECURITY.md").partition("# Threat model\n")[2]
ACTORS = dict(re.findall(r"(?ms)^## (An? .+?|Another .+?)\n(.*?)(?=^## |\Z)", PAGE))
PROVEN = re.compile(r"`tests/[\w/]+\.py::test_\w+`|`tests/[\w/]+\.py::\w+::test_\w+`")
NOT_YET = re.compile(r"\*\*not yet\*\*: \w")
ASKED_FOR = (
    "A stranger on the network",
    "A caller with few rights",
    "Another tenant",
    "An end user who guesses",
    "A provider gone bad, or its impostor",
    "An insider with the database",
    "An insider with a host",
    "A supplier of packages",
)


def rows(text: str) -> list[list[str]]:
    """Read the rows of a table without its head: the cells of each."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


THREATS = [row for text in ACTORS.values() for row in rows(text)]
ASSETS = rows(PAGE.partition("## What is worth taking\n")[2].partition("\n## ")[0])


def test_every_actor_is_thought_of() -> None:
    """Each actor has a table with threats of its own."""
    assert tuple(ACTORS) == ASKED_FOR
    assert all(rows(text) for text in ACTORS.values())


@pytest.mark.parametrize("row", THREATS, ids=lambda row: row[0])
def test_a_threat_has_an_answer_and_a_proof(row: list[str]) -> None:
    """A row tells the threat, the answer, and the test that proves it or, in words, what is not there yet."""
    name, threat, answer, proof = row
    assert re.fullmatch(r"[A-Z]\d+", name)
    assert threat
    assert answer
    assert PROVEN.search(proof) or NOT_YET.search(proof), proof
    assert "not yet" not in NOT_YET.sub("", proof)


def test_threats_and_assets_belong_together() -> None:
    """Each threat has a name of its own and endangers an asset; each asset names threats that there are."""
    names = Counter(row[0] for row in THREATS)
    endangered = {name for row in ASSETS for name in row[-1].split()}
    assert set(names.values()) == {1}
    assert endangered == set(names)
    assert all(row[-1] for row in ASSETS)
