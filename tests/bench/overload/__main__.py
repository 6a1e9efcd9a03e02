"""Measures a gateway at one, two and ten times what it can do, and beyond.

`python -m tests.bench.overload` starts what it needs. A gateway and a provider are processes, the callers
are this one. Every refusal must be OVERLOADED with a time to come back; afterwards the journal and the
provider must know all that was served, once, and nothing refused. `make test` plays the same in short
(`tests/e2e/test_overload.py`), without a figure. On a machine that others use as well only ratios say
something: the load beside each line tells how it was.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop

from tests.bench.overload.callers import OVERLOADED, Ended, balance, load, streams
from tests.bench.overload.rig import Known, Rig, machine, rig

if TYPE_CHECKING:
    from collections.abc import Sequence

FULL = 32
"""So many callers keep one process busy."""


def out(text: str) -> None:
    """Write a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class Bench:
    """The rounds, one after another, on one gateway."""

    def __init__(self, here: Rig, seconds: float) -> None:
        self._here = here
        self._seconds = seconds
        self.all: list[Ended] = []

    async def round(self, name: str, callers: int, **how: Any) -> Ended:  # noqa: ANN401 - as `load` has them
        """Play one round and print its line."""
        before_s = self._here.cpu_s()
        ended = await load(self._here.address, callers=callers, seconds=self._seconds, **how)
        cpu_us = (self._here.cpu_s() - before_s) * 1e6 / max(1, ended.kinds.total())
        refused = ended.kinds[OVERLOADED]
        others = {kind: count for kind, count in ended.kinds.items() if kind not in {"OK", OVERLOADED}}
        self.all.append(ended)
        out(
            f"| {name} | {callers} | {ended.per_s:.0f} | {_ms(ended, 0.5)} | {_ms(ended, 0.99)} "
            f"| {refused / self._seconds:.0f} | {_ms(ended, 0.5, OVERLOADED)} | {others or 'none'} "
            f"| {cpu_us:.0f} | {machine()} |",
        )
        return ended

    async def play(self) -> None:
        """Play every round."""
        out("| round | callers | served/s | p50 ms | p99 ms | refused/s | p50 ms | else | CPU µs | machine |")
        out("|---|---|---|---|---|---|---|---|---|---|")
        await self.round("warm", 8)
        await self.round("unloaded", 1)
        await self.round("full", FULL)
        await self.round("twice", 2 * FULL)
        await self.round("ten times", 10 * FULL)
        await self.round("2,000", 2000)
        await self.round("2,000 reads", 2000, ask=balance)
        await self.round("2,000 who do not wait as told", 2000, heeds=False)
        await asyncio.gather(
            self.round("1,900 of one caller", 1900, heeds=False),
            self.round("beside them 10 of another", 10, machine="10.0.0.2"),
        )
        out(f"200 streams of one caller: {dict(await streams(self._here.address, 200))}")


def _ms(ended: Ended, share: float, kind: str = "OK") -> str:
    return f"{ended.within_s(share, kind) * 1000:.0f}"


def faults(rounds: Sequence[Ended], known: Known) -> list[str]:
    """Return what must not be: a refused transaction that is known, a served one that is not, or twice."""
    refused: set[str] = set().union(*(one.refused for one in rounds))
    served: set[str] = set().union(*(one.served for one in rounds if one.is_money))
    asked = set(known.asked)
    return [
        *(f"{one} was refused, and sent" for one in refused & asked),
        *(f"{one} was refused, and written down" for one in refused & known.written),
        *(f"{one} was served, and not sent" for one in served - asked),
        *(f"{one} was served, and not written down" for one in served - known.written),
        *(f"{one} was sent {times} times" for one, times in Counter(known.asked).items() if times > 1),
    ]


def main(arguments: Sequence[str]) -> int:
    """Play it all; return 1 if the journal or the provider knows what it should not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each round takes")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, rig(Path(folder)) as (here, known):
        bench = Bench(here, options.seconds)
        uvloop.run(bench.play())
    wrong = faults(bench.all, known)
    refused = sum(one.kinds[OVERLOADED] for one in bench.all)
    out(f"{len(known.asked)} sent, {len(known.written)} written down, {refused} refused.")
    out("\n".join(wrong[:10]) or "Nothing refused was sent or written down; all that was served was, once.")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
