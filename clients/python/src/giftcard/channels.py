"""How a channel to the gateway is made: where to, how protected, with which options.

The service config is the contract's own, `protos/grpc_service_config.json`, shipped with the package.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from importlib.metadata import version
from importlib.resources import files

import grpc
from grpc import aio

from giftcard.scripts import Metadata

_OPTIONS = {
    # The gateway takes pings every 10 s; half a minute outlives the idle limits of the usual balancers.
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 10_000,
    # A gateway that restarts is back in seconds: look for it sooner than gRPC's default of up to two minutes.
    "grpc.initial_reconnect_backoff_ms": 200,
    "grpc.max_reconnect_backoff_ms": 5_000,
}

Options = list[tuple[str, str | int]]
Token = str | Callable[[], str]
"""A bearer token or an API key, or what returns a fresh one before every attempt."""
Source = Callable[[], Metadata]


def channel_options() -> Options:
    """Return the options of a channel: service config, keepalive, reconnecting and the client's name."""
    return [
        *_OPTIONS.items(),
        ("grpc.service_config", files("giftcard").joinpath("grpc_service_config.json").read_text("utf-8")),
        ("grpc.primary_user_agent", f"giftcard-python/{version('giftcard-client')}"),
    ]


def tls_credentials(
    authorities: bytes | None = None, *, certificate: bytes | None = None, key: bytes | None = None
) -> grpc.ChannelCredentials:
    """Return what protects a channel: PEM authorities to trust, and a certificate of yours with its key."""
    return grpc.ssl_channel_credentials(authorities, private_key=key, certificate_chain=certificate)


def open_channel(
    target: str, credentials: grpc.ChannelCredentials | None, *, plaintext: bool
) -> grpc.Channel:
    """Open a channel: over TLS, trusting the usual authorities unless credentials say otherwise, or plain."""
    _refuse_both(credentials, plaintext=plaintext)
    if plaintext:
        return grpc.insecure_channel(target, options=channel_options())
    return grpc.secure_channel(
        target, credentials or grpc.ssl_channel_credentials(), options=channel_options()
    )


def open_async_channel(
    target: str, credentials: grpc.ChannelCredentials | None, *, plaintext: bool
) -> aio.Channel:
    """Open the same channel for asyncio."""
    _refuse_both(credentials, plaintext=plaintext)
    if plaintext:
        return aio.insecure_channel(target, options=channel_options())
    return aio.secure_channel(
        target, credentials or grpc.ssl_channel_credentials(), options=channel_options()
    )


def with_token(target: object, token: Token | None, metadata: Source, *, plaintext: bool) -> Source:
    """Return what sends a token or API key beside `metadata`; raise ValueError if others could read it.

    A channel of the caller's own is theirs to protect.
    """
    if token is None:
        return metadata
    if plaintext and isinstance(target, str) and not is_loopback(target):
        raise ValueError("A token on a plaintext channel can be read by everybody on its way: use TLS.")

    def send() -> Metadata:
        shown = token if isinstance(token, str) else token()
        return (*metadata(), ("authorization", f"Bearer {shown}"))

    return send


def is_loopback(target: str) -> bool:
    """Tell whether host:port is on this machine, so that nobody reads along."""
    host = target.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _refuse_both(credentials: grpc.ChannelCredentials | None, *, plaintext: bool) -> None:
    """Raise TypeError if a channel is to be protected and not protected."""
    if plaintext and credentials is not None:
        raise TypeError("Credentials protect a channel, plaintext leaves it open: say one of them.")
