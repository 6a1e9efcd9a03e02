"""Takes the pictures in docs/console: `python -m tests.e2e.console_pictures`, with a real Chromium."""

from __future__ import annotations

import asyncio
import base64
import tempfile
from pathlib import Path

from giftcard import Client
from tests.conftest import ROOT
from tests.e2e.browsers import Tab, browser
from tests.e2e.sandboxes import ELECTRUM, Sandbox, sandbox
from tests.e2e.test_console import click, console_of, fill, leads, sold, stuck

FOLDER = ROOT / "docs" / "console"
_LOST = {"fault": "status", "status": 503, "match": {"path": "confirmations"}, "times": 99}
_SLOW = {"fault": "delay", "delay_s": 4, "match": {"path": "confirmations"}, "times": 99}
_MANY = 17


def _busy(running: Sandbox, client: Client) -> str:
    """Leave two transactions UNRESOLVED and one confirmation lost; return that one's id."""
    stuck(running, client)
    stuck(running, client)
    owed = sold(client).transaction_id
    running.spoil(ELECTRUM, _LOST)
    client.confirm_redeem(transaction_id=owed)
    for _ in range(_MANY):
        sold(client)
    running.spoil(ELECTRUM, _SLOW)
    return owed


async def _take(tab: Tab, name: str, address: str, *, width: int, height: int, scheme: str = "light") -> None:
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    await tab.send("Emulation.setDeviceMetricsOverride", **size)
    await tab.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    await tab.open(address)
    picture = await tab.send("Page.captureScreenshot", format="png")
    (FOLDER / name).write_bytes(base64.b64decode(picture["data"]))


async def _begin_bulk(tab: Tab, home: str) -> None:
    """Begin to confirm what is APPROVED, which the provider takes its time for."""
    await tab.open(f"{home}search")
    await click(tab, "input[value=APPROVED]")
    await leads(tab, "#search", "/search/")
    await click(tab, "[data-checks=pick]")
    await click(tab, "input[value=confirm]")
    await leads(tab, ".bulk button", "/bulk")
    await fill(tab, "reason", "shop 7 called")
    await click(tab, "input[name=sure]")
    await leads(tab, "#run", "/bulk/")
    await tab.until("document.getElementById('progress').value > 0")


async def _take_all(running: Sandbox, owed: str, folder: Path) -> None:
    home = console_of(running)
    async with browser(folder) as tab:
        await tab.open(home)
        await tab.until(f"document.querySelector('a[href=\"/transactions/{owed}\"]') !== null")
        await _take(tab, "inbox.png", home, width=1000, height=560)
        await _take(tab, "phone.png", home, width=360, height=640, scheme="dark")
        await _take(tab, "transaction.png", f"{home}transactions/{owed}", width=1000, height=640)
        await _take(tab, "search.png", f"{home}search", width=1000, height=520)
        await _take(tab, "providers.png", f"{home}providers", width=1000, height=640)
        await _begin_bulk(tab, home)
        await _take(tab, "bulk.png", await tab.run("location.href"), width=1000, height=560)


def main() -> None:
    """Play a sandbox in which something is stuck, and take its pictures."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        overdue = {"GIFTCARD_GATEWAY__CONSOLE__OVERDUE_S": "1"}
        with sandbox(place, environ=overdue) as running, running.client() as client:
            asyncio.run(_take_all(running, _busy(running, client), place / "profile"))


if __name__ == "__main__":
    main()
