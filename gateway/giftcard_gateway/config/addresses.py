"""Tells whether an address of another machine can be one: a scheme, a host that DNS could know, a port."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Container
from urllib.parse import urlsplit

_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
"""A part of a host's name. DNS has no underscore in it; names inside a Docker network do."""
_LONGEST_HOST = 253
_IN_NO_URL = re.compile(r"[\x00-\x20\x7f\\]")


def is_url(url: str, schemes: Container[str]) -> bool:
    """Tell whether a text is a URL of one of the schemes, and has no user, query or fragment."""
    if _IN_NO_URL.search(url):
        return False
    try:
        parts = urlsplit(url)
        is_plain = parts.username is None and not parts.query and not parts.fragment
        return parts.scheme in schemes and is_plain and is_host(parts.hostname or "") and parts.port != 0
    except ValueError:
        return False


def is_host(host: str) -> bool:
    """Tell whether a text is an IP address or could be a machine's name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return _is_name(host)
    return True


def _is_name(host: str) -> bool:
    try:
        labels = host.removesuffix(".").encode("idna").decode("ascii").split(".")
    except UnicodeError:
        return False
    # What ends in a number is an IPv4 address or a slip in one: no domain does.
    is_name = all(map(_LABEL.fullmatch, labels)) and not labels[-1].isdigit()
    return is_name and len(host) <= _LONGEST_HOST
