"""Which pins an advisory is out for, by the vendored `advisories.json`; works without a network.

The file says of what day it is and whether it is a whole database of our packages or single records.
`make advisories` writes it anew. It keeps facts alone: ids, packages, versions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

import msgspec
from packaging.version import InvalidVersion, Version

from deploy.audit.pins import ROOT, Pin
from deploy.audit.policy import Policy

PATH = "deploy/audit/advisories.json"


class Range(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Versions from `introduced` on: up to `fixed`, which is free of it, to `last`, which is not, or all."""

    introduced: str = "0"
    fixed: str | None = None
    last: str | None = None

    def holds(self, version: Version) -> bool:
        """Tell whether a version lies in it; a bound that no one can read leaves nobody out."""
        try:
            return (
                version >= Version(self.introduced)
                and (self.fixed is None or version < Version(self.fixed))
                and (self.last is None or version <= Version(self.last))
            )
        except InvalidVersion:
            return True


class Advisory(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One fault of one package. `versions` are single ones, where no range tells."""

    id: str
    package: str
    source: str
    aliases: list[str] = []
    ranges: list[Range] = []
    versions: list[str] = []

    @property
    def names(self) -> frozenset[str]:
        """Everything it is called."""
        return frozenset({self.id, *self.aliases})

    def touches(self, pin: Pin) -> bool:
        """Tell whether it is out for this very version."""
        version = Version(pin.version)
        return self.package == pin.name and (
            pin.version in self.versions or any(each.holds(version) for each in self.ranges)
        )


class Advisories(msgspec.Struct, forbid_unknown_fields=True):
    """What is known: of which day, from where, and of which packages everything was known that day."""

    day: date
    source: str
    whole: bool
    packages: list[str]
    advisories: list[Advisory]


def vendored() -> Advisories:
    """Read the vendored file; raise msgspec.DecodeError when it is none of ours."""
    return msgspec.json.decode((ROOT / PATH).read_bytes(), type=Advisories)


def faults(pins: Iterable[Pin], known: Advisories, policy: Policy, today: date) -> Iterator[str]:
    """Give a sentence for each pin that an advisory touches, and for each accepted one that is over."""
    needed = set()
    for pin in pins:
        for advisory in known.advisories:
            if not advisory.touches(pin):
                continue
            accepted = [
                one for one in policy.accepted if one.package == pin.name and one.id in advisory.names
            ]
            needed |= {one.id for one in accepted}
            if not any(one.until >= today for one in accepted):
                yield sentence(pin, advisory, over=bool(accepted))
    for one in policy.accepted:
        if one.id not in needed:
            yield f"{one.id} is accepted for {one.package} and touches no pin: take it out"


def sentence(pin: Pin, advisory: Advisory, *, over: bool) -> str:
    """Say what is wrong and what mends it."""
    fixed = sorted({each.fixed for each in advisory.ranges if each.fixed}, key=Version)
    mends = f"fixed in {', '.join(fixed)}" if fixed else "no version is free of it"
    ended = "; it was accepted until a day that is over" if over else ""
    return f"{pin.name} {pin.version}: {', '.join(sorted(advisory.names))}; {mends}{ended}"


def doubts(pins: Iterable[Pin], known: Advisories, policy: Policy, today: date) -> Iterator[str]:
    """Give a sentence for each reason why silence proves less than it seems to."""
    age = (today - known.day).days
    if age > policy.old_after_days:
        yield f"the advisories are {age} days old: make advisories"
    if not known.whole:
        yield "the advisories are single records and no whole database: make advisories"
    elif unknown := sorted({pin.name for pin in pins} - set(known.packages)):
        yield f"nobody has asked for advisories of {', '.join(unknown)}: make advisories"
