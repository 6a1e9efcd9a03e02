"""A real Chromium, driven by its own DevTools protocol, and a server for a page's files."""

from __future__ import annotations

import asyncio
import functools
import http.server
import json
import os
import shutil
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.patience import PATIENCE_S

_LOOK_EVERY_S = 0.05


def chromium_program() -> str:
    """Return the real Chromium; skip the test where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium on this machine")
    return found


class Tab:
    """One tab, as a person has it before them."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, session: str) -> None:
        self._socket = socket
        self._session = session
        self._numbers = iter(range(1, 1_000_000))
        self.lost: set[str] = set()
        """Parts of addresses whose next answer gets lost on its way."""

    async def send(self, method: str, **parameters: object) -> Any:  # noqa: ANN401 - plain JSON
        """Give the browser a command and return what it answers; whatever else it tells is dealt with."""
        number = next(self._numbers)
        said = {"id": number, "method": method, "params": parameters, "sessionId": self._session}
        await self._socket.send_json(said)
        while True:
            told = await self._socket.receive_json(timeout=PATIENCE_S)
            if told.get("method") == "Fetch.requestPaused":
                await self._let(told["params"])
            if told.get("id") == number:
                assert "error" not in told, told
                return told["result"]

    async def _let(self, paused: Any) -> None:  # noqa: ANN401 - plain JSON
        """Let an answer through, or lose it."""
        request, url = paused["requestId"], paused["request"]["url"]
        lost = {part for part in self.lost if part in url and paused["request"]["method"] == "POST"}
        self.lost -= lost
        verb, more = ("failRequest", {"errorReason": "ConnectionReset"}) if lost else ("continueRequest", {})
        said = {"requestId": request, **more}
        number = next(self._numbers)
        await self._socket.send_json(
            {"id": number, "method": f"Fetch.{verb}", "params": said, "sessionId": self._session}
        )

    async def run(self, script: str) -> Any:  # noqa: ANN401 - plain JSON
        """Run a script in the page and return its value."""
        done = await self.send("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    async def open(self, url: str) -> None:
        """Go to a page and wait until it is there."""
        await self.send("Page.navigate", url=url)
        await self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    async def until(self, script: str) -> None:
        """Wait until a script's value is true."""
        async with asyncio.timeout(PATIENCE_S):
            while not await self.run(script):  # noqa: ASYNC110 - the page is another process
                await asyncio.sleep(_LOOK_EVERY_S)

    async def type(self, field: str, text: str) -> None:
        """Type into a field, key by key as a person would, over what is in it."""
        await self.run(f"document.getElementById({json.dumps(field)}).select()")
        await self.send("Input.insertText", text=text)

    async def press(self, button: str) -> str:
        """Press a button and return what the page says once it has an answer."""
        place = await self.run(
            f"(() => {{ const at = document.getElementById({json.dumps(button)}).getBoundingClientRect();"
            " return [at.x + at.width / 2, at.y + at.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            where = {"x": place[0], "y": place[1], "button": "left", "clickCount": 1}
            await self.send("Input.dispatchMouseEvent", type=kind, **where)
        await self.until("!['', '…'].includes(document.getElementById('said').value)")
        return str(await self.run("document.getElementById('said').value"))


@asynccontextmanager
async def browser(folder: Path) -> AsyncIterator[Tab]:
    """Start a Chromium of its own, with one tab; end it with all it started."""
    command = [chromium_program(), "--headless", "--no-first-run", "--disable-gpu", "--disable-dev-shm-usage"]
    command += [f"--user-data-dir={folder}", "--remote-debugging-port=0", "about:blank"]
    if os.geteuid() == 0:
        command.append("--no-sandbox")
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        async with aiohttp.ClientSession() as session:
            url = await _debugger(folder / "DevToolsActivePort", process)
            async with session.ws_connect(url, max_msg_size=0) as socket:
                yield await _first_tab(socket)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def _debugger(file: Path, process: asyncio.subprocess.Process) -> str:
    """Return where the browser takes commands, which it writes into a file."""
    async with asyncio.timeout(PATIENCE_S):
        while len(_lines(file)) < 2:
            assert process.returncode is None, "Chromium ended"
            await asyncio.sleep(_LOOK_EVERY_S)
    port, path = _lines(file)
    return f"ws://127.0.0.1:{port}{path}"


def _lines(file: Path) -> list[str]:
    """Return the lines of a file, none while it is not there."""
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


async def _first_tab(socket: aiohttp.ClientWebSocketResponse) -> Tab:
    """Attach to the tab that is open, and have every answer shown to us first."""
    attached: dict[str, Any] = {"params": {}}
    await socket.send_json({"id": 0, "method": "Target.createTarget", "params": {"url": "about:blank"}})
    while attached.get("id") != 0:
        attached = await socket.receive_json(timeout=PATIENCE_S)
    target = {"targetId": attached["result"]["targetId"], "flatten": True}
    await socket.send_json({"id": 0, "method": "Target.attachToTarget", "params": target})
    attached = {}
    while attached.get("id") != 0:
        attached = await socket.receive_json(timeout=PATIENCE_S)
    tab = Tab(socket, attached["result"]["sessionId"])
    for domain in ("Page", "Runtime"):
        await tab.send(f"{domain}.enable")
    await tab.send("Fetch.enable", patterns=[{"urlPattern": "*/v1/*", "requestStage": "Response"}])
    return tab


@contextmanager
def served(folder: Path, port: int = 0) -> Iterator[str]:
    """Serve a folder's files on this machine; give the origin."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """Says nothing of each request."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name http.server gives it
        """Say nothing."""


PALE = """
(() => {
  const parts = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (rgb) => {
    const [r, g, b] = rgb.map((one) => one / 255)
      .map((one) => one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const [r, g, b, a = 1] = parts(getComputedStyle(at).backgroundColor);
      if (a === 1) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const pale = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const one = texts.currentNode.parentElement;
    if (!texts.currentNode.textContent.trim() || !one.checkVisibility()) continue;
    const [a, b] = [light(parts(getComputedStyle(one).color).slice(0, 3)), light(behind(one))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) pale.push(`${texts.currentNode.textContent.trim()}: ${ratio.toFixed(2)}`);
  }
  return pale;
})()
"""
"""A script that gives every text whose contrast is below 4.5, with it."""
