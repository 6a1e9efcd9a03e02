"""Where the command line writes: answers to standard output, everything else to standard error.

A terminal gets colour, a pipe plain text. No table is cut, whatever the width. What a provider, a caller or
a row of the journal says may hold anything: it colours, moves and hides nothing on its reader's terminal.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from giftcard_gateway.printable import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_WIDE_COLUMNS = 400
"""Wider than any of our tables: half an id is of no use."""

# A program that is started with its standard output closed has none.
_is_seen = sys.stdout is not None and sys.stdout.isatty()
out = Console(highlight=False, soft_wrap=True, width=None if _is_seen else _WIDE_COLUMNS)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def in_style(text: str, style: str = "") -> Text:
    """Return a text as it is printed: `visible`, in one style, and nothing in it is markup of rich's."""
    return Text(visible(text), style)


def complain(sentences: Iterable[str]) -> None:
    """Say what is wrong, a line each."""
    for sentence in sentences:
        lines = "\n".join(map(visible, sentence.split("\n")))
        err.print(Text.assemble(("error", "bold red"), ": ", lines), soft_wrap=not err.is_terminal)


def tell(paragraph: str) -> None:
    """Print prose, a line in a pipe; a window breaks it between words."""
    out.print(paragraph, soft_wrap=not out.is_terminal)


def table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]], *, is_prose: bool = False) -> None:
    """Print a table; cells of prose are folded where a window is narrow, others are left whole.

    Cells are shown as they are, `visible`; one in colour is a Text.
    """
    grid = Table(header_style="bold", box=None, show_header=any(columns))
    for place, column in enumerate(columns):
        grid.add_column(in_style(column), overflow="fold", no_wrap=place == 0)
    for row in rows:
        grid.add_row(*(in_style(cell) if isinstance(cell, str) else cell for cell in row))
    out.print(grid, width=None if is_prose else _WIDE_COLUMNS)
