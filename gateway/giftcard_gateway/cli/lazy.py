"""A group of commands whose modules are imported when they are asked for: each costs what it needs."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import click

from giftcard_gateway.cli.faults import CannotDo
from giftcard_gateway.loading import loading

if TYPE_CHECKING:
    from collections.abc import Mapping


class LazyGroup(click.Group):
    """A group that imports a command when it is asked for, and lists all without importing any."""

    def __init__(self, *given: Any, modules: Mapping[str, tuple[str, str]], **more: Any) -> None:  # noqa: ANN401 - click's
        """Have these commands: each with its module and name there, and what the list says of it."""
        super().__init__(*given, **more)
        self._modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click asks so
        """Return the names of the commands."""
        return list(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click asks so
        """Import a command; None where there is none of this name. Raises CannotDo."""
        if cmd_name not in self._modules:
            return None
        module, _, name = self._modules[cmd_name][0].partition(":")
        try:
            with loading():
                command: click.Command = getattr(
                    importlib.import_module(f"giftcard_gateway.cli.{module}"), name
                )
        except ValueError as fault:
            # The OpenTelemetry SDK reads some of its variables at its import.
            raise CannotDo(str(fault)) from None
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click asks so
        """Write the list of commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, said) for name, (_, said) in self._modules.items()])
