"""What was measured, as tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from tests.bench.compare.side_by_side import Compared, Spread


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table whose columns line up."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in lines
    )


def side_by_side(compared: Sequence[Compared], references: Sequence[str]) -> str:
    """Return one table for each number of callers."""
    parts = []
    for callers in sorted({one.callers for one in compared}):
        head = [f"{callers} at once", *(f"vs {each}" for each in references)]
        head += ["CPU vs strong"] if "strong" in references else []
        head += ["a second", "p50 ms", "p99 ms", "CPU µs (+ PostgreSQL)"]
        rows = [_row(one, references) for one in compared if one.callers == callers]
        parts.append(table(head, rows))
    return "\n\n".join(parts)


def _row(one: Compared, references: Sequence[str]) -> list[str]:
    cells = [one.design, *(ratio(one.ratios[each]) for each in references)]
    cells += [ratio(one.cpu_ratios["strong"])] if "strong" in references else []
    cpu = f"{one.cpu_us.middle:.0f}"
    if one.postgres_us.middle:
        cpu += f" + {one.postgres_us.middle:.0f}"
    return [*cells, f"{one.per_s.middle:.0f}", f"{one.p50_ms.middle:.2f}", f"{one.p99_ms.middle:.1f}", cpu]


def ratio(spread: Spread) -> str:
    """Return the middle of some ratios, with the least and the greatest where they differ."""
    if spread.least == spread.greatest:
        return f"{spread.middle:.2f}"
    return f"{spread.middle:.2f} ({spread.least:.2f}-{spread.greatest:.2f})"
