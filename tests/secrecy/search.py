"""Searches what a gateway left behind for its secrets, in every spelling."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tests.secrecy.spellings import spellings


class Hit(NamedTuple):
    """Where which secret was found. It tells names only, so that a failing test repeats no secret."""

    place: str
    secret: str
    spelling: str


class Search:
    """A search for secrets, by their names."""

    def __init__(self, secrets: Mapping[str, str | bytes]) -> None:
        """Spell each of them in every way."""
        self._wanted = {name: spellings(secret) for name, secret in secrets.items()}

    def hits(self, places: Mapping[str, bytes]) -> list[Hit]:
        """Return every hit; a place without a byte is none, because nothing was looked at there."""
        empty = [place for place, found in places.items() if not found]
        if empty:
            raise AssertionError(f"nothing was left in {', '.join(empty)}: there is nothing to search")
        return list(self._hits(places))

    def _hits(self, places: Mapping[str, bytes]) -> Iterator[Hit]:
        for place, left in places.items():
            for secret, spelled in self._wanted.items():
                for spelling, wanted in spelled.items():
                    if wanted in left:
                        yield Hit(place, secret, spelling)
