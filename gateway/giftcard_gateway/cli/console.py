"""Where the command line writes: answers to standard output, everything else to standard error.

On a terminal there is colour, and a table fits the window. A pipe gets plain text, as wide as it is.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_PIPE_COLUMNS = 400
"""Wider than any of our tables: who reads a pipe searches it, and must not find half an id."""

out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _PIPE_COLUMNS)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def complain(sentences: Iterable[str]) -> None:
    """Say what is wrong, a line each."""
    for sentence in sentences:
        err.print(f"[bold red]error[/]: {_plain(sentence)}")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> None:
    """Print a table; what does not fit is folded and never cut, the first column last of all."""
    grid = Table(title=title or None, title_justify="left", header_style="bold", box=None)
    for place, column in enumerate(columns):
        grid.add_column(column, overflow="fold", no_wrap=place == 0)
    for row in rows:
        grid.add_row(*row)
    out.print(grid)


def _plain(text: str) -> str:
    """Keep square brackets as they are; rich would take them for markup."""
    return text.replace("[", r"\[")
