"""Which host of a PostgreSQL URL may be written: all are asked at once, and the first that may be is taken.

The driver asks one after the other within one time limit, so that a host that hangs, or that answers with
an error of its own, hides those behind it. What is done in the session is not here.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

import asyncpg

Session: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

_SCHEMES = {"postgres", "postgresql"}
_PROTECTED = {"require", "verify-ca", "verify-full"}
_UNPROTECTED = {"disable", "allow", "prefer"}
_LARGEST_PORT = 65535
_READ_ONLY = ("in_hot_standby", "default_transaction_read_only")
"""What PostgreSQL 14 and later tells of itself at once. A pooler may not: behind one a write finds out."""


async def connect(dsn: str | None = None, **options: Any) -> Session:  # noqa: ANN401 - the driver's own
    """Return a session with a writable server; raise what the driver raises when there is none.

    The signature is that of the driver's own `connect`, because its pool calls this one instead.
    """
    asked = [asyncio.create_task(_ask(each, options)) for each in each_host(dsn or "")]
    chosen: Session | None = None
    try:
        chosen = await _first(asked)
    finally:
        # Nothing is awaited here: whoever is cut short after the choice would leave its session open.
        for task in asked:
            task.cancel()
            task.add_done_callback(partial(_let_go, chosen))
    return chosen


def check_url(url: str) -> None:
    """Raise ValueError, without a piece of the URL, for one that the driver could not follow."""
    try:
        parts = [urlsplit(each) for each in each_host(url)]
        is_good = all(each.scheme in _SCHEMES and each.port != 0 and _can_be(each) for each in parts)
    except ValueError:
        is_good = False
    if not is_good:
        raise ValueError("must be postgresql:// with hosts and ports that can be, for a PostgreSQL journal")
    if not all(map(_names_a_database, parts)):
        raise ValueError("must name the database, as in postgresql://USER:PASSWORD@HOST/DATABASE")
    if not all(_is_protected(each) for each in parts):
        raise ValueError(
            "must end in ?sslmode=require, verify-ca or verify-full: its PostgreSQL is not on this machine"
        )


def _can_be(parts: SplitResult) -> bool:
    """Tell whether the driver understands what it is told beside hosts."""
    asked = dict(parse_qsl(parts.query))
    ports, mode = asked.get("port", "1").split(","), asked.get("sslmode", "disable")
    is_port = all(port.isdecimal() and 0 < int(port) <= _LARGEST_PORT for port in ports)
    return is_port and mode in _PROTECTED | _UNPROTECTED and " " not in parts.netloc.rpartition("@")[2]


def _names_a_database(parts: SplitResult) -> bool:
    """Tell whether it is said where to go; the driver would take the user's name, or a variable's value."""
    asked = dict(parse_qsl(parts.query))
    name = parts.path.removeprefix("/") or asked.get("dbname") or asked.get("database") or ""
    return bool(name) and "/" not in name


def _is_protected(parts: SplitResult) -> bool:
    """Tell whether nobody reads along between us and a host: by TLS, or because it is this machine."""
    asked = dict(parse_qsl(parts.query))
    host = asked.get("host") or parts.hostname or ""
    if asked.get("sslmode") in _PROTECTED or not host or host.startswith(("/", "@")):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def each_host(url: str) -> Sequence[str]:
    """Return a URL for each host of `url`, which may stand before the database's name or in `?host=`."""
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    if "," in hosts:
        return [parts._replace(netloc=f"{user}{at}{host}").geturl() for host in hosts.split(",")]
    asked = dict(parse_qsl(parts.query))
    named, ports = asked.get("host", "").split(","), asked.get("port", "").split(",")
    if len(named) == 1:
        return [url]
    # Of a name that is asked for twice the driver takes the last; one port may serve every host.
    ports = ports if len(ports) > 1 else ports * len(named)
    return [
        f"{url}&{urlencode({'host': host} | ({'port': port} if port else {}))}"
        for host, port in zip(named, ports, strict=True)
    ]


async def _ask(url: str, options: Mapping[str, Any]) -> Session:
    """Return a session with one host if it may be written; nothing is asked that could be cut short."""
    session: Session = await asyncpg.connect(url, **options)
    if any(getattr(session.get_settings(), name, "off") == "on" for name in _READ_ONLY):
        session.terminate()
        raise asyncpg.TargetServerAttributeNotMatched("the server may only be read")
    return session


async def _first(asked: Sequence[asyncio.Task[Session]]) -> Session:
    faults: list[Exception] = []
    for answer in asyncio.as_completed(asked):
        try:
            return await answer
        except Exception as fault:  # noqa: BLE001 - raised below, when no host is left
            faults.append(fault)
    # That a standby may not be written says less than why the others did not answer.
    raise next((one for one in faults if not _is_standby(one)), faults[0])


def _is_standby(fault: Exception) -> bool:
    return isinstance(fault, asyncpg.TargetServerAttributeNotMatched)


def _let_go(chosen: Session | None, asked: asyncio.Task[Session]) -> None:
    """End a session that is not the chosen one; a second host that may be written as well is not kept."""
    if not asked.cancelled() and asked.exception() is None and asked.result() is not chosen:
        asked.result().terminate()
