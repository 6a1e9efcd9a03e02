"""How a channel to the gateway is made: where to, how protected, with which options.

The service config is the contract's own, `protos/grpc_service_config.json`, shipped with the package.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.metadata import version
from importlib.resources import files

import grpc
from grpc import aio

_OPTIONS = {
    # The gateway takes pings every 10 s; half a minute outlives the idle limits of the usual balancers.
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 10_000,
    # A gateway that restarts is back in seconds: look for it sooner than gRPC's default of up to two minutes.
    "grpc.initial_reconnect_backoff_ms": 200,
    "grpc.max_reconnect_backoff_ms": 5_000,
}

Option = tuple[str, str | int]
_SERVICE_CONFIG = files("giftcard").joinpath("grpc_service_config.json").read_text("utf-8")

CHANNEL_OPTIONS: tuple[Option, ...] = (
    *_OPTIONS.items(),
    ("grpc.service_config", _SERVICE_CONFIG),
    ("grpc.primary_user_agent", f"giftcard-python/{version('giftcard-client')}"),
)
"""The options of the client's channels: service config, keepalive, reconnecting and the client's name.

Give them to a channel of your own: gRPC takes options only when a channel is made.
"""


def merged(options: Iterable[Option]) -> list[Option]:
    """Return the client's options with a caller's own, which win."""
    return list({**dict(CHANNEL_OPTIONS), **dict(options)}.items())


@cache
def timeout_of(call: str) -> float | None:
    """Return the timeout the service config gives a call, in seconds: it holds on every channel."""
    for entry in json.loads(_SERVICE_CONFIG)["methodConfig"]:
        if "timeout" in entry and call in {name["method"] for name in entry["name"]}:
            return float(entry["timeout"].removesuffix("s"))
    return None


def tls_credentials(
    authorities: bytes | None = None, *, certificate: bytes | None = None, key: bytes | None = None
) -> grpc.ChannelCredentials:
    """Return what protects a channel: PEM authorities to trust, and a certificate of yours with its key."""
    return grpc.ssl_channel_credentials(authorities, private_key=key, certificate_chain=certificate)


def open_channel(
    target: str,
    credentials: grpc.ChannelCredentials | None,
    *,
    plaintext: bool,
    options: Iterable[Option] = (),
) -> grpc.Channel:
    """Open a channel: over TLS, trusting the usual authorities unless credentials say otherwise, or plain."""
    _refuse_both(credentials, plaintext=plaintext)
    if plaintext:
        return grpc.insecure_channel(target, options=merged(options))
    return grpc.secure_channel(target, credentials or grpc.ssl_channel_credentials(), options=merged(options))


def open_async_channel(
    target: str,
    credentials: grpc.ChannelCredentials | None,
    *,
    plaintext: bool,
    options: Iterable[Option] = (),
    interceptors: Sequence[aio.ClientInterceptor] = (),
) -> aio.Channel:
    """Open the same channel for asyncio."""
    _refuse_both(credentials, plaintext=plaintext)
    if plaintext:
        return aio.insecure_channel(target, options=merged(options), interceptors=interceptors)
    return aio.secure_channel(
        target,
        credentials or grpc.ssl_channel_credentials(),
        options=merged(options),
        interceptors=interceptors,
    )


def refuse_for_own(**given: object) -> None:
    """Raise TypeError if a channel of the caller's own comes with what only a new channel can take."""
    wrong = [name for name, value in given.items() if value]
    if wrong:
        raise TypeError(
            f"{' and '.join(wrong)}: only for a channel the client makes. Make yours with them,"
            " and with giftcard.CHANNEL_OPTIONS."
        )


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
