"""Where a call comes from: the machine, and what limits count it as.

Who has an IPv6 address usually has the whole network it is in, 2^64 addresses of it, so a budget for each of
them would be none.
"""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network, ip_address
from urllib.parse import unquote


def machine_of(peer: str) -> str:
    """Return a peer, such as `ipv4:10.0.0.7:51234`, without its port, which changes with every connection."""
    kind, _, address = peer.partition(":")
    if kind not in {"ipv4", "ipv6"}:
        return peer
    return unquote(address.rpartition(":")[0]).strip("[]")


def counted_as(machine: str, ipv6_prefix: int) -> str:
    """Return what limits count a machine as: an IPv6 address as its network of so many bits."""
    try:
        address = ip_address(machine)
    except ValueError:
        return machine
    if not isinstance(address, IPv6Address):
        return machine
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Network((int(address), ipv6_prefix), strict=False))
