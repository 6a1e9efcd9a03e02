"""Where a call comes from: the machine, and what limits count it as.

Who has an IPv6 address usually has the whole network it is in, 2^64 addresses of it, so a budget for each of
them would be none.

Behind a proxy every call comes from the proxy. Of those that an operator trusts, and of no other, we believe
whom they say they speak for: each appends to `x-forwarded-for` the machine it was called by, so the list is
read from its end, and what a caller wrote into it himself stands before that and counts for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import unquote

_FORWARDED_FOR = "x-forwarded-for"
_REMEMBERED = 4096
"""Peers and machines read once: to read an address costs more than the rest of the limits together."""


@lru_cache(_REMEMBERED)
def machine_of(peer: str) -> str:
    """Return a peer, such as `ipv4:10.0.0.7:51234`, without its port, which changes with every connection."""
    kind, _, address = peer.partition(":")
    if kind not in {"ipv4", "ipv6"}:
        return peer
    return unquote(address.rpartition(":")[0]).strip("[]")


class Machines:
    """Tells where calls come from, with the networks of the proxies in front that are believed."""

    def __init__(self, trusted_proxies: Iterable[str] = ()) -> None:
        """Take networks such as `10.0.0.0/24`; raises ValueError for what is none."""
        self._trusted = [ip_network(network) for network in trusted_proxies]

    def of(self, peer: str, metadata: Iterable[tuple[str, str | bytes]]) -> str:
        """Return the machine that a call comes from: the nearest one on its way that is no trusted proxy."""
        machine = machine_of(peer)
        if not self._trusted:
            return machine
        said = ",".join(str(value) for key, value in metadata if key == _FORWARDED_FOR)
        hops = [hop.strip() for hop in said.split(",")] if said else []
        while hops and self._is_trusted(machine):
            try:
                machine = str(_address(hops.pop()))
            except ValueError:
                # Who called the proxy cannot be told, so the proxy answers for them.
                break
        return machine

    def _is_trusted(self, machine: str) -> bool:
        try:
            address = _address(machine)
        except ValueError:
            return False
        return any(address in network for network in self._trusted)


def _address(text: str) -> IPv4Address | IPv6Address:
    """Return an address, an IPv4 one as such however it is written; raises ValueError."""
    address = ip_address(text)
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


@lru_cache(_REMEMBERED)
def counted_as(machine: str, ipv6_prefix: int) -> str:
    """Return what limits count a machine as: an IPv6 address as its network of so many bits."""
    try:
        address = _address(machine)
    except ValueError:
        return machine
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((int(address), ipv6_prefix), strict=False))
