"""Commands that act on transactions of a running gateway, one or many."""

from __future__ import annotations

import sys
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from giftcard import Client, GiftcardError, PermissionDenied, Unauthenticated, v1
from giftcard_gateway.cli.asking import as_json, client_of, for_tenant, read_pages, refusals
from giftcard_gateway.cli.console import err, in_style
from giftcard_gateway.cli.faults import CannotDo
from giftcard_gateway.cli.filters import filter_of, filter_options
from giftcard_gateway.cli.showing import (
    RESOLUTIONS,
    operation_of,
    print_json,
    print_refusal,
    show_list,
    show_transaction,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    Act = Callable[[Client, v1.Transaction], v1.Transaction]

Command = TypeVar("Command", bound="Callable[..., object]")

_STATE = "TRANSACTION_STATE_"
_REASONS = [name.removeprefix("REVERSAL_REASON_").lower() for name in v1.ReversalReason.keys()[1:]]
_INCOMPLETE = 1
"""The exit code where something that was asked for was not done."""


def _on_many(command: Command) -> Command:
    """Add what says which transactions, and how to go about it."""
    options = (
        click.argument("transaction_ids", nargs=-1, metavar="[TRANSACTION_ID]..."),
        filter_options,
        click.option("--limit", type=click.IntRange(0), default=0, help="At most so many; 0 is all."),
        click.option("--dry-run", "is_dry", is_flag=True, help="Show what would be acted on; do nothing."),
        click.option("--yes", "is_sure", is_flag=True, help="Do not ask before acting on what options find."),
        for_tenant,
        as_json,
        click.pass_obj,
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@click.option(
    "--as",
    "ending",
    required=True,
    type=click.Choice(["confirmed", "reversed"]),
    help="What you found out the provider did.",
)
@click.option("--note", required=True, help="How you found out; kept with the transaction.")
@_on_many
def resolve(asked: dict[str, str], /, ending: str, note: str, **given: Any) -> None:  # noqa: ANN401 - click's values
    """End what is UNRESOLVED by hand: transactions by their ids, or those that options find.

    Nothing is sent to the provider. The audit records the user of the operating system who did.
    """

    def act(client: Client, one: v1.Transaction) -> v1.Transaction:
        return client.resolve_transaction(
            transaction_id=one.transaction_id,
            resolution=v1.Resolution.Value(f"RESOLUTION_{ending.upper()}"),
            note=note,
        ).transaction

    _do(act, f"resolve as {ending.upper()}", asked, given, states=["unresolved"])


@click.command()
@click.option("--note", default="", help="How you know it; kept with the transaction.")
@_on_many
def approve(asked: dict[str, str], /, note: str, **given: Any) -> None:  # noqa: ANN401 - click's values
    """End UNRESOLVED transactions as somebody else asked, where the gateway wants a second person.

    Of transactions by their ids, or of those that options find. Whoever asked is refused.
    """
    _do(partial(_review, v1.Review.REVIEW_APPROVED, note), "approve", asked, given, states=["unresolved"])


@click.command()
@click.option("--note", default="", help="Why; kept with the transaction.")
@_on_many
def refuse(asked: dict[str, str], /, note: str, **given: Any) -> None:  # noqa: ANN401 - click's values
    """Refuse to end UNRESOLVED transactions as somebody else asked; another end can be asked for then.

    Of transactions by their ids, or of those that options find. Whoever asked is refused.
    """
    _do(partial(_review, v1.Review.REVIEW_REFUSED, note), "refuse", asked, given, states=["unresolved"])


def _review(review: v1.Review.ValueType, note: str, client: Client, one: v1.Transaction) -> v1.Transaction:
    """Review the end that somebody asked for, as it stands now."""
    asked = client.get_transaction(transaction_id=one.transaction_id).asked_resolution
    # Where nobody asked for one, any will do: the gateway refuses it and says so.
    resolution = RESOLUTIONS.get(asked.state, v1.Resolution.RESOLUTION_REVERSED)
    return client.review_resolution(
        transaction_id=one.transaction_id, resolution=resolution, review=review, note=note
    ).transaction


@click.command()
@click.option("--note", default="", help="Why, in your own words; kept with the transaction.")
@_on_many
def redeliver(asked: dict[str, str], /, note: str, **given: Any) -> None:  # noqa: ANN401 - click's values
    """Try at once what is owed, instead of when its backoff ends; try again what is UNRESOLVED.

    Of transactions by their ids, or of those that options find. Not for what you settled with the provider by
    hand: resolve ends that. The audit records the user of the operating system who did.
    """

    def act(client: Client, one: v1.Transaction) -> v1.Transaction:
        return client.redeliver_advice(transaction_id=one.transaction_id, note=note).transaction

    _do(act, "redeliver", asked, given, states=["pending", "confirming", "reversing", "unresolved"])


@click.command()
@click.option("--note", default="", help="A word of your own; kept with the transaction.")
@_on_many
def confirm(asked: dict[str, str], /, note: str, **given: Any) -> None:  # noqa: ANN401 - click's values
    """Confirm what is APPROVED: transactions by their ids, or those that options find.

    The audit records the user of the operating system who did.
    """

    def act(client: Client, one: v1.Transaction) -> v1.Transaction:
        return _decide(client, "confirm", one, note=note)

    _do(act, "confirm", asked, given, states=["approved"])


@click.command()
@click.option(
    "--reason",
    type=click.Choice(_REASONS),
    default="cancelled",
    show_default=True,
    help="Why, for the provider.",
)
@click.option("--note", default="", help="Why, in your own words; kept with the transaction.")
@_on_many
def reverse(asked: dict[str, str], /, reason: str, note: str, **given: Any) -> None:  # noqa: ANN401 - click's values
    """Reverse what is PENDING or APPROVED: transactions by their ids, or those that options find.

    The audit records the user of the operating system who did.
    """
    why = v1.ReversalReason.Value(f"REVERSAL_REASON_{reason.upper()}")

    def act(client: Client, one: v1.Transaction) -> v1.Transaction:
        return _decide(client, "reverse", one, reason=why, note=note)

    _do(act, "reverse", asked, given, states=["pending", "approved"])


def _decide(client: Client, verb: str, one: v1.Transaction, **fields: Any) -> v1.Transaction:  # noqa: ANN401 - of any request
    """Confirm or reverse a transaction by the call of its operation."""
    if not one.operation:
        one = client.get_transaction(transaction_id=one.transaction_id)
    method = getattr(client, f"{verb}_{operation_of(one)}")
    told: v1.Transaction = method(transaction_id=one.transaction_id, **fields)
    return told


def _do(act: Act, words: str, asked: dict[str, str], given: dict[str, Any], states: Sequence[str]) -> None:
    """Act on what was named or found, and say what came of it; exits with 1 where something was not done."""
    ids: Sequence[str] = given.pop("transaction_ids")
    wanted = _wanted(given, states, has_ids=bool(ids))
    with client_of(asked, given["tenant"]) as client, refusals():
        if wanted is not None:
            found = list(read_pages(client, wanted, given["limit"]))
        elif given["is_dry"]:
            found = [client.get_transaction(transaction_id=one) for one in ids]
        else:
            found = [v1.Transaction(transaction_id=one) for one in ids]
        if given["is_dry"] or (wanted is not None and not given["is_sure"]):
            _show(found, is_json=given["is_json"])
        if given["is_dry"] or not found:
            return
        if wanted is not None and not given["is_sure"]:
            _ask(f"{words.capitalize()} {len(found)} transactions?")
        if wanted is None and len(found) == 1:
            _show([act(client, found[0])], is_json=given["is_json"])
            return
        results = _on_each(client, act, found, is_json=given["is_json"])
    err.print(f"{words}: " + ", ".join(f"{count} {name}" for name, count in sorted(results.items())))
    if any(name.startswith("refused") for name in results):
        raise click.exceptions.Exit(_INCOMPLETE)


def _wanted(given: Mapping[str, Any], states: Sequence[str], *, has_ids: bool) -> v1.TransactionFilter | None:
    """Return the filter that the options mean, None where transactions are named; refuse both and neither."""
    names = ("states", "operations", "providers", "merchant", "terminal", "reference", "labels", "is_card")
    has_options = any(given[name] for name in (*names, "since", "until"))
    if has_ids and has_options:
        raise click.UsageError("Name transactions by their ids, or find them by options: not both.")
    if not has_ids and not has_options:
        raise click.UsageError("Say which transactions: by their ids, or by options such as --provider.")
    return None if has_ids else filter_of({**given, "states": given["states"] or states})


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        raise CannotDo("nobody is there to be asked: give --yes to act, or --dry-run to look")
    click.confirm(question, abort=True, err=True)


def _show(found: Sequence[v1.Transaction], *, is_json: bool) -> None:
    if is_json:
        for one in found:
            print_json(one)
    elif len(found) == 1:
        show_transaction(found[0])
    else:
        show_list(found)


def _on_each(client: Client, act: Act, found: Iterable[v1.Transaction], *, is_json: bool) -> Counter[str]:
    """Act on each, go on where one is refused, and count what came of them by its name."""
    results = Counter[str]()
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, disable=not err.is_terminal) as progress:
        for one in progress.track(list(found), description="done"):
            try:
                after = act(client, one)
            except (PermissionDenied, Unauthenticated):
                # It is the same for all of them.
                raise
            except GiftcardError as fault:
                reason = getattr(fault, "reason", "") or type(fault).__name__
                results[f"refused with {reason}"] += 1
                _tell_refusal(one, reason, fault, is_json=is_json)
                continue
            results[v1.TransactionState.Name(after.state).removeprefix(_STATE)] += 1
            if is_json:
                print_json(after)
    return results


def _tell_refusal(one: v1.Transaction, reason: str, fault: GiftcardError, *, is_json: bool) -> None:
    if is_json:
        print_refusal(one.transaction_id, reason, str(fault))
    else:
        err.print(in_style(f"{one.transaction_id}: {fault}"))
