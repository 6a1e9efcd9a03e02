"""A page in a real Chromium reads a balance and redeems through the real Envoy; another origin's cannot."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import ROOT
from tests.e2e.browsers import browser, chromium_program, served
from tests.e2e.envoys import Door, door
from tests.e2e.sandboxes import ELECTRUM, Sandbox

PAGE = ROOT / "deploy" / "envoy" / "page"
DOOR = "http://127.0.0.1:8080"
"""Where the page as it stands looks for the door."""
PAN = "6045000000000061"


class Till(NamedTuple):
    """The page on its own origin, the same page on another, and what is behind both."""

    page: str
    foreign: str
    opened: Door
    gateway: Sandbox


@pytest.fixture(scope="module")
def _opened(_shared: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Till]:
    chromium_program()
    files = tmp_path_factory.mktemp("page") / "page"
    shutil.copytree(PAGE, files)
    with served(files) as page, served(files) as foreign:
        place = tmp_path_factory.mktemp("envoy") / "door"
        with door(place, _shared.port, origin=page) as opened:
            text = (files / "index.html").read_text(encoding="utf-8")
            assert text.count(DOOR) == 2
            (files / "index.html").write_text(text.replace(DOOR, opened.url), encoding="utf-8")
            yield Till(page, foreign, opened, _shared)


@pytest.fixture
def till(shared: Sandbox, _opened: Till) -> Till:
    """Give the page, with a gateway whose books are open as on the first day."""
    del shared
    return _opened


async def test_a_page_reads_a_balance_and_redeems(till: Till, tmp_path: Path) -> None:
    """A person types a card, reads its balance, redeems and confirms; then the balance is less by so much."""
    async with browser(tmp_path / "profile") as tab:
        await tab.open(f"{till.page}/index.html")
        await tab.type("pan", PAN)
        assert await tab.press("balance") == "604500******0061 has 500.00 ZAR."
        await tab.type("amount", "12.50")
        assert await tab.press("redeem") == "APPROVED 12.50 ZAR"
        assert await tab.press("confirm") == "CONFIRMED 12.50 ZAR"
        assert await tab.press("redeem") == "APPROVED 12.50 ZAR"
        assert (await tab.press("reverse")).startswith("REVERSED")
        assert await tab.press("balance") == "604500******0061 has 487.50 ZAR."
        stored = "[localStorage.length, sessionStorage.length, document.cookie, location.search]"
        assert await tab.run(stored) == [0, 0, "", ""]


async def test_an_error_s_details_are_shown(till: Till, tmp_path: Path) -> None:
    """Every bad field is named on the page, and the card is not shown."""
    async with browser(tmp_path / "profile") as tab:
        await tab.open(f"{till.page}/index.html")
        await tab.type("pan", PAN)
        await tab.type("currency", "ZZZ")
        await tab.type("amount", "0")
        said = await tab.press("redeem")
        assert "amount.currency_code" in said
        assert PAN not in said


async def test_a_lost_answer_moves_money_once(till: Till, tmp_path: Path) -> None:
    """The answer to a redemption gets lost; pressed again, the page asks under the same id."""
    async with browser(tmp_path / "profile") as tab:
        await tab.open(f"{till.page}/index.html")
        await tab.type("pan", PAN)
        tab.lost.add("transactions:redeem")
        assert "press Redeem again" in await tab.press("redeem")
        assert tab.lost == set()
        assert await tab.press("redeem") == "APPROVED 1.00 ZAR"
    assert len(till.gateway.get(ELECTRUM, "effects")) == 1


async def test_another_origin_s_page_reaches_nothing(till: Till, tmp_path: Path) -> None:
    """The same page from an origin that is not named neither reads nor redeems."""
    async with browser(tmp_path / "profile") as tab:
        await tab.open(f"{till.foreign}/index.html")
        await tab.type("pan", PAN)
        assert await tab.press("balance") == "Failed to fetch"
        assert "Failed to fetch" in await tab.press("redeem")
        text = "{method: 'POST', mode: 'no-cors', headers: {'content-type': 'text/plain'}, body: '{}'}"
        await tab.run(f"fetch(document.body.dataset.door + '/v1/transactions:redeem', {text}); 0")
    assert till.gateway.get(ELECTRUM, "effects") == []
