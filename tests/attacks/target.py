"""The gateway under attack: a sandbox process of its own, and what it costs while it is attacked."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any

import grpc
import grpc.aio

from giftcard import read_error, v1
from giftcard.stubs import Stubs

_TICKS = os.sysconf("SC_CLK_TCK")
_LOOK_S = 0.05


@dataclass
class Cost:
    """What an attack cost the process, and what a neighbour on a connection of its own felt."""

    cpu_s: float = 0.0
    grown_mib: float = 0.0
    waits_s: list[float] = field(default_factory=list)
    neighbour: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        """Return it as one line."""
        slowest = max(self.waits_s, default=0.0)
        usual = quantiles(self.waits_s, n=20, method="inclusive")[18] if len(self.waits_s) > 1 else slowest
        return (
            f"{self.cpu_s:.1f} CPU-s, {self.grown_mib:+.0f} MiB; neighbour: {told(self.neighbour)}, "
            f"95 % within {usual * 1000:.0f} ms, slowest {slowest * 1000:.0f} ms"
        )


def told(counts: Counter[str]) -> str:
    """Return counts as words."""
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"


def cpu_s(pid: int) -> float:
    """Return the CPU seconds a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_mib(pid: int) -> float:
    """Return how much memory a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def reason_of(fault: grpc.RpcError) -> str:
    """Return code and reason of a failure; `without a word` where no ErrorInfo came."""
    told_of = read_error(fault)
    return f"{told_of.code.name} {told_of.reason or 'without a word'}"


async def outcome(call: Awaitable[object]) -> str:
    """Return how a call ended."""
    try:
        await call
    except grpc.RpcError as fault:
        return reason_of(fault)
    return "OK"


async def outcomes(calls: Iterable[Awaitable[object]]) -> Counter[str]:
    """Return how many calls ended in which way, all of them at once."""
    return Counter(await asyncio.gather(*map(outcome, calls)))


def channel(port: int, **options: int) -> grpc.aio.Channel:
    """Return a channel with a connection of its own, which repeats nothing by itself."""
    given = [(f"grpc.{name}", value) for name, value in options.items()]
    own = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
    return grpc.aio.insecure_channel(f"127.0.0.1:{port}", [*own, *given])


def calls(way: grpc.aio.Channel) -> Any:  # noqa: ANN401 - the stubs of a channel that waits have no types of their own
    """Return the calls of a channel."""
    untyped: Any = way
    return Stubs(untyped)


@asynccontextmanager
async def watched(port: int, pid: int, metadata: Sequence[tuple[str, str]] = ()) -> AsyncIterator[Cost]:
    """Measure what happens inside the block; a neighbour lists the providers all the while."""
    cost = Cost()
    async with channel(port) as beside:
        stubs = calls(beside)
        await stubs.providers.ListProviders(v1.ListProvidersRequest(), timeout=10, metadata=metadata)

        async def live() -> None:
            while True:
                began = time.monotonic()
                request = v1.ListProvidersRequest()
                call = stubs.providers.ListProviders(request, timeout=30, metadata=metadata)
                cost.neighbour[await outcome(call)] += 1
                cost.waits_s.append(time.monotonic() - began)
                await asyncio.sleep(_LOOK_S)

        used, held = cpu_s(pid), memory_mib(pid)
        living = asyncio.ensure_future(live())
        try:
            yield cost
        finally:
            living.cancel()
            cost.cpu_s, cost.grown_mib = cpu_s(pid) - used, memory_mib(pid) - held
