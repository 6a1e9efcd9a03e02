"""Makes the connection to a provider that its stanza of the configuration describes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from giftcard_adapters.stanza import find_adapter, open_provider
from giftcard_adapters.transport import open_transport
from giftcard_gateway.providers.connections import Connection

if TYPE_CHECKING:
    from giftcard_gateway.clock import Clock
    from giftcard_gateway.config.settings import Provider
    from giftcard_gateway.telemetry import Telemetry


class Described(NamedTuple):
    """All that a connection is made from: its stanza, and what is in the certificate files it names."""

    stanza: Provider
    files: tuple[bytes, ...]


def described(stanza: Provider) -> Described:
    """Return what a connection is made from now; raise OSError when a file cannot be read."""
    tls = stanza.tls
    named = (file for file in (tls.ca_file, tls.certificate_file, tls.key_file) if file)
    return Described(stanza, tuple(hashlib.sha256(Path(file).read_bytes()).digest() for file in named))


def connect(provider_id: str, stanza: Provider, clock: Clock, telemetry: Telemetry) -> Connection:
    """Return a connection on which nothing was sent yet; raise OSError when a file of TLS cannot be used."""
    transport = open_transport(stanza.engine, limits=stanza.limits, tls=stanza.tls)
    provider = open_provider(
        find_adapter(stanza.adapter),
        stanza.settings,
        transport=telemetry.traced(transport, provider_id),
        moment=clock.moment,
    )
    return Connection(
        provider_id, provider, stanza.terms, clock, is_enabled=stanza.enabled, tenant=stanza.tenant
    )
