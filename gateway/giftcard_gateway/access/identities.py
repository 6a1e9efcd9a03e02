"""Who calls, and what they may see.

Nobody signs in yet: a caller is known by the machine they call from, and what callers may see is one
decision for all. Names, scopes and tenants will be decided here and nowhere else.
"""

from __future__ import annotations

import msgspec


class Caller(msgspec.Struct, frozen=True):
    """One caller; `name` tells callers apart in limits and may be logged."""

    name: str
    may_see_issued_cards: bool


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """What callers may do."""

    may_see_issued_cards: bool = True
    """Whether the answer to Issue shows numbers, PINs, keys and URLs of the new cards."""

    def caller(self, peer: str) -> Caller:
        """Return who calls from `peer`, in gRPC's form such as `ipv4:10.0.0.7:51234`."""
        return Caller(name=machine_of(peer), may_see_issued_cards=self.may_see_issued_cards)


def machine_of(peer: str) -> str:
    """Return a peer without its port, which changes with every connection."""
    kind, _, address = peer.partition(":")
    return address.rpartition(":")[0] if kind in {"ipv4", "ipv6"} else peer
