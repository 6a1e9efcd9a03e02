"""Checks what is said of each provider, as far as can be told without asking it.

Its adapter is opened on a wire that sends nothing, so that what only the adapter can judge, such as a
private key, is told before a start, and by the setting's name.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from giftcard_adapters.engine import Tls, trust
from giftcard_adapters.errors import SettingsError
from giftcard_adapters.stanza import find_adapter, must_open
from giftcard_gateway.config.addresses import is_url
from giftcard_gateway.config.secret_files import exposed
from giftcard_gateway.config.settings import Provider
from giftcard_gateway.config.sources import is_readable

_WAITING = 10
"""How many requests there may be for each connection: who is further back in the queue waits in vain."""


def faults(name: str, provider: Provider) -> Iterator[str]:
    """Give what is wrong with a provider, a sentence each."""
    path = f"providers.{name}"
    if is_url(provider.settings.base_url, {"http", "https"}):
        yield from (f"{path}.settings: {fault}" for fault in _adapter(provider))
    else:
        yield f"{path}.settings: base_url must be http:// or https://, a host, and no user, query or fragment"
    yield from (f"{path}.terms.{fault}" for fault in _terms(provider))
    yield from (f"{path}.tls.{fault}" for fault in _tls(provider.tls))


def no_authorities(file: str) -> str:
    """Return what is wrong with a file of authorities to trust; nothing if it is good."""
    if not is_readable(Path(file)):
        return "names a file that cannot be read"
    return "" if _is_trusted(Tls(ca_file=file)) else "holds no PEM of the kind"


def _adapter(provider: Provider) -> Iterator[str]:
    try:
        must_open(find_adapter(provider.adapter), provider.settings)
    except SettingsError as fault:
        yield from fault.faults


def _terms(provider: Provider) -> Iterator[str]:
    terms, connections = provider.terms, provider.limits.connections
    if terms.retry_cap_s < terms.retry_base_s:
        yield "retry_cap_s must not be below retry_base_s"
    if terms.max_in_flight > _WAITING * connections:
        yield (
            f"max_in_flight must be at most {_WAITING * connections}, {_WAITING} for each of"
            f" limits.connections ({connections}): what is further back in the queue waits in vain"
        )
    if terms.advice_concurrency > connections:
        yield (
            f"advice_concurrency must not be above limits.connections ({connections}):"
            " each confirmation and reversal needs one"
        )


def _tls(tls: Tls) -> Iterator[str]:
    if tls.key_file and not tls.certificate_file:
        yield "key_file needs certificate_file beside it"
    if tls.ca_file and (why := no_authorities(tls.ca_file)):
        yield f"ca_file {why}"
    own = {"certificate_file": tls.certificate_file, "key_file": tls.key_file}
    unread = [key for key, file in own.items() if file and not is_readable(Path(file))]
    yield from (f"{key} names a file that cannot be read" for key in unread)
    if not tls.certificate_file:
        return
    key = "key_file" if tls.key_file else "certificate_file"
    if why := exposed(Path(tls.key_file or tls.certificate_file)):
        yield f"{key} {why}"
    if not unread and not _is_trusted(Tls(certificate_file=tls.certificate_file, key_file=tls.key_file)):
        yield f"{key} holds no PEM of a key without a password that fits certificate_file"


def _is_trusted(tls: Tls) -> bool:
    """Tell whether OpenSSL can use the files."""
    try:
        trust(tls)
    except (OSError, ValueError):
        return False
    return True
