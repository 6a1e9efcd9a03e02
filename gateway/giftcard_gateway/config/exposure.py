"""Checks what is open: a port that others reach needs TLS and callers who sign in, or `insecure = true`.

`faults` are what keeps a gateway from starting, `warnings` what is said at every start.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from giftcard_gateway.config.access import Issuer
from giftcard_gateway.config.addresses import is_url
from giftcard_gateway.config.connections import no_authorities
from giftcard_gateway.config.secret_files import exposed_keys, keys_in
from giftcard_gateway.config.settings import Settings
from giftcard_gateway.config.sources import is_readable
from giftcard_gateway.config.tls import ChainUnusable, ListenerTls, read_chain


def is_loopback(address: str) -> bool:
    """Tell whether host:port, or a host alone, is reached from this machine only."""
    host = ""
    try:
        host = urlsplit(f"//{address}").hostname or ""
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def faults(settings: Settings) -> Iterator[str]:
    """Give what keeps a gateway from starting, a sentence each."""
    yield from _files("server", settings.server.tls)
    yield from _files("webhooks", settings.webhooks.tls)
    yield from _files("console", settings.console.tls)
    yield from _access(settings)
    for path, lacking in _open(settings):
        is_allowed = settings.server.insecure if path == "server" else settings.webhooks.insecure
        if not is_allowed:
            yield (
                f"{path}.listen is not loopback and has {' and '.join(lacking)}: set {_cure(path, lacking)},"
                f" or {path}.insecure = true to serve without"
            )


def warnings(settings: Settings) -> Iterator[str]:
    """Give what is open because the operator said so, a sentence each."""
    for path, lacking in _open(settings):
        address = settings.server.listen if path == "server" else settings.webhooks.listen
        yield f"{path}.insecure = true: {address} is open to the network with {' and '.join(lacking)}"


def _open(settings: Settings) -> Iterator[tuple[str, list[str]]]:
    """Give each listener that others reach, and what it lacks."""
    server, webhooks = settings.server, settings.webhooks
    lacking = [*([] if server.tls else ["no TLS"]), *([] if settings.access.is_on else ["nobody signs in"])]
    if not is_loopback(server.listen) and lacking:
        yield "server", lacking
    # Who brings an event signs it in their provider's way.
    if webhooks.listen and not is_loopback(webhooks.listen) and not webhooks.tls:
        yield "webhooks", ["no TLS"]


def _cure(path: str, lacking: list[str]) -> str:
    cures = {"no TLS": f"{path}.tls", "nobody signs in": "access"}
    return " and ".join(cures[one] for one in lacking)


def _files(path: str, tls: ListenerTls | None) -> Iterator[str]:
    if tls is not None:
        try:
            read_chain(tls)
        except ChainUnusable as unusable:
            yield from (f"{path}.tls.{key} {fault}" for key, fault in unusable.faults.items())


def _access(settings: Settings) -> Iterator[str]:
    access, tls = settings.access, settings.server.tls
    for name, issuer in access.issuers.items():
        yield from (f"access.issuers.{name}.{fault}" for fault in _issuer(issuer))
    issuers = [issuer.issuer for issuer in access.issuers.values()]
    yield from (
        f"access.issuers has two for {one}"
        for one in sorted({one for one in issuers if issuers.count(one) > 1})
    )
    if access.second_person and not access.is_on:
        yield "access.second_person needs callers who sign in: without, nobody is told from anybody else"
    if access.certificates and not (tls and tls.client_ca_file):
        yield "access.certificates needs server.tls.client_ca_file: without it nobody shows a certificate"
    for name, grant in access.certificates.items():
        unknown = sorted(set(grant.providers) - settings.providers.keys())
        if unknown:
            yield f"access.certificates.{name}.providers names no provider: {', '.join(unknown)}"


def _issuer(issuer: Issuer) -> Iterator[str]:
    if (issuer.jwks_file is None) == (issuer.jwks_url is None):
        yield "jwks_file or jwks_url must be given, and not both"
    if issuer.jwks_file and (why := _no_keys(Path(issuer.jwks_file))):
        yield f"jwks_file {why}"
    if issuer.ca_file and (why := no_authorities(issuer.ca_file)):
        yield f"ca_file {why}"
    if issuer.jwks_url is not None and not _is_safe(issuer.jwks_url):
        yield "jwks_url must be https://, or http:// on loopback: who changes keys on their way signs in"
    if not issuer.algorithms:
        yield "algorithms must name one at least"


def _no_keys(path: Path) -> str:
    """Return what is wrong with a file of JSON Web Keys; nothing if it is good."""
    if not is_readable(path):
        return "names a file that cannot be read"
    return exposed_keys(path) if keys_in(path) else "holds no JSON Web Keys"


def _is_safe(url: str) -> bool:
    if is_url(url, {"https"}):
        return True
    return is_url(url, {"http"}) and is_loopback(urlsplit(url).netloc)
