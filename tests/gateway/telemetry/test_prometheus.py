"""What Prometheus scrapes, asked for by the real one where it is installed."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from giftcard_gateway.clock import SystemClock
from giftcard_gateway.process.app import App
from giftcard_gateway.rpc.server import PortTaken
from giftcard_gateway.telemetry import open_telemetry
from giftcard_gateway.telemetry.scraping import Scraped
from tests.gateway.services.served import Served, serve
from tests.patience import PATIENCE_S
from tests.world.app import HOST

UNRESOLVED = 'giftcard_backlog_transactions{giftcard_provider="first",giftcard_state="UNRESOLVED"}'
OF_THE_CONVENTIONS = ("process_", "db_client_")
"""Metrics whose names end as Prometheus would not have them, because OpenTelemetry chose them."""


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    """Give a gateway that is scraped."""
    async with serve(telemetry=open_telemetry({}, SystemClock(), scraping=Scraped(f"{HOST}:0"))) as opened:
        await opened.app.measuring.count()
        yield opened


def port_of(app: App) -> int:
    """Return where a gateway is scraped."""
    assert app.scrapes is not None
    return app.scrapes.port


def program(name: str) -> str:
    """Return where a program is; skip the test without it."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not on this machine")
    return found


@asynccontextmanager
async def prometheus(folder: Path, target: int) -> AsyncIterator[str]:
    """Start a Prometheus that scrapes a port, and give its own address."""
    with socket.create_server((HOST, 0)) as probe:
        address = f"{HOST}:{probe.getsockname()[1]}"
    config = folder / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s}\n"
        f"scrape_configs: [{{job_name: gateway, static_configs: [{{targets: ['{HOST}:{target}']}}]}}]\n"
    )
    process = await asyncio.create_subprocess_exec(
        program("prometheus"),
        *(f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"),
        f"--web.listen-address={address}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield f"http://{address}"
    finally:
        process.terminate()
        await process.wait()


async def answer_to(http: httpx.AsyncClient, query: str) -> list[str]:
    """Ask Prometheus until it has an answer, and return the values."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                told = (await http.get("/api/v1/query", params={"query": query})).json()
            except (httpx.TransportError, ValueError):
                told = {}
            if values := [one["value"][1] for one in told.get("data", {}).get("result", ())]:
                return values
            await asyncio.sleep(0.1)


async def test_both_forms_are_served(served: Served) -> None:
    """A scraper gets the text it asks for, on /metrics and nowhere else, from a server that has no name."""
    await served.redeem()
    async with httpx.AsyncClient(base_url=f"http://{HOST}:{port_of(served.app)}") as http:
        text = await http.get("/metrics")
        openmetrics = await http.get("/metrics", headers={"Accept": "application/openmetrics-text"})
        other = await http.get("/")
    assert text.headers["content-type"].startswith("text/plain")
    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text")
    assert openmetrics.text.endswith("# EOF\n")
    assert f"{UNRESOLVED} 0.0" in text.text
    method = 'rpc_method="giftcard.v1.GiftCardService/Redeem"'
    assert any(
        "rpc_server_call_duration_seconds_count" in one and method in one for one in text.text.split("\n")
    )
    assert other.status_code == 404
    assert "server" not in {name.lower() for name in (*text.headers, *other.headers)}


async def test_promtool_has_nothing_to_say(served: Served) -> None:
    """The real promtool finds the metrics well formed, and well named but where OpenTelemetry named them."""
    checks = await asyncio.create_subprocess_exec(
        *(program("promtool"), "check", "metrics"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert served.app.telemetry.scraping is not None
    page, _ = served.app.telemetry.scraping.page("")
    said, _ = await checks.communicate(page)
    assert [one for one in said.decode().splitlines() if not one.startswith(OF_THE_CONVENTIONS)] == []


async def test_a_real_prometheus_scrapes(served: Served, tmp_path: Path) -> None:
    """Prometheus finds the gateway up, and answers what the metrics page says is worth an alert."""
    await served.redeem()
    async with (
        prometheus(tmp_path, port_of(served.app)) as url,
        httpx.AsyncClient(base_url=url) as http,
    ):
        assert await answer_to(http, "up") == ["1"]
        assert await answer_to(http, UNRESOLVED) == ["0"]
        assert await answer_to(http, "max(giftcard_backlog_lag_seconds)") == ["0"]
        states = 'sum(giftcard_transaction_states_total{giftcard_state="APPROVED"})'
        assert await answer_to(http, states) == ["1"]


async def test_a_port_that_is_taken() -> None:
    """A gateway whose port for Prometheus is taken does not start, and says so."""
    with socket.create_server((HOST, 0)) as taken:
        telemetry = open_telemetry({}, SystemClock(), scraping=Scraped(f"{HOST}:{taken.getsockname()[1]}"))
        with pytest.raises(PortTaken, match=r"cannot listen for telemetry\.prometheus on"):
            async with serve(telemetry=telemetry):
                pass


def test_nothing_is_loaded_where_it_is_off() -> None:
    """Who is not scraped pays for no library of Prometheus's."""
    code = "import sys, giftcard_gateway.process.serving; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
