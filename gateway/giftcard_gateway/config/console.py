"""Checks [console]: who may reach the page, how they sign in, and that its addresses are addresses."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from giftcard_gateway.config.exposure import is_loopback
from giftcard_gateway.config.settings import Console, Settings

TRACE_ID = "{trace_id}"


def faults(settings: Settings) -> Iterator[str]:
    """Give what is wrong with the console, a sentence each; nothing of one that is off."""
    console = settings.console
    if console.origin and not _is_origin(console.origin):
        yield "console.origin must be https:// and a host, or http:// on loopback, and nothing behind it"
    if console.trace_url and not _is_template(console.trace_url):
        yield f"console.trace_url must be http:// or https:// with one {TRACE_ID} behind the host"
    if console.session_s < console.idle_s:
        yield "console.session_s must not be below console.idle_s"
    if console.listen is None:
        return
    yield from _sign_in(settings, console)
    if not (is_loopback(console.listen) or console.tls or console.origin):
        yield (
            "console.listen is not loopback and has no TLS: set console.tls, or console.origin to the address"
            " of a proxy that ends it"
        )
    if settings.server.workers > 1:
        yield (
            "console.listen needs server.workers = 1, because one process knows who signed in: start another"
            " gateway for it, on the same journal"
        )


def _sign_in(settings: Settings, console: Console) -> Iterator[str]:
    access = settings.access
    is_open = not is_loopback(console.listen or "") or bool(
        console.origin and not is_loopback(urlsplit(console.origin).netloc)
    )
    if is_open and not access.is_on:
        yield "console.listen is reached from elsewhere, and nobody signs in: set access"
    elif access.is_on and not access.takes_credentials:
        yield (
            "console.listen needs access.api_keys or access.issuers: nobody signs in to it by a certificate"
        )


def _is_origin(text: str) -> bool:
    try:
        parts = urlsplit(text)
        is_whole = f"{parts.scheme}://{parts.netloc}" == text and parts.username is None and parts.port != 0
    except ValueError:
        return False
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.netloc))
    return is_whole and is_safe and bool(parts.hostname)


def _is_template(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    behind = text.removeprefix(f"{parts.scheme}://{parts.netloc}")
    is_filled = behind.count(TRACE_ID) == 1 and not set("{}") & set(text.replace(TRACE_ID, ""))
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and is_filled
