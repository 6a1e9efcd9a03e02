"""What a part of the bench has measured: rows of figures, for people a table and for programs JSON."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

_PRECISE_BELOW, _ROUND_FROM = 10, 100


@dataclass(frozen=True)
class Spread:
    """The middle of some figures, and the least and the greatest of them."""

    middle: float
    least: float
    greatest: float

    @classmethod
    def of(cls, figures: Iterable[float]) -> Spread:
        """Return the spread of these; figures that are no numbers are left out."""
        known = [figure for figure in figures if not math.isnan(figure)]
        if not known:
            return cls(math.nan, math.nan, math.nan)
        return cls(statistics.median(known), min(known), max(known))


Figure = str | int | float | Spread | None
Row = dict[str, Figure]


@dataclass
class Section:
    """One part's figures; all rows have the same columns."""

    title: str
    rows: list[Row]
    faults: list[str] = field(default_factory=list)
    """What was answered wrongly, or stands in a journal and should not, or does not and should."""

    def markdown(self) -> str:
        """Return it as a heading with a table."""
        return f"### {self.title}\n\n{table(self.rows)}\n"


def table(rows: Sequence[Row]) -> str:
    """Return a table in Markdown. A ratio, which a column named `vs ...` holds, is shown with its spread."""
    head = list(rows[0])
    lines = [[_shown(row[name], with_spread=name.startswith("vs ")) for name in head] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *lines))


def _shown(figure: Figure, *, with_spread: bool) -> str:
    if isinstance(figure, Spread):
        if with_spread and figure.least != figure.greatest:
            return f"{number(figure.middle)} ({number(figure.least)}–{number(figure.greatest)})"
        figure = figure.middle
    if isinstance(figure, float):
        return number(figure)
    return "" if figure is None else f"{figure:,}" if isinstance(figure, int) else figure


def number(figure: float) -> str:
    """Return a figure with about three digits."""
    if math.isnan(figure):
        return "none"
    places = 2 if abs(figure) < _PRECISE_BELOW else 1 if abs(figure) < _ROUND_FROM else 0
    return f"{figure:,.{places}f}"
