"""Tries what the settings lead to, and changes nothing: every provider, every issuer's keys, the journal.

A machine is tried by a connection, with TLS where its URL says so, and is sent nothing: which of its calls
would be harmless, each provider says otherwise, and what it thinks of our credentials the first call shows.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from giftcard_adapters.engine import Tls, trust
from giftcard_gateway.errors import OperatorError
from giftcard_gateway.journal.stores import open_journal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from giftcard_gateway.config import Settings
    from giftcard_gateway.journal.settings import JournalSettings

_LONGEST_S = 10.0
"""For one machine; a person waits, and who takes longer than this serves no till."""
_PORTS = {"https": 443, "http": 80}


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one thing that was tried: `told` is what works or, if it does not, why not."""

    setting: str
    works: bool
    told: str


async def trials(settings: Settings) -> AsyncIterator[Trial]:
    """Try everything at once, and give what came of each in the order of the settings."""
    asked = [asyncio.create_task(one) for one in _all(settings)]
    for task in asked:
        yield await task


def _all(settings: Settings) -> list[Coroutine[object, object, Trial]]:
    providers = [
        _machine(f"providers.{name}", one.settings.base_url, one.tls)
        for name, one in settings.providers.items()
    ]
    issuers = [
        _machine(f"access.issuers.{name}", issuer.jwks_url, Tls(ca_file=issuer.ca_file))
        for name, issuer in settings.access.issuers.items()
        if issuer.jwks_url is not None
    ]
    others = {f"cells.{name}": cell for name, cell in settings.cells.items() if name != settings.server.cell}
    journals = {"journal": settings.journal, **others}
    return [*(_journal(setting, cell) for setting, cell in journals.items()), *issuers, *providers]


async def _journal(setting: str, settings: JournalSettings) -> Trial:
    journal = open_journal(settings)
    try:
        state = await journal.schema()
        if state.sql:
            told = f"has schema {state.found or 'none'}, this version needs {state.known}: run migrate"
            return Trial(setting=setting, works=False, told=told)
        if journal.is_shared:
            await journal.start()
            try:
                await journal.check()
            finally:
                await journal.close()
    except OperatorError as fault:
        return Trial(setting=setting, works=False, told=str(fault))
    # Who writes a journal of one process holds it: it is not tried, because a gateway may be serving.
    done = "can be read and written" if journal.is_shared else "can be read"
    return Trial(setting=setting, works=True, told=f"{done}, schema {state.found}")


async def _machine(setting: str, url: str, tls: Tls) -> Trial:
    parts = urlsplit(url)
    port = parts.port or _PORTS[parts.scheme]
    place = parts.netloc if parts.port else f"{parts.netloc}:{port}"
    began_s = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(_LONGEST_S):
            spoken = await _connected(
                parts.hostname or "", port, trust(tls) if parts.scheme == "https" else None
            )
    except (OSError, TimeoutError, UnicodeError) as fault:
        return Trial(setting=setting, works=False, told=f"{place} {_why(fault)}")
    took_ms = (asyncio.get_running_loop().time() - began_s) * 1000
    return Trial(
        setting=setting, works=True, told=f"{place} takes connections, {spoken}, in {took_ms:.0f} ms"
    )


async def _connected(host: str, port: int, context: ssl.SSLContext | None) -> str:
    """Connect, hang up, and return what was spoken."""
    _, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        wire: ssl.SSLObject | None = writer.get_extra_info("ssl_object")
        return str(wire.version()) if wire is not None else "without TLS"
    finally:
        writer.transport.abort()


def _why(fault: Exception) -> str:
    match fault:
        case ssl.SSLCertVerificationError():
            return f"shows a certificate that is not trusted: {fault.verify_message}"
        case ssl.SSLError():
            return f"does not agree on TLS with us: {(fault.reason or 'no reason').replace('_', ' ').lower()}"
        case TimeoutError():
            return f"did not answer within {_LONGEST_S:g} s"
        case socket.gaierror() | UnicodeError():
            return "has a name that nobody knows"
        case _:
            return f"takes no connection: {_reason(fault)}"


def _reason(fault: Exception) -> str:
    number = fault.errno if isinstance(fault, OSError) else None
    return os.strerror(number).lower() if number else type(fault).__name__
