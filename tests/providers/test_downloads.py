"""DownloadExport of a large file: it streams, waits for its reader, and ends with them."""

from __future__ import annotations

import asyncio
import hashlib
import tracemalloc

import grpc.aio
import pytest

from giftcard import read_error, v1
from tests.patience import ANSWER_S, PATIENCE_S
from tests.providers.conftest import OpenWorld
from tests.providers.refusals import PROVIDER_FAILED, PROVIDER_TIMEOUT, refused
from tests.providers.strange_servers import LongExport, long_export, tarpit
from tests.providers.world import JEUDIMERCI, Table, World

pytestmark = pytest.mark.asyncio(loop_scope="session")

MIB = 1024 * 1024
REQUEST = v1.DownloadExportRequest(provider=JEUDIMERCI, export_id="a-year")


async def opened(own_world: OpenWorld, url: str, timeout_s: float = ANSWER_S) -> World:
    """Open a world whose wallet provider is at `url`."""

    def adjust(table: Table) -> None:
        table["providers"][JEUDIMERCI]["settings"] |= {"base_url": url, "timeout_s": timeout_s}

    return await own_world(adjust)


async def test_a_large_file_is_never_in_memory(own_world: OpenWorld) -> None:
    """64 MiB arrive whole, and provider, gateway and caller together never hold 8 MiB more than before."""
    async with long_export(1024) as export:
        world = await opened(own_world, export.url)
        digest, size = hashlib.sha256(), 0
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            async for part in world.stubs.reports.DownloadExport(REQUEST):
                digest.update(part.chunk)
                size += len(part.chunk)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert (size, digest.hexdigest()) == (64 * MIB, export.digest())
        assert peak - before < 8 * MIB


async def test_a_slow_reader_holds_the_provider_back(own_world: OpenWorld) -> None:
    """While the caller reads nothing, the provider can send no more than the buffers between them hold."""
    async with long_export(1024) as export:
        world = await opened(own_world, export.url)
        stream = world.stubs.reports.DownloadExport(REQUEST)
        await stream.read()
        held = await quiet(export)
        assert held < 16 * MIB
        size = 0
        while isinstance(part := await stream.read(), v1.DownloadExportResponse):
            size += len(part.chunk)
        assert size == export.size_bytes


async def quiet(export: LongExport) -> int:
    """Return how much was sent once nothing more is."""
    sent = -1
    while sent != export.sent_bytes:
        sent = export.sent_bytes
        await asyncio.sleep(0.3)
    return sent


async def test_a_caller_who_leaves_ends_the_download(own_world: OpenWorld) -> None:
    """Cancelling midway closes the connection to the provider, and the next download works."""
    async with long_export(1024) as export:
        world = await opened(own_world, export.url)
        stream = world.stubs.reports.DownloadExport(REQUEST)
        await stream.read()
        await stream.read()
        stream.cancel()
        async with asyncio.timeout(PATIENCE_S):
            await export.cut.wait()
        assert export.sent_bytes < export.size_bytes
        provider = await world.client.get_provider(provider=JEUDIMERCI)
        assert provider.provider.circuit_state == v1.CircuitState.CIRCUIT_STATE_CLOSED


async def test_a_file_that_breaks_off_is_no_whole_file(own_world: OpenWorld) -> None:
    """When the provider hangs up in the middle the stream ends in an error, never as if it were the end."""
    async with long_export(64) as export:
        world = await opened(own_world, export.url)
        export.break_off_at = MIB
        with refused(*PROVIDER_FAILED):
            [part async for part in world.stubs.reports.DownloadExport(REQUEST)]


async def test_a_provider_that_says_nothing_times_out(own_world: OpenWorld) -> None:
    """A download whose answer does not begin in time is DEADLINE_EXCEEDED, and the connection is cut."""
    async with tarpit() as pit:
        world = await opened(own_world, pit.url, timeout_s=0.3)
        with refused(*PROVIDER_TIMEOUT):
            await downloaded(world)
        async with asyncio.timeout(PATIENCE_S):
            await pit.left.wait()


async def downloaded(world: World) -> list[v1.DownloadExportResponse]:
    """Download, again when a slow machine did not even connect in time: that is surely not sent."""
    while True:
        try:
            return [part async for part in world.stubs.reports.DownloadExport(REQUEST)]
        except grpc.aio.AioRpcError as fault:
            if read_error(fault).reason != "PROVIDER_UNREACHABLE":
                raise
