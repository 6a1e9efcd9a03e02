"""Commands for the operator who looks after transactions.

They ask a running gateway, like any caller; purge and erase-numbers work on the journal itself.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from giftcard import Client, GiftcardError, tls_credentials, v1
from giftcard.channels import is_loopback
from giftcard_adapters.values.operations import Operation
from giftcard_gateway.access.metadata import EVERY_TENANT, PERSON, TENANT
from giftcard_gateway.cli.console import err, table
from giftcard_gateway.cli.faults import CannotDo
from giftcard_gateway.cli.options import settings_options, settings_with_keys
from giftcard_gateway.cli.person import person
from giftcard_gateway.cli.showing import (
    amount_of,
    operation_of,
    print_json,
    show_transaction,
    state_in_colour,
    time_of,
)
from giftcard_gateway.ledger.entry import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


_OPERATIONS = [operation.value.lower() for operation in Operation]
_STATES = [state.value.lower() for state in State]


@click.group()
@click.option(
    "--address",
    default="127.0.0.1:50051",
    show_default=True,
    envvar="GIFTCARD_GATEWAY_ADDRESS",
    show_envvar=True,
    help="The gateway to ask.",
)
@click.option(
    "--ca",
    default="",
    envvar="GIFTCARD_GATEWAY_CA",
    show_envvar=True,
    help="PEM file of the authority of its certificate; without one TLS is for other machines only.",
)
@click.option(
    "--token-file",
    default="",
    envvar="GIFTCARD_GATEWAY_TOKEN_FILE",
    show_envvar=True,
    help="File with the token or API key to sign in with.",
)
@click.pass_context
def transactions(context: click.Context, address: str, ca: str, token_file: str) -> None:
    """Look after transactions: find them, see what happened, end what nobody could."""
    context.obj = {**context.obj, "address": address, "ca": ca, "token_file": token_file}


def _token_in(file: Path) -> str:
    """Return the token in a file; raise CannotDo where there is none that a header can carry."""
    token = file.read_bytes().strip()
    if not re.fullmatch(rb"[!-~]+", token):
        raise CannotDo(f"{file} holds no token: it must be one line of ASCII without spaces")
    return token.decode("ascii")


def _client(asked: dict[str, str], tenant: str = "") -> Client:
    """Return a client that acts for a tenant, its own if none is named, and says who typed the command.

    It speaks plain text on loopback, as a sandbox does, unless an authority is named.
    """
    is_plain = is_loopback(asked["address"]) and not asked["ca"]
    authority = Path(asked["ca"]).read_bytes() if asked["ca"] else None
    token = _token_in(Path(asked["token_file"])) if asked["token_file"] else None
    return Client(
        asked["address"],
        credentials=None if is_plain else tls_credentials(authority),
        plaintext=is_plain,
        token=token,
        metadata=lambda: ((PERSON, person()), *([(TENANT, tenant)] if tenant else ())),
    )


_for_tenant = click.option(
    "--tenant",
    default="",
    help="Act for this tenant instead of your own; takes the scope giftcard.tenants.",
)
_as_json = click.option("--json", "is_json", is_flag=True, help="Print JSON, a line for each transaction.")


@transactions.command("list")
@click.option("--state", "states", multiple=True, type=click.Choice(_STATES), help="In any of these.")
@click.option(
    "--operation", "operations", multiple=True, type=click.Choice(_OPERATIONS), help="Any of these."
)
@click.option("--provider", "providers", multiple=True, help="With any of these.")
@click.option("--merchant", default="", help="At this merchant, by its id.")
@click.option("--terminal", default="", help="At this terminal.")
@click.option("--reference", default="", help="With this external reference.")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="With all of these labels.")
@click.option("--card", "is_card", is_flag=True, help="Ask for a card number; list what happened to it.")
@click.option("--since", type=click.DateTime(), help="Created at or after this time, in UTC.")
@click.option("--until", type=click.DateTime(), help="Created before this time, in UTC.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="At most so many.")
@_for_tenant
@click.option("--all-tenants", "is_for_all", is_flag=True, help="Every tenant's; needs giftcard.tenants too.")
@_as_json
@click.pass_obj
def list_(
    asked: dict[str, str],
    /,
    limit: int,
    *,
    tenant: str,
    is_for_all: bool,
    is_json: bool,
    **given: Any,  # noqa: ANN401 - click's values
) -> None:
    """List transactions, newest first. Those that need a person: --state unresolved."""
    if is_for_all and tenant:
        raise click.UsageError("--tenant is one of --all-tenants: give one of the two.")
    wanted = _filter(given)
    is_for_all = is_for_all or tenant == EVERY_TENANT
    with _client(asked, EVERY_TENANT if is_for_all else tenant) as client, _refusals():
        found = list(islice(read_pages(client, wanted, limit), limit))
    if is_json:
        for one in found:
            print_json(one)
        return
    table(
        [
            "transaction",
            *(["tenant"] if is_for_all else []),
            "operation",
            "state",
            "provider",
            "amount",
            "created",
            "evidence",
        ],
        [
            [
                one.transaction_id,
                *([one.tenant] if is_for_all else []),
                operation_of(one),
                state_in_colour(one.state),
                one.provider,
                amount_of(one),
                time_of(one.create_time.ToJsonString()),
                one.evidence.summary,
            ]
            for one in found
        ],
    )
    if not found:
        err.print("[dim]none[/]")


def _filter(given: Mapping[str, Any]) -> v1.TransactionFilter:
    """Return the filter that the options of `list` mean, by their names."""
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


def read_pages(client: Client, wanted: v1.TransactionFilter, limit: int) -> Iterator[v1.Transaction]:
    """Give what the filter takes, page by page: a page may be short, or empty, and not be the last."""
    token = ""
    while True:
        page = client.list_transactions(filter=wanted, page_size=limit, page_token=token)
        yield from page.transactions
        if not (token := page.next_page_token):
            return


@transactions.command()
@click.argument("transaction_id")
@_for_tenant
@_as_json
@click.pass_obj
def show(asked: dict[str, str], transaction_id: str, *, tenant: str, is_json: bool) -> None:
    """Show all that is known of one transaction."""
    with _client(asked, tenant) as client, _refusals():
        one = client.get_transaction(transaction_id=transaction_id)
    if is_json:
        print_json(one)
    else:
        show_transaction(one)


@transactions.command()
@click.argument("transaction_id")
@click.option(
    "--as",
    "ending",
    required=True,
    type=click.Choice(["confirmed", "reversed"]),
    help="What you found out the provider did.",
)
@click.option("--note", required=True, help="How you found out; kept with the transaction.")
@_for_tenant
@click.pass_obj
def resolve(asked: dict[str, str], transaction_id: str, ending: str, note: str, tenant: str) -> None:
    """End an UNRESOLVED transaction by hand. Nothing is sent to the provider.

    The audit records the user of the operating system who did.
    """
    with _client(asked, tenant) as client, _refusals():
        ended = client.resolve_transaction(
            transaction_id=transaction_id,
            resolution=v1.Resolution.Value(f"RESOLUTION_{ending.upper()}"),
            note=note,
        )
    show_transaction(ended.transaction)


@transactions.command(short_help="Try at once what a transaction still owes.")
@click.argument("transaction_id")
@_for_tenant
@click.pass_obj
def redeliver(asked: dict[str, str], transaction_id: str, tenant: str) -> None:
    """Try at once what a transaction still owes, instead of when its backoff ends.

    The audit records the user of the operating system who did.
    """
    with _client(asked, tenant) as client, _refusals():
        show_transaction(client.redeliver_advice(transaction_id=transaction_id).transaction)


@transactions.command()
@settings_options
@click.option(
    "--older-than", "days", type=click.IntRange(1, 36500), required=True, help="Days since the last write."
)
@click.option("--tenant", help="Only one tenant's; without it, every tenant's.")
@click.pass_obj
def purge(
    environ: dict[str, str], file: Path | None, data: Path, *, is_sandbox: bool, days: int, tenant: str | None
) -> None:
    """Delete finished transactions from the journal.

    Never younger than the configured retention: ids must outlive every reversal window. The audit records
    the user of the operating system who did.
    """
    settings = settings_with_keys(environ, file=file, is_sandbox=is_sandbox, data=data)
    least = settings.journal.retention_days
    if days < least:
        raise CannotDo(f"--older-than {days} is less than journal.retention_days, which is {least}")
    from giftcard_gateway.cli.purge import purge_journal  # noqa: PLC0415 - the others need no journal

    purge_journal(settings, days, tenant)


@transactions.command("erase-numbers", short_help="Erase card numbers that were kept long enough.")
@settings_options
@click.pass_obj
def erase_numbers(environ: dict[str, str], file: Path | None, data: Path, *, is_sandbox: bool) -> None:
    """Erase the card numbers of everything that ended journal.card_number_retention_days ago.

    A gateway does so by itself with what was written since the setting is there; this reads everything, and
    is needed once for what is older. Broken off and begun again, it goes on. The audit records the user of
    the operating system who did.
    """
    settings = settings_with_keys(environ, file=file, is_sandbox=is_sandbox, data=data)
    if settings.journal.keeps_numbers is None:
        raise CannotDo("journal.card_number_retention_days is not set, so card numbers are kept")
    from giftcard_gateway.cli.erasing import erase_card_numbers  # noqa: PLC0415 - the others need no journal

    erase_card_numbers(settings, settings.journal.keeps_numbers)


@contextmanager
def _refusals() -> Iterator[None]:
    """Say a gateway's refusal in a sentence."""
    try:
        yield
    except GiftcardError as fault:
        raise CannotDo(str(fault)) from None
