"""The golden runner tells an adapter that is right from one that is not, and says where they differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from giftcard_adapters.errors import SettingsError
from giftcard_adapters.stanza import find_adapter
from giftcard_conformance import NotConforming, goldens
from tests.kit.packages import EXAMPLE

GOLDENS = EXAMPLE / "tests" / "golden" / "acme_cards"
Changes = dict[str, Any]


@pytest.fixture(autouse=True)
def _example(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the example be imported from where it is."""
    monkeypatch.syspath_prepend(EXAMPLE)


async def play(folder: Path, name: str, changes: Changes) -> None:
    """Play one golden of the example, with some of its keys changed or, for None, taken away."""
    golden = json.loads((GOLDENS / name).read_text(encoding="utf-8")) | changes
    kept = {key: value for key, value in golden.items() if value is not None and key != "variants"}
    (folder / "provider.json").write_bytes((GOLDENS / "provider.json").read_bytes())
    (folder / name).write_text(json.dumps(kept), encoding="utf-8")
    for case in goldens(folder):
        await case.run()


REFUSED: dict[str, tuple[str, Changes, str]] = {
    "another body": (
        "lookup.json",
        {"request": {"method": "POST", "path": "/v1/cards/find", "body": {"card": "1"}}},
        r'(?s)the body is not the golden one.*-  "card": "1".*\+  "card": "9870000000000001"',
    ),
    "another path": (
        "lookup.json",
        {"request": {"method": "GET", "path": "/v1/cards", "body": {}}},
        "POST /v1/cards/find was sent, the golden has GET /v1/cards",
    ),
    "another header": (
        "lookup.json",
        {"request": {"method": "POST", "path": "/v1/cards/find", "headers": {"acme-key": "shop-8"}}},
        "the header acme-key is 'shop-7', the golden has 'shop-8'",
    ),
    "a key of a request nobody knows": (
        "lookup.json",
        {"request": {"method": "POST", "path": "/v1/cards/find", "json": {}}},
        "and no json",
    ),
    "another outcome": ("lookup.json", {"outcome": {"masked_card": "****"}}, r'\+  "state": "ACTIVE"'),
    "an error that does not come": (
        "lookup.json",
        {"raises": {"error": "Refused"}, "outcome": None},
        "lookup raised nothing, the golden has Refused",
    ),
    "another error": (
        "lookup.json",
        {"raises": {"error": "Refused"}, "outcome": None, "reply": {"fault": "timeout"}},
        r'\+  "error": "TimedOut"',
    ),
    "a request too many": ("lookup.json", {"request": None}, "one request too many: POST /v1/cards/find"),
    "a request too few": (
        "lookup.json",
        {"exchanges": [{"request": {}, "reply": {}}]},
        "fewer requests than the golden has",
    ),
    "a method that is not there": (
        "lookup.json",
        {"method": "list_offers", "ask": None},
        "AcmeCards has no list_offers: write it, or take this golden away",
    ),
}


@pytest.mark.parametrize("name", ["redeem.json", "settle.json", "release.json", "lookup.json"])
async def test_what_is_right_passes(name: str, tmp_path: Path) -> None:
    """The example's goldens pass as they are."""
    await play(tmp_path, name, {})


@pytest.mark.parametrize(("name", "changes", "sentence"), REFUSED.values(), ids=REFUSED)
async def test_what_differs_is_told(name: str, changes: Changes, sentence: str, tmp_path: Path) -> None:
    """A golden that the adapter does not keep is told with the place where they differ."""
    with pytest.raises(NotConforming, match=sentence):
        await play(tmp_path, name, changes)


def test_a_broken_import_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An adapter that is there but lacks something is not called missing."""
    (tmp_path / "giftcard_lacking.py").write_text("import no_such_library\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SettingsError, match="cannot be imported: No module named 'no_such_library'"):
        find_adapter("giftcard_lacking:Lacking")
    with pytest.raises(SettingsError, match="cannot be found; it is named as module:Class"):
        find_adapter("giftcard_nowhere:Lacking")
