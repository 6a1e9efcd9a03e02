"""Commands for the operator who looks after transactions.

They ask a running gateway, like any caller; purge and erase-numbers work on the journal itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from giftcard_gateway.cli.lazy import LazyGroup
from giftcard_gateway.cli.options import gateway_options

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMANDS: Mapping[str, tuple[str, str]] = {
    "approve": ("acting:approve", "Approve the end that somebody else asked for."),
    "confirm": ("acting:confirm", "Confirm what is APPROVED."),
    "erase-numbers": ("erasing:erase_numbers", "Erase card numbers that were kept long enough."),
    "list": ("reading:list_", "List transactions, newest first."),
    "purge": ("purge:purge", "Delete finished transactions from the journal."),
    "redeliver": ("acting:redeliver", "Try at once what is owed; try again what is UNRESOLVED."),
    "refuse": ("acting:refuse", "Refuse the end that somebody else asked for."),
    "resolve": ("acting:resolve", "End what is UNRESOLVED by hand."),
    "reverse": ("acting:reverse", "Reverse what is PENDING or APPROVED."),
    "show": ("reading:show", "Show all that is known of one transaction."),
    "watch": ("reading:watch", "Follow changes of state as they are written down."),
}
"""Each command: its module and name there, and what the list of commands says of it."""


@click.group(cls=LazyGroup, modules=COMMANDS)
@gateway_options
@click.pass_context
def transactions(context: click.Context, address: str, ca: str, token_file: str) -> None:
    """Look after transactions: find them, see what happened, end what nobody could."""
    context.obj = {**context.obj, "address": address, "ca": ca, "token_file": token_file}
