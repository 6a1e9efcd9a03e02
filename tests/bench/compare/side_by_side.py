"""Designs side by side: rounds in which each gets a slice of load, in an order that chance gives."""

from __future__ import annotations

import math
import random
import statistics
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.compare.designs import start
from tests.bench.compare.journals import check
from tests.bench.compare.load import Slice, load, prepare
from tests.bench.compare.rig import Rig, Serving

WARM_CALLERS, WARM_CALLS = 8, 300


@dataclass(frozen=True)
class Spread:
    """The middle of some figures, and the least and the greatest of them."""

    middle: float
    least: float
    greatest: float

    @classmethod
    def of(cls, figures: Iterable[float]) -> Spread:
        """Return the spread of these; figures that are no numbers are left out."""
        known = sorted(figure for figure in figures if not math.isnan(figure))
        if not known:
            return cls(math.nan, math.nan, math.nan)
        return cls(statistics.median(known), known[0], known[-1])


@dataclass(frozen=True)
class Compared:
    """One design under one number of callers, over all rounds."""

    design: str
    callers: int
    per_s: Spread
    ratios: dict[str, Spread]
    """Its rate by that of each design written by hand, in the same round."""
    cpu_ratios: dict[str, Spread]
    """Its CPU time a call by theirs; PostgreSQL's is added to both."""
    p50_ms: Spread
    p99_ms: Spread
    cpu_us: Spread
    postgres_us: Spread
    wrong: dict[str, int]


class SideBySide:
    """The designs under load, and all that was seen of them."""

    def __init__(self, rig: Rig, designs: Sequence[Serving], say: Callable[[str], None]) -> None:
        """Begin with designs that serve."""
        self._rig = rig
        self._designs = designs
        self._say = say
        self.rounds: list[dict[tuple[str, int], Slice]] = []
        self._sent = {design.name: 0 for design in designs}

    def warm(self) -> None:
        """Have every design answer a few hundred calls, uncounted."""
        for design in self._designs:
            self._load(design, WARM_CALLERS, calls=WARM_CALLS)

    def play(self, rounds: int, callers: Sequence[int], seconds: float) -> None:
        """Play rounds; in each, every design answers every number of callers once."""
        for number in range(1, rounds + 1):
            seen: dict[tuple[str, int], Slice] = {}
            for count in random.sample(callers, len(callers)):
                for design in random.sample(self._designs, len(self._designs)):
                    self._say(f"round {number} of {rounds}: {design.name}, {count} at once")
                    seen[design.name, count] = self._load(design, count, lasting=f"{seconds}s")
            self.rounds.append(seen)

    def _load(self, design: Serving, callers: int, *, calls: int = 0, lasting: str = "2s") -> Slice:
        one = load(self._rig, design, callers, calls=calls, lasting=lasting)
        self._sent[design.name] += sum(one.told.kinds.values())
        return one

    def faults(self) -> list[str]:
        """Return what is wrong with what was answered and with what the journals hold."""
        found = [
            f"{name}, {callers} at once: {one.wrong} {one.told.texts}"
            for seen in self.rounds
            for (name, callers), one in seen.items()
            if one.wrong
        ]
        checked = {design.name: check(design, self._sent[design.name]) for design in self._designs}
        return found + [f"journal of {name}: {fault}" for name, fault in checked.items() if fault]

    def compared(self, references: Sequence[str]) -> list[Compared]:
        """Return every design beside the references, under every number of callers."""
        return [
            self._one(name, callers, references)
            for callers in sorted({callers for _, callers in self.rounds[0]})
            for name in (design.name for design in self._designs)
        ]

    def _one(self, name: str, callers: int, references: Sequence[str]) -> Compared:
        def spread(of: Callable[[Slice], float]) -> Spread:
            return Spread.of(of(seen[name, callers]) for seen in self.rounds)

        def beside(reference: str, of: Callable[[Slice], float]) -> Spread:
            return Spread.of(
                of(seen[name, callers]) / (of(seen[reference, callers]) or math.nan) for seen in self.rounds
            )

        wrong: dict[str, int] = {}
        for seen in self.rounds:
            for kind, count in seen[name, callers].wrong.items():
                wrong[kind] = wrong.get(kind, 0) + count
        return Compared(
            name,
            callers,
            spread(lambda one: one.per_s),
            {reference: beside(reference, lambda one: one.per_s) for reference in references},
            {reference: beside(reference, cost_us) for reference in references},
            spread(lambda one: one.ms("p50")),
            spread(lambda one: one.ms("p99")),
            spread(lambda one: one.cpu_us),
            spread(lambda one: one.postgres_us if keeps_in_postgres(name) else 0.0),
            wrong,
        )


def keeps_in_postgres(name: str) -> bool:
    """Tell whether PostgreSQL works for this design."""
    return name == "usual" or "postgres" in name


def cost_us(one: Slice) -> float:
    """Return the CPU microseconds of a call, PostgreSQL's for it included."""
    return one.cpu_us + (one.postgres_us if keeps_in_postgres(one.design) else 0.0)


@contextmanager
def opened_rig() -> Iterator[Rig]:
    """Give a rig in a new folder, with the requests to send in it."""
    with tempfile.TemporaryDirectory(prefix="giftcard-bench-") as folder, Rig(Path(folder)) as rig:
        rig.folder.chmod(0o755)  # nginx's worker is another user
        prepare(rig.folder)
        yield rig


@contextmanager
def side_by_side(names: Sequence[str], say: Callable[[str], None]) -> Iterator[SideBySide]:
    """Give these designs, started and warm."""
    with opened_rig() as rig:
        designs = []
        for name in names:
            say(f"starting {name}")
            designs.append(start(rig, name))
        run = SideBySide(rig, designs, say)
        say("warming up")
        run.warm()
        yield run
