"""What one caller may take of a process at once and in a second, so that others do not miss it (rule 20).

Counted before a request is even decoded. Calls that end by themselves and streams that may last for hours
have places of their own; money has a rate of its own beside that of all calls.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from giftcard_gateway.access.buckets import Bucket, ByName
from giftcard_gateway.access.identities import caller_of
from giftcard_gateway.access.machines import counted_as
from giftcard_gateway.errors import Overloaded, RateLimited, used_up

if TYPE_CHECKING:
    from collections.abc import Iterator

    from giftcard_gateway.access.identities import Identity
    from giftcard_gateway.clock import Clock
    from giftcard_gateway.config.settings import Limits

_BURST_S = 2
"""A bucket holds what comes in so many seconds."""


class Share:
    """What one caller has taken."""

    __slots__ = ("_among", "calls", "inside", "money", "streams")

    def __init__(self, limits: Limits, clock: Clock, among: Shares) -> None:
        self._among = among
        self.inside = 0
        self.streams = 0
        self.calls = Bucket(clock, size=limits.calls_per_s * _BURST_S, every_s=1 / limits.calls_per_s)
        self.money = Bucket(clock, size=limits.money_per_s * _BURST_S, every_s=1 / limits.money_per_s)

    def leave(self, *, is_stream: bool) -> None:
        """Count one call as ended."""
        if is_stream:
            self.streams -= 1
            return
        self.inside -= 1
        self._among.callers -= not self.inside


class Shares:
    """The shares of all callers of one process."""

    def __init__(self, limits: Limits, clock: Clock) -> None:
        """Begin with nobody inside."""
        self._limits = limits
        self.callers = 0
        """How many callers have a call inside."""
        self._shares: ByName[str, Share] = ByName(
            lambda: Share(self._limits, clock, self),
            is_held=lambda share: bool(share.inside or share.streams),
        )

    def renew(self, limits: Limits) -> None:
        """Go by other limits from now on; what callers have taken stays taken."""
        self._limits = limits
        for share in self._shares:
            share.calls.resize(size=limits.calls_per_s * _BURST_S, every_s=1 / limits.calls_per_s)
            share.money.resize(size=limits.money_per_s * _BURST_S, every_s=1 / limits.money_per_s)

    def caller(self, identity: Identity, machine: str) -> str:
        """Return what limits count a call by, of an identity that comes from this machine."""
        return caller_of(identity, self.machine(machine))

    def machine(self, machine: str) -> str:
        """Return what limits count a machine as."""
        return counted_as(machine, self._limits.ipv6_prefix)

    @contextmanager
    def taken(self, caller: str, *, is_stream: bool = False, is_money: bool = False) -> Iterator[None]:
        """Surround one call of a caller; raises as `take` does."""
        share = self.take(caller, is_stream=is_stream, is_money=is_money)
        try:
            yield
        finally:
            share.leave(is_stream=is_stream)

    def take(self, caller: str, *, is_stream: bool, is_money: bool, to_share: int | None = None) -> Share:
        """Count one call of a caller, who must `leave` the share once.

        Raises RateLimited or as `demand` does, and then nothing was taken.
        """
        share = self.demand(caller, is_stream=is_stream, to_share=to_share)
        for bucket in (share.calls, share.money) if is_money else (share.calls,):
            if not bucket.take():
                refusal = used_up(RateLimited(), "calls_per_s" if bucket is share.calls else "money_per_s")
                refusal.retry_after_s = max(bucket.wait_s, 0.1)
                raise refusal
        if is_stream:
            share.streams += 1
        else:
            self.callers += not share.inside
            share.inside += 1
        return share

    def demand(self, caller: str, *, is_stream: bool, to_share: int | None = None) -> Share:
        """Return a caller's share; raise Overloaded when it has all it may have.

        Where all callers have but so many places `to_share`, each has an equal part of them.
        """
        share = self._shares.get(caller)
        if is_stream:
            if share.streams >= self._limits.streams:
                raise Overloaded(
                    f"You hold {share.streams} streams, which is all you may; end one first.", cause="caller"
                )
        elif share.inside >= self._limits.calls_in_flight:
            raise Overloaded(
                f"You have {share.inside} calls in flight, which is all you may; nothing was sent.",
                cause="caller",
            )
        elif to_share is not None and share.inside >= to_share // (self.callers + (not share.inside)):
            raise Overloaded(cause="share")
        return share
