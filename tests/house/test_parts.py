"""The list of parts that a release carries: every pin with its hashes, and the contract."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from deploy.audit import parts, pins
from tests.house.source import ROOT, files, text_of


@pytest.fixture(scope="module")
def text() -> str:
    """Make the list once, validated against the schema of CycloneDX."""
    return parts.parts()


@pytest.fixture(scope="module")
def listed(text: str) -> Mapping[str, Any]:
    """Read the list."""
    found: Mapping[str, Any] = json.loads(text)
    return found


def test_every_pin_is_a_part(listed: Mapping[str, Any]) -> None:
    """Each package of the runtime lock is there, with its version, its license and exactly its hashes."""
    components = {part["name"]: part for part in listed["components"]}
    lock = pins.entries(text_of(pins.RUNTIME))
    for pin in pins.locked(pins.RUNTIME):
        part = components[pin.name]
        hashes = {one["content"] for place in part["externalReferences"] for one in place["hashes"]}
        assert hashes == set(re.findall(r"sha256:(\w+)", "\n".join(lock[pin.name])))
        assert (part["version"], part["purl"]) == (pin.version, f"pkg:pypi/{pin.name}@{pin.version}")
        assert part["licenses"][0]["expression"]
    assert len(components) == len(lock) + len(parts.OURS) + 1


def test_the_contract_is_a_part(listed: Mapping[str, Any]) -> None:
    """Every file of the contract that is committed is there with the hash of its content, and no other."""
    (contract,) = (part for part in listed["components"] if part["name"] == "giftcard.v1")
    told = {file["name"]: file["hashes"][0]["content"] for file in contract["components"]}
    there = [name for name in files() if name.startswith("protos/") and name.endswith((".proto", ".binpb"))]
    assert told == {name: sha256((ROOT / name).read_bytes()).hexdigest() for name in there}


def test_nothing_of_others_is_committed(listed: Mapping[str, Any]) -> None:
    """The contract imports its own files and Google's, which pinned packages bring, and asks for those."""
    own = [name for name in files() if name.endswith(".proto") and name.startswith("protos/")]
    assert all(name.startswith("protos/giftcard/v1/") for name in own)
    imported = {
        name for path in own for name in re.findall(r'^import "([^"]+)"', text_of(path), re.MULTILINE)
    }
    assert {name.split("/")[0] for name in imported} == {"giftcard", "google"}
    (needs,) = (one["dependsOn"] for one in listed["dependencies"] if one["ref"] == "contract")
    assert [ref.split("@")[0] for ref in needs] == [f"pkg:pypi/{name}" for name in parts.GOOGLES]


def test_who_asks_for_a_part_is_told(listed: Mapping[str, Any]) -> None:
    """Each part's needs are those of the lock, and every part is reached from the gateway."""
    needs = {one["ref"]: set(one.get("dependsOn", ())) for one in listed["dependencies"]}
    by_name = {ref.split("/")[-1].split("@")[0]: ref for ref in needs}
    assert by_name["yarl"] in needs[by_name["aiohttp"]]
    reached, waiting = set(), [listed["metadata"]["component"]["bom-ref"]]
    while waiting:
        ref = waiting.pop()
        if ref not in reached:
            reached.add(ref)
            waiting += needs.get(ref, ())
    assert set(needs) <= reached


def test_the_same_commit_gives_the_same_list(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Made again and written to a file it has the same bytes, and neither a time nor a random number."""
    target = tmp_path / "new" / "list.cdx.json"
    assert parts.main([str(target)]) == 0
    assert target.read_bytes() == text.encode()
    assert sha256(text.encode()).hexdigest() in capsys.readouterr().out
    assert "serialNumber" not in json.loads(text)


def test_a_part_without_a_license_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A list that the schema of CycloneDX refuses is not written."""
    monkeypatch.setattr(parts, "found", lambda *_: None)
    assert parts.main([str(tmp_path / "list.cdx.json")]) == 1
    assert not list(tmp_path.iterdir())
