"""The command line: one module a group of commands. It says what it does and leaves the doing to others."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING

import click

from giftcard_gateway.cli.console import complain
from giftcard_gateway.cli.demo import demo
from giftcard_gateway.cli.faults import EXPECTED, sentences
from giftcard_gateway.cli.inspect import check_config, providers, route
from giftcard_gateway.cli.migrate import migrate
from giftcard_gateway.cli.new_adapter import new_adapter
from giftcard_gateway.cli.serve import sandbox, serve
from giftcard_gateway.cli.simulate import simulate
from giftcard_gateway.cli.transactions import transactions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CANNOT = 2
"""The exit code for everything a person can mend: arguments, settings, ports, disks."""
_INTERRUPTED = 130
"""What a shell answers for a program that Ctrl-C ended before it served."""


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="Gift cards over one gRPC contract: many providers behind it, and money that is never lost "
    "or moved twice.",
    epilog="Begin with: giftcard-gateway serve --sandbox",
)
@click.version_option(
    importlib.metadata.version("giftcard-gateway"), "-V", "--version", message="%(version)s"
)
def commands() -> None:
    """Group every command."""


for command in (
    serve,
    sandbox,
    demo,
    migrate,
    transactions,
    providers,
    check_config,
    route,
    new_adapter,
    simulate,
):
    commands.add_command(command)


def command_line(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one command and return its exit code; what a person can mend is said in sentences."""
    try:
        # Without standalone mode click catches Exit itself, and returns its code.
        ended = commands.main(list(arguments), "giftcard-gateway", standalone_mode=False, obj=dict(environ))
    except click.Abort:
        return _INTERRUPTED
    except click.ClickException as fault:
        fault.show()
        return fault.exit_code
    except EXPECTED as fault:
        complain(sentences(fault))
        return _CANNOT
    return ended if isinstance(ended, int) else 0
