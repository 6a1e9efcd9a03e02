"""The site of our pages in a real Chromium: nothing leaves the machine, and search finds a setting."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.e2e.browsers import PALE, Tab, browser, chromium_program, served

PROGRAM = ROOT / ".venv" / "docs" / "bin" / "python"
PAGES = ["index", "README", "docs/states", "docs/settings", "docs/calls", "docs/running", "deploy/runbook"]
FOREIGN = """performance.getEntriesByType('resource').map(one => one.name)
  .filter(url => !url.startsWith(location.origin) && !url.startsWith('data:'))"""
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Make the site and serve it; `make docs` sets up what that takes."""
    chromium_program()
    if not PROGRAM.exists():
        pytest.skip("no .venv/docs on this machine: make docs")
    folder = tmp_path_factory.mktemp("pages")
    build = [str(PROGRAM), "deploy/site/build.py", str(folder)]
    made = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    with served(folder / "site") as origin:
        yield origin


async def look(tab: Tab, width: int, scheme: str) -> None:
    """Have the tab as wide as a screen, dark or light, and note what goes wrong on a page."""
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    await tab.send("Emulation.setDeviceMetricsOverride", **size)
    await tab.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])


NOTE_ERRORS = """window.wrong = [];
addEventListener('error', e => wrong.push(e.message || e.target.src), true);
const say = console.error; console.error = (...said) => { wrong.push(said.join(' ')); say(...said); };"""


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
async def test_pages_fit_and_ask_nobody(site: str, tmp_path: Path, width: int, scheme: str) -> None:
    """Each main page fits the screen, can be read by people and programs alike, and asks no other machine."""
    async with browser(tmp_path / "profile") as tab:
        await look(tab, width, scheme)
        await tab.send("Page.addScriptToEvaluateOnNewDocument", source=NOTE_ERRORS)
        for page in PAGES:
            await tab.open(f"{site}/{page}.html")
            assert await tab.run(FOREIGN) == [], page
            assert await tab.run("wrong") == [], page
            assert await tab.run(TOO_WIDE) <= 0, page
            assert await tab.run("document.documentElement.lang") == "en"
            assert await tab.run("document.querySelectorAll('h1').length") == 1, page
            assert await tab.run("document.querySelectorAll('img:not([alt])').length") == 0, page
            assert await tab.run(PALE) == [], page


async def test_search_finds_a_setting(site: str, tmp_path: Path) -> None:
    """The search, without a network, leads to the page of the settings."""
    async with browser(tmp_path / "profile") as tab:
        await tab.open(f"{site}/search.html?q=max_metadata_bytes")
        await tab.until("document.querySelector('#search-results a[href*=\"docs/settings\"]') !== null")
