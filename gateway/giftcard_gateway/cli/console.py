"""Where the command line writes: answers to standard output, everything else to standard error.

Colour and tables appear on a terminal; a pipe gets plain text. Rich knows which is which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def complain(sentences: Iterable[str]) -> None:
    """Say what is wrong, a line each."""
    for sentence in sentences:
        err.print(f"[bold red]error[/]: {_plain(sentence)}")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> None:
    """Print a table."""
    grid = Table(*columns, title=title or None, title_justify="left", header_style="bold", box=None)
    for row in rows:
        grid.add_row(*row)
    out.print(grid)


def _plain(text: str) -> str:
    """Keep square brackets as they are; rich would take them for markup."""
    return text.replace("[", r"\[")
