"""What an operator decides about the wire to a provider: the HTTP engine, its limits, its certificates.

Loads no HTTP library, so that settings can be read without one. The wire itself is `transport`.
"""

from __future__ import annotations

import ssl
from typing import Literal

import msgspec

from giftcard_adapters.bounds import Places, WaitSeconds

Engine = Literal["own", "httpx"]
"""Who speaks HTTP/1.1 underneath: our own is quick; httpx opens a connection for every exchange."""


class PoolLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many exchanges run at once, and how long an idle connection is kept, in seconds.

    `keepalive_s` should be shorter than the provider's own, so that we are the one who hangs up.
    """

    connections: Places = 100
    keepalive_s: WaitSeconds = 15.0


class Tls(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """PEM files: authorities to trust instead of the system's; a certificate to show, and its key."""

    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None


def trust(tls: Tls) -> ssl.SSLContext:
    """Return how to know a provider, and how to be known.

    Raises OSError (ssl.SSLError is one) when a TLS file cannot be read.
    """
    context = ssl.create_default_context(cafile=tls.ca_file)
    context.set_alpn_protocols(["http/1.1"])
    if tls.certificate_file:
        # Without it OpenSSL would ask a person at the terminal for the password of a key that has one.
        context.load_cert_chain(tls.certificate_file, tls.key_file, password=str)
    return context
