"""A simulator on a real port: every fault as a client sees it on the wire."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest

from giftcard_simulators.catalogue import (
    HIGHEST_PORT,
    PORT,
    SANDBOXES,
    WEBHOOKS_PORT,
    SandboxClash,
    in_order,
)
from giftcard_simulators.serve import Served, serve
from tests.patience import PATIENCE_S
from tests.simulators.electrum_till import CREDENTIALS, FUNDED, Till

HEADERS = {"authorization": f"Basic {CREDENTIALS}"}


@contextlib.asynccontextmanager
async def served(till: Till) -> AsyncIterator[tuple[Served, httpx.AsyncClient]]:
    """Serve the till's simulator on a free port, with a client for it."""
    server = await serve(till.simulator, "127.0.0.1", 0)
    try:
        async with httpx.AsyncClient(base_url=server.url, headers=HEADERS, timeout=PATIENCE_S) as client:
            yield server, client
    finally:
        await server.close()


async def load(till: Till, client: httpx.AsyncClient, timeout_s: float = PATIENCE_S) -> httpx.Response:
    """Load R1.00 on a funded card over the wire."""
    body = till.message("load", FUNDED, amount=100)
    return await client.post(f"/giftcard/v3/loads/{body['id']}", json=body, timeout=timeout_s)


async def write_script(client: httpx.AsyncClient, **fault: object) -> None:
    """Script one fault for the next load."""
    answer = await client.post("/_sandbox/faults", json=[{"match": {"path": "/loads/"}, **fault}])
    assert answer.status_code == 200, answer.text


async def test_money_moves_over_the_wire() -> None:
    """An unfaulted exchange is answered with its Location, and shows in the effects."""
    till = Till()
    async with served(till) as (_, client):
        answer = await load(till, client)
        assert (answer.status_code, answer.headers["location"]) == (201, answer.request.url.path)
        effects = (await client.get("/_sandbox/effects")).json()["effects"]
        assert [effect["kind"] for effect in effects] == ["load"]


@pytest.mark.parametrize(("fault", "kinds"), [("drop_request", []), ("drop_answer", ["load"])])
async def test_cut_connection(fault: str, kinds: list[str]) -> None:
    """A dropped request does nothing, a dropped answer comes after acting; both end the connection."""
    till = Till()
    async with served(till) as (_, client):
        await write_script(client, fault=fault)
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await load(till, client)
        assert till.kinds() == kinds
        assert (await load(till, client)).status_code == 201


@pytest.mark.parametrize(("after_acting", "kinds"), [(True, ["load"]), (False, [])])
async def test_status_instead_of_the_answer(after_acting: bool, kinds: list[str]) -> None:
    """A status or a proxy's page comes in place of acting, or after it where the script says so."""
    till = Till()
    async with served(till) as (_, client):
        await write_script(client, fault="status", status=503, after_acting=after_acting)
        answer = await load(till, client)
        assert (answer.status_code, answer.json()["errorType"]) == (503, "UPSTREAM_UNAVAILABLE")
        await write_script(client, fault="html_502", after_acting=after_acting)
        answer = await load(till, client)
        assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html")
        assert till.kinds() == kinds * 2


async def test_truncated_json() -> None:
    """The body breaks off, though HTTP is whole; the provider acted."""
    till = Till()
    async with served(till) as (_, client):
        await write_script(client, fault="truncated_json")
        answer = await load(till, client)
        assert (answer.status_code, answer.headers["content-type"]) == (201, "application/json")
        with pytest.raises(msgspec.DecodeError):
            msgspec.json.decode(answer.content)
        assert till.kinds() == ["load"]


async def test_wrong_amount() -> None:
    """The answer names another amount than was moved."""
    till = Till()
    async with served(till) as (_, client):
        await write_script(client, fault="wrong_amount")
        amounts = (await load(till, client)).json()["amounts"]
        assert amounts["approvedAmount"]["amount"] == 200
        assert till.balances(FUNDED) == (50_100, 50_000)


async def test_delay() -> None:
    """A delayed answer comes after the client gave up, and the provider has acted."""
    till = Till()
    async with served(till) as (_, client):
        await write_script(client, fault="delay", delay_s=0.3)
        with pytest.raises(httpx.ReadTimeout):
            await load(till, client, timeout_s=0.05)
        assert till.kinds() == ["load"]
        await write_script(client, fault="delay", delay_s=0.01)
        assert (await load(till, client)).status_code == 201


async def test_answer_twice() -> None:
    """The very same bytes come twice on the wire, and the provider acts once."""
    till = Till()
    async with served(till) as (server, client):
        await write_script(client, fault="answer_twice")
        body = till.message("load", FUNDED, amount=100)
        raw = await exchange(server.port, f"/giftcard/v3/loads/{body['id']}", msgspec.json.encode(body))
        half = len(raw) // 2
        assert raw[:half] == raw[half:]
        assert raw.startswith(b"HTTP/1.1 201 Created\r\n")
        assert till.kinds() == ["load"]
        await write_script(client, fault="answer_twice")
        assert (await load(till, client)).status_code == 201
        assert (await load(till, client)).status_code == 201


async def exchange(port: int, path: str, body: bytes) -> bytes:
    """Post over a bare connection and return every byte that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Basic {CREDENTIALS}\r\n"
    writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    try:
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


async def test_body_limit() -> None:
    """A body larger than any documented request is 413 and reaches no simulator."""
    till = Till()
    async with served(till) as (_, client):
        answer = await client.post("/giftcard/v3/loads/x", content=b" " * 1_100_000)
        assert answer.status_code == 413


async def test_taken_port() -> None:
    """A taken port is an OSError that names the simulator and the port."""
    till = Till()
    async with served(till) as (server, _):
        with pytest.raises(OSError, match=rf"electrum simulator cannot listen on 127.0.0.1:{server.port}"):
            await serve(till.simulator, "127.0.0.1", server.port)


async def test_closed_port() -> None:
    """After closing nothing listens."""
    till = Till()
    async with served(till) as (server, client):
        await server.close()
        with pytest.raises(httpx.ConnectError):
            await load(till, client)


@pytest.mark.parametrize(
    ("port", "sentence"),
    [
        (PORT, "says port 50051: simulators are above 50060"),
        (WEBHOOKS_PORT, "says port 50060: simulators are above 50060"),
        (SANDBOXES[0].port, "says port 50061, which electrum-sandbox has already"),
    ],
)
def test_sandboxes_have_ports_of_their_own(port: int, sentence: str) -> None:
    """A simulator may not take the gateway's ports or another simulator's; the fault names both."""
    clashing = msgspec.structs.replace(SANDBOXES[-1], provider_id="new-sandbox", port=port)
    with pytest.raises(SandboxClash, match=f"new-sandbox {sentence}"):
        in_order([*SANDBOXES, clashing])


def test_any_number_of_sandboxes_fits() -> None:
    """Many simulators stand in the order of their ports, the gateway's and the webhooks' below them."""
    many = [msgspec.structs.replace(SANDBOXES[0], port=WEBHOOKS_PORT + 1 + n) for n in range(200)]
    assert [one.port for one in in_order(many[::-1])] == [one.port for one in many]
    assert HIGHEST_PORT + SANDBOXES[-1].port - PORT == 65535
