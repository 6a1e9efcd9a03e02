"""The options that say which transactions: every condition that the contract's filter has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from giftcard import v1

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Command = TypeVar("Command", bound="Callable[..., object]")

_STATE, _OPERATION = "TRANSACTION_STATE_", "OPERATION_"
_STATES = [name.removeprefix(_STATE).lower() for name in v1.TransactionState.keys()[1:]]
_OPERATIONS = [name.removeprefix(_OPERATION).lower() for name in v1.Operation.keys()[1:]]
_OPTIONS = (
    click.option("--state", "states", multiple=True, type=click.Choice(_STATES), help="In any of these."),
    click.option(
        "--operation", "operations", multiple=True, type=click.Choice(_OPERATIONS), help="Any of these."
    ),
    click.option("--provider", "providers", multiple=True, help="With any of these."),
    click.option("--merchant", default="", help="At this merchant, by its id."),
    click.option("--terminal", default="", help="At this terminal."),
    click.option("--reference", default="", help="With this external reference."),
    click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="With all of these labels."),
    click.option("--card", "is_card", is_flag=True, help="Ask for a card number; take what happened to it."),
    click.option("--since", type=click.DateTime(), help="Created at or after this time, in UTC."),
    click.option("--until", type=click.DateTime(), help="Created before this time, in UTC."),
)


def filter_options(command: Command) -> Command:
    """Add the options that `filter_of` reads."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def filter_of(given: Mapping[str, Any]) -> v1.TransactionFilter:
    """Return the filter that the options mean, by their names."""
    wanted = v1.TransactionFilter(
        states=[v1.TransactionState.Value(f"TRANSACTION_STATE_{one.upper()}") for one in given["states"]],
        operations=[v1.Operation.Value(f"OPERATION_{one.upper()}") for one in given["operations"]],
        providers=given["providers"],
        merchant_id=given["merchant"],
        terminal_id=given["terminal"],
        external_reference=given["reference"],
        labels=dict(map(_label, given["labels"])),
    )
    if given["is_card"]:
        # Asked for, because what stands on a command line is seen by every user of the machine.
        wanted.card.number.pan = click.prompt("Card number", hide_input=True)
    for field, at in ((wanted.created_from, given["since"]), (wanted.created_before, given["until"])):
        if at is not None:
            field.FromDatetime(at)
    return wanted


def _label(written: str) -> tuple[str, str]:
    key, equals, value = written.partition("=")
    if not (key and equals):
        raise click.BadParameter("is written KEY=VALUE", param_hint="--label")
    return key, value
