"""What becomes of one field at a provider: found out by sending values that differ in that field alone.

A field reaches the provider when it changes the bytes of a request, and of a read also when it
changes the answer. Which fields there are is found in `leaves`, what is demanded in `completeness`.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from enum import Enum
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from giftcard_adapters.errors import Invalid, Unsupported
from giftcard_conformance.leaves import WAYS_TO_NAME, Fitting, Path, changed

_SMALL_WORDS = frozenset({"", "by", "id", "is", "with"})
_ENOUGH = 3
"""Values that leave no trace, until a field counts as dropped."""
_THEIR_WORDS = (
    ("number.pan", "number"),
    ("number.expiry", "expiry"),
    ("number.clear_pin", "pin.clear"),
    ("number.encrypted_pin", "pin.encrypted"),
    ("number.hashed_pin", "pin.hashed"),
    (".currency_code", ".currency"),
    ("expire_date", "expires_on"),
)
"""Where a refusal may name a field as the contract does, and what our structs call it."""

Look = Callable[[Any], Awaitable["Seen"]]
"""Asks for one value and returns what was seen of it; raises Invalid or Unsupported for a refusal."""


class Seen(msgspec.Struct, frozen=True):
    """What one value made an adapter do: its requests in order, their headers, and what came of a read."""

    requests: object
    headers: tuple[frozenset[tuple[str, str]], ...] = ()
    answer: object = None

    def changing(self, other: Seen) -> frozenset[str]:
        """Return the headers that differ from those of another sending of the same value."""
        pairs = zip(self.headers, other.headers, strict=True)
        return frozenset(name for mine, others in pairs for name, _ in mine ^ others)

    def without(self, names: frozenset[str]) -> Seen:
        """Return the same without some headers."""
        kept = (frozenset(pair for pair in one if pair[0] not in names) for one in self.headers)
        return msgspec.structs.replace(self, headers=tuple(kept))


class Asked(msgspec.Struct, frozen=True):
    """What can be asked: under which name, of which type, and a sample the simulator knows."""

    name: str
    kind: Any
    sample: Any
    within: Path = ("",)
    """What a refusal may put before the names of the fields: for `cards`, that or `card`."""


class Fate(Enum):
    """What becomes of a field."""

    REACHED = "reached"
    REFUSED = "refused"
    DROPPED = "dropped"
    UNTRIED = "untried"


async def fate_of(asked: Asked, path: Path, look: Look, fitting: Fitting) -> Fate:
    """Find out what becomes of one leaf, by values that differ in it alone."""
    fate, tried = Fate.UNTRIED, list[object]()
    for values in changed(asked.kind, asked.sample, path, fitting):
        seen: list[Seen] = []
        for value in values:
            if value in tried or len(seen) == _ENOUGH:
                continue
            tried.append(value)
            try:
                seen.append(await look(value))
            except (Invalid, Unsupported) as refusal:
                if fate is Fate.UNTRIED and _names(refusal, path, asked.within):
                    fate = Fate.REFUSED
            if seen and seen[-1] != seen[0]:
                return Fate.REACHED
        if len(seen) > 1:
            fate = Fate.DROPPED
    return fate


def _names(refusal: Invalid | Unsupported, path: Path, within: Path) -> bool:
    """Tell whether a refusal names a field, what the field is in, or something in it."""
    if isinstance(refusal, Unsupported):
        told = [*path, *(one.rstrip(".") for one in within)]
        words = {word for name in told for word in name.split("_")} - _SMALL_WORDS
        return any(re.search(rf"\b{word}s?\b", str(refusal), re.IGNORECASE) for word in words)
    fields = [start + ".".join(path) for start in within]
    named = [_in_our_words(field) for field, _ in refusal.violations]
    return any(_is_about(one, field) for one in named for field in fields)


def _is_about(named: str, field: str) -> bool:
    return is_within(field, named) or is_within(named, field) or _is_sibling(field, named)


def _in_our_words(field: str) -> str:
    field = re.sub(r"\[\d+\]", "", field)
    for theirs, ours in _THEIR_WORDS:
        field = field.replace(theirs, ours)
    return field


def is_within(inner: str, outer: str) -> bool:
    """Tell whether a path is another one, or leads to something in it."""
    return f"{inner}.".startswith(f"{outer}.")


def _is_sibling(ours: str, named: str) -> bool:
    """Tell whether both are ways to name the same card: to need one is to refuse the others."""
    (card, _, way), (named_card, _, named_way) = ours.rpartition("."), named.rpartition(".")
    return card == named_card and {way, named_way} <= WAYS_TO_NAME


def covers(entry: str, field: str) -> bool:
    """Tell whether an entry names a field or what it is in, with what is asked before it or without."""
    return any(
        fnmatchcase(name, pattern)
        for name in (field, field.partition(".")[2])
        for pattern in (entry, f"{entry}.*")
    )
