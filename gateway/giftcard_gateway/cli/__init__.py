"""The command line: one module a group of commands. It says what it does and leaves the doing to others.

A command's module is imported when it is asked for, so that each costs what it needs and no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from giftcard_gateway.cli.faults import sentences
from giftcard_gateway.cli.lazy import LazyGroup
from giftcard_gateway.loading import INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CANNOT = 2
"""The exit code for everything a person can mend: arguments, settings, ports, disks."""

COMMANDS: Mapping[str, tuple[str, str]] = {
    "audit": ("audit:audit", "Export and check the records of who did what."),
    "cells": ("cells:cells", "Move a tenant into another cell."),
    "check-config": ("inspect:check_config", "Check the configuration and show what is in force."),
    "demo": ("demo:demo", "Tell a gift card's story on a sandbox, step by step."),
    "health": ("health:health", "Ask a running gateway whether it serves, for supervisors."),
    "keys": ("keys:keys", "Make, list and revoke the API keys that callers sign in with."),
    "migrate": ("migrate:migrate", "Bring the journal to this version's schema."),
    "new-adapter": ("new_adapter:new_adapter", "Write the skeleton of an adapter."),
    "pause": ("provider_acts:pause", "Have a running gateway send nothing new to a provider."),
    "providers": ("inspect:providers", "Show what every provider can do."),
    "resume": ("provider_acts:resume", "Have a running gateway send to a provider again."),
    "route": ("inspect:route", "Say where a request would go, and why."),
    "sandbox": ("sandbox:sandbox", "Serve the simulated providers alone, for tests of your own."),
    "seal": ("seal:seal", "Rotate, count and wrap the keys of card data."),
    "serve": ("serve:serve", "Serve the gateway until SIGTERM or Ctrl-C, then drain."),
    "simulate": ("simulate:simulate", "Serve one simulator of your own."),
    "status": ("provider_acts:status", "Show how a running gateway's providers fare."),
    "transactions": ("transactions:transactions", "Look after transactions."),
}
"""Each command: its module and name there, and what the list of commands says of it."""
CALLERS = ("health", "transactions")
"""Those that call a running gateway."""


@click.group(
    cls=LazyGroup,
    modules=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="Gift cards over one gRPC contract: many providers behind it, and money that is never lost "
    "or moved twice.",
    epilog="Begin with: giftcard-gateway serve --sandbox",
)
@click.version_option(None, "-V", "--version", package_name="giftcard-gateway", message="%(version)s")
def commands() -> None:
    """Group every command."""


def command_line(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one command and return its exit code; what a person can mend is said in sentences."""
    if unread := [place for place, text in enumerate(arguments, 1) if not _is_text(text)]:
        _complain([f"argument {place} is not UTF-8" for place in unread])
        return _CANNOT
    try:
        # Without standalone mode click catches Exit itself, and returns its code.
        ended = commands.main(list(arguments), "giftcard-gateway", standalone_mode=False, obj=dict(environ))
    except click.Abort:
        return INTERRUPTED
    except click.ClickException as fault:
        fault.show()
        return fault.exit_code
    except Exception as fault:
        said = sentences(fault)
        if said is None:
            raise
        _complain(said)
        return _CANNOT
    return ended if isinstance(ended, int) else 0


def _is_text(argument: str) -> bool:
    """Tell whether an argument is a text: the shell gives whatever bytes it was given."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        return False
    return True


def _complain(said: Sequence[str]) -> None:
    from giftcard_gateway.cli.console import complain  # noqa: PLC0415 - it loads what draws tables

    complain(said)
