"""Where the command line writes: answers to standard output, everything else to standard error.

A terminal gets colour, a pipe plain text. No table is cut, whatever the width.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_WIDE_COLUMNS = 400
"""Wider than any of our tables: half an id is of no use."""

out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _WIDE_COLUMNS)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def complain(sentences: Iterable[str]) -> None:
    """Say what is wrong, a line each."""
    for sentence in sentences:
        err.print(f"[bold red]error[/]: {_plain(sentence)}", soft_wrap=not err.is_terminal)


def tell(paragraph: str) -> None:
    """Print prose, a line in a pipe; a window breaks it between words."""
    out.print(paragraph, soft_wrap=not out.is_terminal)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, is_prose: bool = False) -> None:
    """Print a table; cells of prose are folded where a window is narrow, others are left whole."""
    grid = Table(header_style="bold", box=None, show_header=any(columns))
    for place, column in enumerate(columns):
        grid.add_column(column, overflow="fold", no_wrap=place == 0)
    for row in rows:
        grid.add_row(*row)
    out.print(grid, width=None if is_prose else _WIDE_COLUMNS)


def _plain(text: str) -> str:
    """Keep square brackets as they are; rich would take them for markup."""
    return text.replace("[", r"\[")
