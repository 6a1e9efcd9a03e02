"""Designs side by side: rounds in which each gets a slice of load, in an order that chance gives."""

from __future__ import annotations

import math
import random
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from tests.bench.compare.designs import start
from tests.bench.compare.journals import check
from tests.bench.compare.load import Slice, load, prepare
from tests.bench.compare.progress import say
from tests.bench.compare.rig import Rig, Serving
from tests.bench.compare.sections import Row, Spread

WARM_CALLERS, WARM_CALLS = 8, 300


class SideBySide:
    """Designs under load, and all that was seen of them."""

    def __init__(
        self, rig: Rig, designs: Sequence[Serving], *, method: str = "Redeem", connections: int = 4
    ) -> None:
        """Begin with designs that serve."""
        self.rig = rig
        self.designs = designs
        self._method = method
        self._connections = connections
        self._rounds: list[dict[tuple[str, int], Slice]] = []
        self._sent = {design.name: 0 for design in designs}

    def warm(self) -> None:
        """Have every design answer a few hundred calls, uncounted."""
        say("warming up")
        for design in self.designs:
            self._load(design, WARM_CALLERS, calls=WARM_CALLS)

    def play(self, rounds: int, callers: Sequence[int], seconds: float) -> None:
        """Play rounds; in each, every design answers every number of callers once."""
        for number in range(1, rounds + 1):
            seen: dict[tuple[str, int], Slice] = {}
            for count in random.sample(callers, len(callers)):
                for design in random.sample(self.designs, len(self.designs)):
                    say(f"round {number} of {rounds}: {self._method}, {design.name}, {count} at once")
                    seen[design.name, count] = self._load(design, count, lasting=f"{seconds}s")
            self._rounds.append(seen)
        say("")

    def _load(self, design: Serving, callers: int, *, calls: int = 0, lasting: str = "2s") -> Slice:
        one = load(
            self.rig,
            design,
            callers,
            method=self._method,
            connections=self._connections,
            calls=calls,
            lasting=lasting,
        )
        self._sent[design.name] += sum(one.told.kinds.values())
        return one

    def faults(self) -> list[str]:
        """Return what is wrong with what was answered and with what the journals hold."""
        found = [
            f"{name}, {self._method}, {callers} at once: {one.wrong} {one.told.texts}"
            for seen in self._rounds
            for (name, callers), one in seen.items()
            if one.wrong
        ]
        if self._method != "Redeem":
            return found
        checked = {design.name: check(design, self._sent[design.name]) for design in self.designs}
        return found + [f"journal of {name}: {fault}" for name, fault in checked.items() if fault]

    def spread(self, name: str, callers: int, of: Callable[[Slice], float], beside: str = "") -> Spread:
        """Return a figure of a design over all rounds; with `beside`, by that design's in the same round."""
        pairs = ((seen[name, callers], seen[beside or name, callers]) for seen in self._rounds)
        return Spread.of(
            of(ours) / (of(theirs) or math.nan) if beside else of(ours) for ours, theirs in pairs
        )

    def rows(self, references: Sequence[str]) -> list[Row]:
        """Return every design beside the references, under every number of callers."""
        return [
            self._row(design.name, callers, references)
            for callers in sorted({callers for _, callers in self._rounds[0]})
            for design in self.designs
        ]

    def _row(self, name: str, callers: int, references: Sequence[str]) -> Row:
        row: Row = {"at once": callers, "design": name}
        row |= {f"vs {each}": self.spread(name, callers, per_s, each) for each in references}
        row |= {f"vs {each}, CPU": self.spread(name, callers, cost_us, each) for each in references[-1:]}
        return row | {
            "a second": self.spread(name, callers, per_s),
            "p50 ms": self.spread(name, callers, lambda one: one.ms("p50")),
            "p99 ms": self.spread(name, callers, lambda one: one.ms("p99")),
            "CPU µs": self.spread(name, callers, lambda one: one.cpu_us),
            "PostgreSQL µs": self.spread(name, callers, lambda one: one.postgres_us),
        }


def per_s(one: Slice) -> float:
    """Return how many calls were answered well, a second."""
    return one.per_s


def cost_us(one: Slice) -> float:
    """Return the CPU microseconds of a call, PostgreSQL's for it included."""
    return one.cpu_us + one.postgres_us


@contextmanager
def opened_rig(settings: Mapping[str, str] = MappingProxyType({})) -> Iterator[Rig]:
    """Give a rig in a new folder, with the requests to send in it; SIGTERM ends it as Ctrl-C does.

    `settings` are further lines of its PostgreSQL's configuration.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with (
        tempfile.TemporaryDirectory(prefix="giftcard-bench-") as folder,
        Rig(Path(folder), settings=settings) as rig,
    ):
        rig.folder.chmod(0o755)  # nginx's worker is another user
        prepare(rig.folder)
        yield rig


def started(rig: Rig, names: Sequence[str]) -> list[Serving]:
    """Start these designs."""
    designs = []
    for name in names:
        say(f"starting {name}")
        designs.append(start(rig, name))
    return designs
