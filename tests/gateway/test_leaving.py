"""A gateway that was told to stop serves on for a while, and says that others should be asked."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2

from giftcard import v1
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.config.settings import Server, Settings
from giftcard_gateway.journal.settings import JournalSettings
from giftcard_gateway.process.loop import Stopping
from tests.patience import PATIENCE_S
from tests.world.app import HOST, open_app, settings, until

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
LONG_S = 3600.0


def leaving_in(lame_duck_s: float, folder: Path) -> Settings:
    """Return the settings of a gateway with a journal of its own in a folder."""
    journal = JournalSettings(url=Secret(f"sqlite:///{folder}/journal.db"))
    return settings(Server(listen=f"{HOST}:0", lame_duck_s=lame_duck_s), journal=journal)


async def health(channel: grpc.aio.Channel) -> int:
    """Return what health says of the whole gateway."""
    check = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    answer: health_pb2.HealthCheckResponse = await check(health_pb2.HealthCheckRequest(), timeout=PATIENCE_S)
    return answer.status


async def asked(channel: grpc.aio.Channel) -> v1.ListProvidersResponse:
    """Return what a call of ours is answered."""
    call = channel.unary_unary(
        "/giftcard.v1.ProviderService/ListProviders",
        request_serializer=v1.ListProvidersRequest.SerializeToString,
        response_deserializer=v1.ListProvidersResponse.FromString,
    )
    answer: v1.ListProvidersResponse = await call(v1.ListProvidersRequest(), timeout=PATIENCE_S)
    return answer


async def test_calls_are_served_and_health_never_comes_back(tmp_path: Path) -> None:
    """While it leaves, health is NOT_SERVING for good, whatever the journal does, and calls are answered."""
    hurried = asyncio.Event()
    table = leaving_in(LONG_S, tmp_path)
    async with (
        open_app(table, SystemClock()) as app,
        grpc.aio.insecure_channel(f"{HOST}:{app.server.port}") as channel,
    ):
        assert await health(channel) == SERVING
        leaving = asyncio.create_task(app.leave(hurried))
        async with asyncio.timeout(PATIENCE_S):
            while await health(channel) == SERVING:
                pass
        await app.server.serve()
        assert await health(channel) == NOT_SERVING
        await asked(channel)
        assert not leaving.done()
        hurried.set()
        await asyncio.wait_for(leaving, PATIENCE_S)


async def test_it_ends_by_itself(tmp_path: Path) -> None:
    """The time over, leaving ends though nobody hurries it, and not before."""
    lame_duck_s = 0.3
    async with open_app(leaving_in(lame_duck_s, tmp_path), SystemClock()) as app:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        await asyncio.wait_for(app.leave(asyncio.Event()), PATIENCE_S)
        assert loop.time() - began_s >= lame_duck_s


@pytest.mark.parametrize(("lame_duck_s", "is_hurried"), [(0.0, False), (LONG_S, True)])
async def test_it_does_not_wait(tmp_path: Path, lame_duck_s: float, *, is_hurried: bool) -> None:
    """Without a time, or when somebody is in a hurry already, leaving is nothing: the drain tells health."""
    hurried = asyncio.Event()
    if is_hurried:
        hurried.set()
    table = leaving_in(lame_duck_s, tmp_path)
    async with (
        open_app(table, SystemClock()) as app,
        grpc.aio.insecure_channel(f"{HOST}:{app.server.port}") as channel,
    ):
        await asyncio.wait_for(app.leave(hurried), PATIENCE_S)
        assert await health(channel) == SERVING


async def test_signals() -> None:
    """SIGTERM tells, a second one hurries; SIGINT does both at once."""
    loop = asyncio.get_running_loop()
    try:
        stopping = Stopping()
        signal.raise_signal(signal.SIGTERM)
        await until(stopping.told.is_set)
        assert not stopping.hurried.is_set()
        signal.raise_signal(signal.SIGTERM)
        await until(stopping.hurried.is_set)
        stopping = Stopping()
        signal.raise_signal(signal.SIGINT)
        await until(stopping.hurried.is_set)
        assert stopping.told.is_set()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
