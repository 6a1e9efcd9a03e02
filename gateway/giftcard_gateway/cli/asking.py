"""How commands ask a running gateway: the client, what they may read, and a refusal in a sentence."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from giftcard import Client, GiftcardError, tls_credentials, v1
from giftcard.channels import is_loopback
from giftcard_gateway.access.metadata import EVERY_TENANT, PERSON, TENANT
from giftcard_gateway.cli.faults import CannotDo
from giftcard_gateway.cli.person import person

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST_PAGE = 500
_ADDRESS = re.compile(r"(dns:///)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):\d{1,5}|unix:.+")
"""A host and a port; gRPC's names for the two, and for a socket, are let through."""
_OPTIONS = {
    "call a sandbox on loopback with plaintext=True": "call a sandbox on loopback without --ca",
    "credentials=tls_credentials(...) with its authority": "--ca with its authority",
    "a gateway that speaks TLS closes plaintext=True": "a gateway that speaks TLS needs --ca here",
    "give tls_credentials(certificate=..., key=...)": "commands show none, so ask one that takes API keys",
}
"""What the client calls its arguments, and what they are called here."""
_NAME = re.compile(r"[!-~]{1,128}")
"""What a header can carry; which names there are, the gateway says."""

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


def _authority_in(file: Path) -> bytes:
    """Return the authority in a file; raise CannotDo where there is none."""
    authority = file.read_bytes()
    if b"-----BEGIN CERTIFICATE-----" not in authority:
        raise CannotDo(f"{file} holds no certificate in PEM")
    return authority


def client_of(asked: dict[str, str], tenant: str = "") -> Client:
    """Return a client that acts for a tenant, its own if none is named, and says who typed the command.

    It speaks plain text on loopback, as a sandbox does, unless an authority is named.
    """
    if not _ADDRESS.fullmatch(asked["address"]):
        raise CannotDo("--address must be a host and a port, such as 127.0.0.1:50051")
    if tenant and tenant != EVERY_TENANT and not _NAME.fullmatch(tenant):
        raise CannotDo("--tenant must be a tenant's name, or * for all")
    is_plain = is_loopback(asked["address"]) and not asked["ca"]
    authority = _authority_in(Path(asked["ca"])) if asked["ca"] else None
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
        raise CannotDo(in_options(str(fault))) from None


def in_options(sentence: str) -> str:
    """Return what the client says of a connection in the words of the command line."""
    for of_client, of_command in _OPTIONS.items():
        sentence = sentence.replace(of_client, of_command)
    return sentence
