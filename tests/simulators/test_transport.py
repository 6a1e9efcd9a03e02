"""A simulator inside the process: the same faults as httpx errors, and time that can be skipped."""

from __future__ import annotations

import asyncio

import httpx
import msgspec
import pytest

from giftcard_simulators.faults import Fault, FaultKind, Match
from giftcard_simulators.transport import SimulatorTransport
from tests.simulators.electrum_till import CREDENTIALS, FUNDED, Till, advice
from tests.world.clock import VirtualClock, run

BASE = "http://provider.invalid/giftcard/v3"
LOADS = Match(path="/loads/[^/]+$")


async def post(
    transport: SimulatorTransport, path: str, body: dict[str, object], *, read_s: float | None = None
) -> httpx.Response:
    """Send one request through the transport, waiting `read_s` seconds at most."""
    request = httpx.Request(
        "POST",
        BASE + path,
        json=body,
        headers={"authorization": f"Basic {CREDENTIALS}"},
        extensions={"timeout": httpx.Timeout(read_s).as_dict()},
    )
    return await transport.handle_async_request(request)


async def load(till: Till, transport: SimulatorTransport, *, read_s: float | None = None) -> httpx.Response:
    """Load R1.00 on a funded card."""
    body = till.message("load", FUNDED, amount=100)
    return await post(transport, f"/loads/{body['id']}", body, read_s=read_s)


async def test_exchange() -> None:
    """An unfaulted exchange answers as the port would, sandbox paths included."""
    till = Till()
    async with httpx.AsyncClient(transport=SimulatorTransport(till.simulator)) as client:
        body = till.message("load", FUNDED, amount=100)
        answer = await client.post(f"{BASE}/loads/{body['id']}", json=body, auth=("70000001", "wrong"))
        assert answer.status_code == 401
        answer = await client.get("http://provider.invalid/_sandbox/effects?x=1")
        assert answer.json() == {"effects": []}


@pytest.mark.parametrize(
    ("fault", "error", "kinds"),
    [
        (FaultKind.REFUSE_CONNECTION, httpx.ConnectError, []),
        (FaultKind.DROP_REQUEST, httpx.RemoteProtocolError, []),
        (FaultKind.DROP_ANSWER, httpx.ReadError, ["load"]),
    ],
)
async def test_cut(fault: FaultKind, error: type[Exception], kinds: list[str]) -> None:
    """Not connected, cut before acting and cut after acting are three different errors, then it is over."""
    till = Till()
    transport = SimulatorTransport(till.simulator)
    transport.script.replace([Fault(fault=fault, match=LOADS)])
    with pytest.raises(error):
        await load(till, transport)
    assert till.kinds() == kinds
    assert (await load(till, transport)).status_code == 201


@pytest.mark.parametrize(
    ("fault", "status", "is_readable"),
    [
        (Fault(fault=FaultKind.ANSWER_TWICE), 201, True),
        (Fault(fault=FaultKind.WRONG_AMOUNT), 201, True),
        (Fault(fault=FaultKind.TRUNCATED_JSON), 201, False),
        (Fault(fault=FaultKind.STATUS, status=504), 504, True),
        (Fault(fault=FaultKind.HTML_502), 502, False),
    ],
)
async def test_spoilt_answer(fault: Fault, status: int, is_readable: bool) -> None:
    """Every other fault gives an answer, readable or not, of the status it has on a port."""
    till = Till()
    transport = SimulatorTransport(till.simulator)
    transport.script.replace([fault])
    answer = await load(till, transport)
    assert answer.status_code == status
    try:
        msgspec.json.decode(await answer.aread())
    except msgspec.DecodeError:
        assert not is_readable
    else:
        assert is_readable


def test_late_request_meets_its_reversal() -> None:
    """A request that arrives after the sender gave up, and after its reversal, moves nothing."""
    till = Till()
    transport = SimulatorTransport(till.simulator)
    late = Fault(fault=FaultKind.DELAY, match=LOADS, delay_s=600, after_acting=False)
    transport.script.replace([late])

    async def play(clock: VirtualClock) -> None:
        body = till.message("load", FUNDED, amount=100)
        with pytest.raises(httpx.ReadTimeout):
            await post(transport, f"/loads/{body['id']}", body, read_s=60)
        assert clock.monotonic_s() == 60
        reversal = {**advice(till.fresh_id(), body["id"]), "reversalReason": "TIMEOUT"}
        answer = await post(transport, f"/loads/{body['id']}/reversals/{reversal['id']}", reversal)
        assert answer.status_code == 404
        await clock.sleep(3_600)

    run(1, play)
    assert till.kinds() == []
    assert till.balances(FUNDED) == (50_000, 50_000)


@pytest.mark.parametrize(("after_acting", "kinds"), [(True, ["load"]), (False, [])])
def test_delay_before_or_after_acting(after_acting: bool, kinds: list[str]) -> None:
    """By default the provider acts and answers late; a script can have it act late."""
    till = Till()
    transport = SimulatorTransport(till.simulator)
    transport.script.replace([Fault(fault=FaultKind.DELAY, delay_s=30, after_acting=after_acting)])

    async def play(clock: VirtualClock) -> int:
        answer = asyncio.ensure_future(load(till, transport, read_s=60))
        await clock.sleep(29)
        assert till.kinds() == kinds
        return (await answer).status_code

    assert run(1, play) == 201
    assert till.kinds() == ["load"]


def test_cancelled_sender() -> None:
    """A sender that is cancelled does not stop the provider from acting."""
    till = Till()
    transport = SimulatorTransport(till.simulator)
    transport.script.replace([Fault(fault=FaultKind.DELAY, delay_s=30, after_acting=False)])

    async def play(clock: VirtualClock) -> None:
        sender = asyncio.ensure_future(load(till, transport))
        await clock.sleep(10)
        sender.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sender
        assert till.kinds() == []
        await clock.sleep(30)

    run(1, play)
    assert till.kinds() == ["load"]
