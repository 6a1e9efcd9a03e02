"""How commands ask a running gateway: the client, what they may read, and a refusal in a sentence."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from giftcard import Client, GiftcardError, tls_credentials, v1
from giftcard.channels import is_loopback
from giftcard_gateway.access.metadata import PERSON, TENANT
from giftcard_gateway.cli.faults import CannotDo
from giftcard_gateway.cli.person import person

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST_PAGE = 500

for_tenant = click.option(
    "--tenant",
    default="",
    help="Act for this tenant instead of your own; takes the scope giftcard.tenants.",
)
as_json = click.option("--json", "is_json", is_flag=True, help="Print JSON, a line for each transaction.")


def _token_in(file: Path) -> str:
    """Return the token in a file; raise CannotDo where there is none that a header can carry."""
    token = file.read_bytes().strip()
    if not re.fullmatch(rb"[!-~]+", token):
        raise CannotDo(f"{file} holds no token: it must be one line of ASCII without spaces")
    return token.decode("ascii")


def client_of(asked: dict[str, str], tenant: str = "") -> Client:
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


def read_pages(client: Client, wanted: v1.TransactionFilter, limit: int) -> Iterator[v1.Transaction]:
    """Give what the filter takes, at most `limit` of them, or all for 0.

    It reads page by page: a page may be short, or empty, and not be the last.
    """
    token, left = "", limit
    while True:
        size = min(left or LARGEST_PAGE, LARGEST_PAGE)
        page = client.list_transactions(filter=wanted, page_size=size, page_token=token)
        yield from page.transactions
        if limit and (left := left - len(page.transactions)) <= 0:
            return
        if not (token := page.next_page_token):
            return


@contextmanager
def refusals() -> Iterator[None]:
    """Say a gateway's refusal in a sentence."""
    try:
        yield
    except GiftcardError as fault:
        raise CannotDo(str(fault)) from None
