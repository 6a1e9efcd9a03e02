"""Commands that read transactions of a running gateway: list, show, watch."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import click
from google.protobuf.timestamp_pb2 import Timestamp

from giftcard_gateway.access.metadata import EVERY_TENANT
from giftcard_gateway.cli.asking import as_json, client_of, for_tenant, read_pages, refusals
from giftcard_gateway.cli.filters import filter_of, filter_options
from giftcard_gateway.cli.showing import print_json, show_change, show_list, show_transaction

if TYPE_CHECKING:
    from datetime import datetime


@click.command("list")
@filter_options
@click.option(
    "--limit", type=click.IntRange(0), default=50, show_default=True, help="At most so many; 0 is all."
)
@for_tenant
@click.option("--all-tenants", "is_for_all", is_flag=True, help="Every tenant's; needs giftcard.tenants too.")
@as_json
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
    wanted = filter_of(given)
    is_for_all = is_for_all or tenant == EVERY_TENANT
    with client_of(asked, EVERY_TENANT if is_for_all else tenant) as client, refusals():
        found = read_pages(client, wanted, limit)
        if is_json:
            for one in found:
                print_json(one)
            return
        listed = list(found)
    show_list(listed, with_tenants=is_for_all)


@click.command()
@click.argument("transaction_id")
@for_tenant
@as_json
@click.pass_obj
def show(asked: dict[str, str], transaction_id: str, *, tenant: str, is_json: bool) -> None:
    """Show all that is known of one transaction."""
    with client_of(asked, tenant) as client, refusals():
        one = client.get_transaction(transaction_id=transaction_id)
    if is_json:
        print_json(one)
    else:
        show_transaction(one)


@click.command()
@filter_options
@click.option("--cursor", default="", help="Go on after the change with this cursor, which --json prints.")
@click.option("--from", "start", type=click.DateTime(), help="Begin with changes at this time, in UTC.")
@click.option("--limit", type=click.IntRange(0), default=0, help="End after so many changes; 0 goes on.")
@for_tenant
@click.option("--json", "is_json", is_flag=True, help="Print JSON, a line for each change.")
@click.pass_obj
def watch(
    asked: dict[str, str],
    /,
    cursor: str,
    start: datetime | None,
    limit: int,
    *,
    tenant: str,
    is_json: bool,
    **given: Any,  # noqa: ANN401 - click's values
) -> None:
    """Follow changes of state as they are written down, until Ctrl-C.

    Without --cursor and --from it begins with the next change. After an outage it goes on by itself where it
    was; the last change may come twice.
    """
    if cursor and start:
        raise click.UsageError("--cursor and --from both say where to begin: give one of the two.")
    begin: dict[str, Any] = {"cursor": cursor} if cursor else {}
    if start is not None:
        begin["start_time"] = Timestamp()
        begin["start_time"].FromDatetime(start)
    wanted = filter_of(given)
    with client_of(asked, tenant) as client, refusals():
        for told in islice(client.watch(filter=wanted, **begin), limit or None):
            if is_json:
                print_json(told)
            else:
                show_change(told)
