"""Above what it can hold the gateway says so, by name and with a time to come back; nobody is dropped."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from giftcard import v1
from tests.attacks.attacks import burst, undecodable
from tests.attacks.frames import connect
from tests.attacks.target import calls, channel, outcomes
from tests.bench.overload.__main__ import faults
from tests.bench.overload.callers import OVERLOADED, load
from tests.bench.overload.rig import rig
from tests.e2e.processes import Running
from tests.e2e.sandboxes import Sandbox, sandbox
from tests.patience import PATIENCE_S

NARROW = {
    "GIFTCARD_GATEWAY__SERVER__MAX_CONCURRENT_CALLS": "20",
    "GIFTCARD_GATEWAY__SERVER__MAX_STREAMS": "4",
    "GIFTCARD_GATEWAY__SERVER__HANDSHAKE_S": "120",
}
HASTY = {
    "GIFTCARD_GATEWAY__SERVER__MAX_CONNECTION_IDLE_S": "1",
    "GIFTCARD_GATEWAY__SERVER__HANDSHAKE_S": "1",
}


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Give a gateway with little room."""
    with sandbox(tmp_path_factory.mktemp("narrow"), environ=NARROW) as running:
        yield running


async def test_every_refusal_has_a_reason(narrow: Sandbox) -> None:
    """Of 2,000 calls at once on twenty connections each is answered, or refused OVERLOADED."""
    ways = [channel(narrow.port) for _ in range(20)]
    ended = await outcomes(
        calls(ways[place % 20]).providers.ListProviders(v1.ListProvidersRequest(), timeout=PATIENCE_S)
        for place in range(2000)
    )
    await asyncio.gather(*(way.close() for way in ways))
    assert set(ended) <= {"OK", "RESOURCE_EXHAUSTED OVERLOADED"}
    assert ended["OK"]


async def test_one_connection_waits_by_itself(narrow: Sandbox) -> None:
    """4,000 calls at once on one connection end with an answer or a reason, none of them CANCELLED."""
    told = await burst(narrow)
    assert "CANCELLED" not in told
    assert "without a word" not in told


async def test_a_crowd_is_served_in_turn_and_nothing_refused_was_sent(tmp_path: Path) -> None:
    """Each call of 200 callers at once is served or refused OVERLOADED, and what was refused nobody knows."""
    with rig(tmp_path, "calls_at_once = 4\nmax_concurrent_calls = 16") as (here, known):
        rounds = [
            await load(here.address, callers=200, seconds=3),
            await load(here.address, callers=8, seconds=1),
        ]
        assert here.gateway.stop() == 0
    assert rounds[0].kinds["OK"]
    assert rounds[0].kinds[OVERLOADED]
    assert all(one.kinds.keys() <= {"OK", OVERLOADED} for one in rounds)
    assert faults(rounds, known) == []


async def test_a_pause_of_the_process_refuses_nobody(tmp_path: Path) -> None:
    """A process that stands still for two seconds serves every call of 32 callers, before and after."""
    with rig(tmp_path) as (here, known):
        ended, _ = await asyncio.gather(
            load(here.address, callers=32, seconds=4, deadline_s=PATIENCE_S), _paused(here.gateway)
        )
        assert here.gateway.stop() == 0
    assert set(ended.kinds) == {"OK"}
    assert faults([ended], known) == []


async def _paused(gateway: Running) -> None:
    """Let a process stand still from the first second to the third: that time is what is tried, no wait."""
    await asyncio.sleep(1)
    gateway.send(signal.SIGSTOP)
    try:
        await asyncio.sleep(2)
    finally:
        gateway.send(signal.SIGCONT)


async def test_streams_leave_room_for_calls(narrow: Sandbox) -> None:
    """With every place for streams taken the next stream is refused by name, and calls are answered."""
    async with channel(narrow.port) as way:
        held = [calls(way).events.StreamEvents(v1.StreamEventsRequest()) for _ in range(5)]
        reading = [asyncio.ensure_future(outcomes([stream.read()])) for stream in held]
        refused, _ = await asyncio.wait(reading, timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        assert [list(task.result()) for task in refused] == [["RESOURCE_EXHAUSTED OVERLOADED"]]
        ended = await outcomes(
            calls(way).providers.ListProviders(v1.ListProvidersRequest(), timeout=PATIENCE_S)
            for _ in range(10)
        )
        assert ended == {"OK": 10}
        for task in reading:
            task.cancel()


async def test_silent_connections_are_closed(tmp_path: Path) -> None:
    """A connection that says nothing at all, and one that only says hello, are hung up on."""
    with sandbox(tmp_path, environ=HASTY) as hasty:
        reader, writer = await asyncio.open_connection("127.0.0.1", hasty.port)
        greeted = await connect(hasty.port)
        await asyncio.wait_for(reader.read(), PATIENCE_S)
        await asyncio.wait_for(greeted.closed.wait(), PATIENCE_S)
        writer.close()
        await greeted.close()


async def test_undecodable_bytes_have_a_reason(narrow: Sandbox) -> None:
    """Bytes that are no message are refused alike by each form of call, and nothing is logged as a fault."""
    assert (await undecodable(narrow)).count("INVALID_ARGUMENT FIELD_INVALID") == 3
    assert "DecodeError" not in narrow.running.complained
