"""Shows a person what is done at the moment: one line that is written over, or a line each in a log."""

from __future__ import annotations

import sys

import click


def say(text: str) -> None:
    """Show one step; an empty text wipes the line."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{text}", err=True, nl=False)
    elif text:
        click.echo(text, err=True)
